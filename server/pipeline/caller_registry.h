// Numbers for callers, by which queues tell them apart.

#ifndef HEARWIRE_SERVER_PIPELINE_CALLER_REGISTRY_H_
#define HEARWIRE_SERVER_PIPELINE_CALLER_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/concurrency/mutex.h"

namespace hearwire {

// A caller has a number while any of its calls holds it; then another may get it. So numbers stay below the number of
// calls in flight, whoever calls. Thread-safe.
class CallerRegistry {
 public:
  // Held by one call. Must be destroyed before the registry is. Thread-safe.
  class Number {
   public:
    ~Number();
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;
    int value() const { return value_; }
    int weight() const { return weight_; }

   private:
    friend class CallerRegistry;
    Number(CallerRegistry* registry, std::string name, int value, int weight)
        : registry_(registry), name_(std::move(name)), value_(value), weight_(weight) {}

    CallerRegistry* const registry_;
    const std::string name_;
    const int value_;
    const int weight_;
  };

  // The number of the caller of this name. weight: its weight as this call knows it.
  std::unique_ptr<Number> Enter(std::string_view name, int weight);

  // That have numbers now.
  int callers() const;

 private:
  struct Caller {
    int number = 0;
    int calls = 0;
  };

  mutable Mutex mu_;
  std::map<std::string, Caller, std::less<>> callers_ ABSL_GUARDED_BY(mu_);
  std::vector<int> free_ ABSL_GUARDED_BY(mu_);  // Numbers that were given back.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALLER_REGISTRY_H_
