// How long the clips are that a load is made of.

#ifndef HEARWIRE_LOAD_CLIP_LENGTHS_H_
#define HEARWIRE_LOAD_CLIP_LENGTHS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire::load {

// What a flag's text stands for:
//   "1.5"                one length
//   "0.2,1,10"           each as likely as the other
//   "uniform:0.5,10"     from one length to another
//   "exponential:2"      of this mean
//   "lognormal:2,0.8"    of this median, and the standard deviation of its natural logarithm
class ClipLengths {
 public:
  // All lengths must be from 0 to 3600 seconds. INVALID_ARGUMENT says what would be right.
  static absl::StatusOr<ClipLengths> Parse(const std::string& text);

  // Seconds. `count` lengths that are spread as the distribution is (its quantiles, at equal steps), those of a fixed
  // list once each. Between 0.001 and 3600.
  std::vector<double> Spread(int count) const;

 private:
  enum class Kind { kList, kUniform, kExponential, kLognormal };

  double Quantile(double share) const;

  Kind kind_ = Kind::kList;
  std::vector<double> numbers_;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_CLIP_LENGTHS_H_
