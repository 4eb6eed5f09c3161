#include "server/engines/engine.h"

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "server/concurrency/border.h"

namespace hearwire {
namespace {

// How long an engine that was given up has to end. A device that hangs is left behind with its thread.
constexpr std::chrono::seconds kFarewell{1};

}  // namespace

void Retire(Engine engine) {
  engine.returns->Close();
  std::packaged_task<void()> end([engine = std::move(engine)]() mutable {
    engine.batcher.reset();
    engine.observer.reset();
    engine.backend.reset();
  });
  const std::future<void> ended = end.get_future();
  std::packaged_task<void()>* const task = new std::packaged_task<void()>(std::move(end));
  const absl::Status started = Contain([task] {
    std::thread([task] {
      (*task)();
      delete task;
    }).detach();
  });
  // Where the system refuses a thread, the device and what holds it are left behind as they are.
  if (started.ok()) ended.wait_for(kFarewell);
}

}  // namespace hearwire
