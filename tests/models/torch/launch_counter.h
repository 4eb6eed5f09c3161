// Counts the kernels that a GPU would be sent, of LibTorch's operators that run on the CPU.

#ifndef HEARWIRE_TESTS_MODELS_TORCH_LAUNCH_COUNTER_H_
#define HEARWIRE_TESTS_MODELS_TORCH_LAUNCH_COUNTER_H_

#include <ATen/record_function.h>

#include <cstdint>
#include <set>
#include <string>

namespace hearwire {

// Counts while it lives, in its own thread; one at a time. What an operator launches on CUDA is known of those that the
// networks use, from ATen's sources: a convolution of cuDNN one and another for its bias, an operator that only views
// none, any other one, whatever the CPU needs for it.
class LaunchCounter {
 public:
  LaunchCounter();
  ~LaunchCounter();
  LaunchCounter(const LaunchCounter&) = delete;
  LaunchCounter& operator=(const LaunchCounter&) = delete;

  int launches() const { return launches_; }
  // Operators of which it is not known how many they launch. They are not counted.
  const std::set<std::string>& unknown() const { return unknown_; }

 private:
  static std::unique_ptr<at::ObserverContext> OnStart(const at::RecordFunction& call);
  static void OnEnd(const at::RecordFunction& call, at::ObserverContext* context);
  void Start(const at::RecordFunction& call);

  const at::CallbackHandle handle_;
  int launches_ = 0;
  int depth_ = 0;  // Of calls within a counted one, that one included.
  std::set<std::string> unknown_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_TORCH_LAUNCH_COUNTER_H_
