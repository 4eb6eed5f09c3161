// What each caller has had of a resource, so that all who want some get equal shares, or shares by weight.
//
// Start-time fair queueing: an account counts cost over weight (its virtual time), and whoever has the least is next.
// This is deficit round robin with a quantum of one window. Invariants:
// - Of callers that want some all the time, what they have had over their weights differs by one charge at most.
// - Idle time earns nothing: an account that begins to want stands where the last one served stood, or ahead.

#ifndef HEARWIRE_SERVER_BATCHING_CALLER_SHARES_H_
#define HEARWIRE_SERVER_BATCHING_CALLER_SHARES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearwire {

// Callers are small numbers from 0 on, given out by somebody else, who may give a number to another caller when nothing
// of the first waits. Not thread-safe.
class CallerShares {
 public:
  // From 1 to 1000. Until told otherwise, a caller's weight is 1.
  void SetWeight(int caller, int weight) { account(caller).weight = weight; }
  int weight(int caller) const {
    return static_cast<size_t>(caller) < accounts_.size() ? accounts_[static_cast<size_t>(caller)].weight : 1;
  }

  // The caller wants some in one place (a network) more, or in one less.
  void Join(int caller) {
    Account& joining = account(caller);
    if (joining.places++ == 0) joining.served = std::max(joining.served, clock_);
  }
  void Leave(int caller) { --account(caller).places; }

  // What it has had. Never falls.
  int64_t served(int caller) const { return accounts_[static_cast<size_t>(caller)].served; }

  // It gets so much, in any unit that is the same for all; at least 0.
  void Charge(int caller, int64_t cost) {
    Account& charged = account(caller);
    clock_ = std::max(clock_, charged.served);
    charged.served += cost / charged.weight;
  }
  // What it got earlier was so much more.
  void ChargeMore(int caller, int64_t cost) { account(caller).served += cost / account(caller).weight; }

 private:
  struct Account {
    int64_t served = 0;
    int weight = 1;
    int places = 0;
  };

  Account& account(int caller) {
    if (static_cast<size_t>(caller) >= accounts_.size()) accounts_.resize(static_cast<size_t>(caller) + 1);
    return accounts_[static_cast<size_t>(caller)];
  }

  std::vector<Account> accounts_;  // By caller.
  int64_t clock_ = 0;              // Where the account stood that was charged last.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CALLER_SHARES_H_
