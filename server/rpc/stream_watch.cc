#include "server/rpc/stream_watch.h"

#include <pthread.h>

#include "server/concurrency/border.h"
#include "server/concurrency/steady_time.h"
#include "server/rpc/stream_reactor.h"

namespace hearwire {

StreamWatch::StreamWatch(absl::Duration period)
    : period_(period), thread_([this] {
        pthread_setname_np(pthread_self(), "streams");
        Run();
      }) {}

StreamWatch::~StreamWatch() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
  }
  wake_.SignalAll();
  thread_.join();
}

void StreamWatch::Add(const std::shared_ptr<StreamReactor>& stream) {
  std::optional<CallError> stopped;
  {
    MutexLock lock(&mu_);
    streams_.push_back(stream);
    stopped = stopped_;
  }
  wake_.SignalAll();
  if (stopped) stream->Stop(*stopped);
}

void StreamWatch::StopAll(const CallError& error) {
  Streams open;
  {
    MutexLock lock(&mu_);
    stopped_ = error;
    open = TakeOpen();
  }
  for (const auto& stream : open) stream->Stop(error);
}

void StreamWatch::CancelAll() {
  Streams open;
  {
    MutexLock lock(&mu_);
    open = TakeOpen();
  }
  for (const auto& stream : open) stream->Cancel();
}

StreamWatch::Streams StreamWatch::TakeOpen() {
  Streams open;
  for (auto weak = streams_.begin(); weak != streams_.end();) {
    if (std::shared_ptr<StreamReactor> stream = weak->lock()) {
      open.push_back(std::move(stream));
      ++weak;
    } else {
      weak = streams_.erase(weak);
    }
  }
  return open;
}

void StreamWatch::Run() {
  SteadyTime next = SteadyTime::Now();
  while (true) {
    Streams open;
    {
      MutexLock lock(&mu_);
      while (!ending_ && (streams_.empty() || SteadyTime::Now() < next)) {
        wake_.WaitUntil(&mu_, streams_.empty() ? SteadyTime::InfiniteFuture() : next);
      }
      if (ending_) return;
      (void)Contain([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { open = TakeOpen(); });
    }
    const SteadyTime now = SteadyTime::Now();
    for (const auto& stream : open) (void)Contain([&] { stream->Tick(now); });
    next = now + period_;
  }
}

}  // namespace hearwire
