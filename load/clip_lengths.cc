#include "load/clip_lengths.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hearwire::load {
namespace {

constexpr double kLeastSeconds = 0.001;
constexpr double kMostSeconds = 3600;

// The value that a standard normal variable stays below with this probability, by bisection of its distribution.
double NormalQuantile(double share) {
  double low = -9, high = 9;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
  }
  return low;
}

}  // namespace

absl::StatusOr<ClipLengths> ClipLengths::Parse(const std::string& text) {
  const auto wrong = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" will not do: ", what));
  };
  ClipLengths lengths;
  std::string list = text;
  if (const size_t colon = text.find(':'); colon != std::string::npos) {
    const std::string name = text.substr(0, colon);
    list = text.substr(colon + 1);
    if (name == "uniform") {
      lengths.kind_ = Kind::kUniform;
    } else if (name == "exponential") {
      lengths.kind_ = Kind::kExponential;
    } else if (name == "lognormal") {
      lengths.kind_ = Kind::kLognormal;
    } else {
      return wrong("the distributions are uniform:LEAST,MOST, exponential:MEAN and lognormal:MEDIAN,SIGMA");
    }
  }
  for (const auto& word : absl::StrSplit(list, ',')) {
    double number = 0;
    if (!absl::SimpleAtod(word, &number) || !std::isfinite(number)) {
      return wrong("it must be seconds, such as 1.5 or 0.2,1,10 or uniform:0.5,10");
    }
    if (number < 0 || number > kMostSeconds) return wrong("lengths are from 0 to 3600 seconds");
    lengths.numbers_.push_back(number);
  }
  const std::vector<double>& numbers = lengths.numbers_;
  switch (lengths.kind_) {
    case Kind::kList:
      break;
    case Kind::kUniform:
      if (numbers.size() != 2 || numbers[0] > numbers[1]) return wrong("it must be uniform:LEAST,MOST in seconds");
      break;
    case Kind::kExponential:
      if (numbers.size() != 1) return wrong("it must be exponential:MEAN in seconds");
      break;
    case Kind::kLognormal:
      if (numbers.size() != 2 || numbers[1] > 5) return wrong("it must be lognormal:MEDIAN,SIGMA, SIGMA at most 5");
      break;
  }
  return lengths;
}

double ClipLengths::Quantile(double share) const {
  switch (kind_) {
    case Kind::kUniform:
      return numbers_[0] + share * (numbers_[1] - numbers_[0]);
    case Kind::kExponential:
      return -numbers_[0] * std::log1p(-share);
    case Kind::kLognormal:
      return numbers_[0] * std::exp(numbers_[1] * NormalQuantile(share));
    case Kind::kList:
      break;
  }
  return numbers_[0];
}

std::vector<double> ClipLengths::Spread(int count) const {
  std::vector<double> seconds;
  if (kind_ == Kind::kList) {
    seconds = numbers_;
  } else {
    for (int i = 0; i < count; ++i) seconds.push_back(Quantile((i + 0.5) / count));
  }
  for (double& length : seconds) length = std::clamp(length, kLeastSeconds, kMostSeconds);
  return seconds;
}

}  // namespace hearwire::load
