#include "server/reloader.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/concurrency/border.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

absl::Status Stopped() { return absl::UnavailableError("the server is shutting down: it reloads nothing any more"); }

}  // namespace

Reloader::Reloader(std::function<Result()> reload) : reload_(std::move(reload)), thread_([this] { Run(); }) {}

Reloader::~Reloader() {
  Stop();
  thread_.join();
}

void Reloader::Request(Done done) {
  absl::Status refused;
  {
    MutexLock lock(&mu_);
    if (stopped_) {
      refused = Stopped();
    } else if (waiting_.size() >= kMostWaiting) {
      refused = absl::ResourceExhaustedError(absl::StrCat(kMostWaiting, " callers wait for a reload already"));
    } else {
      waiting_.push_back(std::move(done));
      changed_.SignalAll();
      return;
    }
  }
  done(refused);
}

void Reloader::Stop() {
  std::vector<Done> told;
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    told.swap(waiting_);
    changed_.SignalAll();
  }
  for (const Done& done : told) done(Stopped());
}

bool Reloader::Next(std::vector<Done>* asked) {
  MutexLock lock(&mu_);
  while (!stopped_ && waiting_.empty()) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
  asked->swap(waiting_);
  return !stopped_;
}

void Reloader::Run() {
  pthread_setname_np(pthread_self(), "reload");
  std::vector<Done> asked;
  while (Next(&asked)) {
    const Result result = Contain(reload_);
    for (const Done& done : asked) done(result);
    asked.clear();
  }
}

}  // namespace hearwire
