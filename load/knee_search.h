// Which rates to try, to find the highest that a server bears.

#ifndef HEARWIRE_LOAD_KNEE_SEARCH_H_
#define HEARWIRE_LOAD_KNEE_SEARCH_H_

#include <optional>
#include <set>

namespace hearwire::load {

// Rates rise by half until one fails, then halve the distance between the highest that passed and the lowest that
// failed (as ratios), until they are within a step of each other. The highest that passed is then tried again:
// measurements scatter, and the knee is a rate that passed twice. If it fails, the next lower one that passed is.
//
//   while (auto rate = search.Next()) search.Tell(Passes(*rate));
class KneeSearch {
 public:
  // first_rate: more than 0. step: the ratio, above 1, at which rates count as equal.
  explicit KneeSearch(double first_rate, double step = 1.05) : step_(step), rate_(first_rate) {}

  // The rate to try; absent when the search has ended.
  std::optional<double> Next() const;

  // How the rate of Next() did.
  void Tell(bool passed);

  // The highest rate that passed twice; absent while the search runs, and when none did.
  std::optional<double> knee() const { return knee_; }

  // The highest rate that passed each time it was tried so far: what is known when the search is broken off.
  std::optional<double> best() const { return passed_.empty() ? std::nullopt : std::optional(*passed_.rbegin()); }

 private:
  // Sets rate_ to the highest one that passed once, or ends.
  void Confirm();

  static constexpr int kMostSteps = 40;
  static constexpr double kRise = 1.5;
  static constexpr double kLeastRate = 1e-3;

  const double step_;
  double rate_;
  int steps_ = 0;
  bool confirming_ = false;
  bool ended_ = false;
  std::set<double> passed_;
  std::optional<double> lowest_failed_;
  std::optional<double> knee_;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_KNEE_SEARCH_H_
