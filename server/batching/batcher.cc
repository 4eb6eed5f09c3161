#include "server/batching/batcher.h"

#include <pthread.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/batching/answer_pool.h"
#include "server/batching/check_batcher_options.h"
#include "server/batching/pin_thread.h"
#include "server/batching/refusal.h"
#include "server/batching/run_batch.h"
#include "server/batching/window_ranges.h"
#include "server/concurrency/border.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

// Each worker loops: take a batch, run it, answer the calls that are done with it or hand them to those who answer. A
// call is done when none of its windows waits and no running batch holds any; that is decided under the lock, and
// answered without it. What changes the queue is noexcept: see server/concurrency/border.h.
class WorkerBatcher final : public Batcher {
 public:
  WorkerBatcher(const BatcherOptions& options, Backend* backend, BatchObserver* observer)
      : options_(options),
        backend_(backend),
        observer_(observer),
        queue_(options.queue, options.workers),
        frames_(options.queued_frames),
        all_frames_(frames_.all()) {
    if (options.answer_threads > 0) answer_pool_ = std::make_unique<AnswerPool>(options.answer_threads, observer);
  }
  ~WorkerBatcher() override { Shutdown(absl::UnavailableError("the batcher has ended")); }

  // Once, before anything else.
  absl::Status Start();

  absl::Status Submit(std::shared_ptr<CallWork> call) noexcept override;
  absl::Status Admit(std::shared_ptr<CallWork> call, const Reservation& reservation) noexcept override;
  absl::Status Append(CallWork* call, std::vector<WindowRequest> requests, bool complete) noexcept override;
  void Abandon(std::shared_ptr<CallWork> call) noexcept override;
  void Forget(int network) noexcept override {
    MutexLock lock(&mu_);
    queue_.Forget(network);
  }
  int64_t credit_frames() const override { return options_.queue.credit_frames; }
  absl::Duration RetryDelay() const override {
    MutexLock lock(&mu_);
    return queue_.RetryDelay(SteadyTime::Now());
  }
  Load load() const override {
    MutexLock lock(&mu_);
    return queue_.LoadAt(SteadyTime::Now());
  }
  void BeginPreparation() noexcept override {
    MutexLock lock(&mu_);
    ++preparing_;
  }
  void EndPreparation() noexcept override {
    MutexLock lock(&mu_);
    if (--preparing_ == 0) WakeWorkers();
  }
  void Shutdown(const absl::Status& status) override;

 private:
  void BeginShutdown(const absl::Status& status);
  void Work(int worker);
  // Waits for something to do: a batch, or calls to answer, or both. False: the worker ends.
  bool Next(Batch* batch, Answers* answers);
  void Finish(const Batch& batch, const std::vector<WindowRange>& ranges, const std::vector<absl::Status>& call_status,
              const absl::Status& device, absl::Duration inference, Answers* answers);
  // On this thread or on those that answer. For workers only.
  void Tell(Answers* answers) { answer_pool_ != nullptr ? answer_pool_->Take(answers) : TellHere(answers, observer_); }
  void ReportPendingFrames();

  void WaitForWork(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeWorkers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { Wake(WorkersToWake()); }
  int WorkersToWake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake(int workers) {
    for (; workers > 0; --workers) work_.Signal();
  }
  void CountFrames() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    frames_.Set(queue_.queued_frames(), queue_.waiting_frames());
  }
  // The first failure is kept.
  void Fail(CallWork* call, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    call->progress.status.Update(status);
  }
  // The call's end, when nothing of it waits or runs any more: at the first time that this is found.
  void EndIfDone(std::shared_ptr<CallWork> call, Answers* answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailDropped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailAllWaiting(const absl::Status& status, Answers* answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const BatcherOptions options_;
  Backend* const backend_;
  BatchObserver* const observer_;

  mutable Mutex mu_;
  CondVar work_;     // A worker may have something to do.
  CondVar started_;  // A worker has its embedder, or has none.
  BatchQueue queue_ ABSL_GUARDED_BY(mu_);
  FrameCounter frames_ ABSL_GUARDED_BY(mu_);               // Those of queue_.
  Answers answers_ ABSL_GUARDED_BY(mu_);                   // Calls to be answered by the next worker that is free.
  std::vector<DroppedCall> dropped_ ABSL_GUARDED_BY(mu_);  // Empty whenever mu_ is released.
  int preparing_ ABSL_GUARDED_BY(mu_) = 0;
  int idle_ ABSL_GUARDED_BY(mu_) = 0;
  // When the first of the idle workers wakes by itself. One is enough: it wakes the next one when it leaves.
  SteadyTime next_wake_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfiniteFuture();
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);  // Not OK: Submit takes nothing any more.
  bool device_lost_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  int workers_started_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status start_status_ ABSL_GUARDED_BY(mu_);

  const std::shared_ptr<QueuedFrames> all_frames_;  // For whoever holds no lock.
  std::unique_ptr<AnswerPool> answer_pool_;         // Null: workers answer. Made before them, ended after them.

  Mutex join_mu_;  // Held while the threads are started or joined; taken before mu_.
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mu_);
};

absl::Status WorkerBatcher::Start() {
  {
    MutexLock lock(&join_mu_);
    const auto close = [this] { BeginShutdown(absl::UnavailableError("a worker could not be started")); };
    const auto run = [this](int worker) { Work(worker); };
    StartThreads(options_.workers, run, close, &threads_);
  }
  MutexLock lock(&mu_);
  while (workers_started_ < options_.workers) started_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
  return start_status_;
}

absl::Status WorkerBatcher::Submit(std::shared_ptr<CallWork> call) noexcept {
  const int64_t frames = call->total_frames();
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (call->announced) --preparing_;
    if (!refusal_.ok()) return refusal_;
    const int64_t elsewhere = frames_.Take(frames);
    status = queue_.Push(call, frames, SteadyTime::Now(), &dropped_, elsewhere);
    FailDropped();
    CountFrames();
    WakeWorkers();
  }
  ReportPendingFrames();
  return status;
}

absl::Status WorkerBatcher::Admit(std::shared_ptr<CallWork> call, const Reservation& reservation) noexcept {
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (!refusal_.ok()) return refusal_;
    // The queue counts no more of it than it lets wait.
    const int64_t elsewhere = frames_.Take(std::min(reservation.frames, options_.queue.credit_frames));
    status = queue_.Admit(std::move(call), reservation, SteadyTime::Now(), &dropped_, elsewhere);
    if (status.ok()) ++preparing_;
    FailDropped();
    CountFrames();
    if (!answers_.empty()) WakeWorkers();
  }
  ReportPendingFrames();
  return status;
}

absl::Status WorkerBatcher::Append(CallWork* call, std::vector<WindowRequest> requests, bool complete) noexcept {
  int64_t frames = 0;
  for (const WindowRequest& request : requests) frames += request.window.frame_count();
  int to_wake = 0;
  {
    MutexLock lock(&mu_);
    if (complete) --preparing_;
    if (!refusal_.ok()) return refusal_;
    const SteadyTime now = SteadyTime::Now();
    const std::shared_ptr<CallWork> self = call->waiting.self;
    if (!queue_.Append(call, std::move(requests), frames, complete, now)) {
      return call->cancelled ? absl::CancelledError("cancelled before its windows were queued")
                             : absl::DeadlineExceededError("the deadline passed before its windows were queued");
    }
    // Its last windows may have been computed before it was known that they are the last.
    if (complete) EndIfDone(self, &answers_);
    CountFrames();
    to_wake = WorkersToWake();
  }
  Wake(to_wake);  // Without the lock, into which a worker would run. Every call comes by here.
  ReportPendingFrames();
  return absl::OkStatus();
}

void WorkerBatcher::Abandon(std::shared_ptr<CallWork> call) noexcept {
  Answers answers;
  {
    MutexLock lock(&mu_);
    queue_.Remove(call.get());
    if (!call->progress.answered) Fail(call.get(), absl::CancelledError("given up by its caller"));
    EndIfDone(std::move(call), &answers);
    CountFrames();
  }
  TellHere(&answers, observer_);
  ReportPendingFrames();
}

void WorkerBatcher::BeginShutdown(const absl::Status& status) {
  Answers answers;
  {
    MutexLock lock(&mu_);
    if (!ending_) {
      ending_ = true;
      if (refusal_.ok()) refusal_ = status;
      FailAllWaiting(status, &answers);
      work_.SignalAll();
    }
  }
  TellHere(&answers, observer_);
  ReportPendingFrames();
}

void WorkerBatcher::Shutdown(const absl::Status& status) {
  BeginShutdown(status);
  MutexLock lock(&join_mu_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  answer_pool_.reset();
}

void WorkerBatcher::Work(int worker) {
  pthread_setname_np(pthread_self(), absl::StrCat("worker-", worker).c_str());
  // Before the embedder takes memory, which then is near that CPU.
  if (!options_.worker_cpus.empty()) PinThisThread(options_.worker_cpus[static_cast<size_t>(worker)]);
  const absl::StatusOr<std::unique_ptr<Embedder>> embedder = Contain([this] { return backend_->NewEmbedder(); });
  {
    MutexLock lock(&mu_);
    ++workers_started_;
    start_status_.Update(embedder.status());
    started_.SignalAll();
  }
  if (!embedder.ok()) return;

  Batch batch;
  Answers answers;
  std::vector<WindowRange> ranges;
  std::vector<absl::Status> call_status;
  while (Next(&batch, &answers)) {
    ReportPendingFrames();
    Tell(&answers);
    if (batch.windows.empty()) continue;
    const int windows = static_cast<int>(batch.windows.size());
    FindWindowRanges(batch, &ranges);
    const SteadyTime start = SteadyTime::Now();
    const absl::Status device = RunBatch(embedder->get(), &batch, &call_status);
    const absl::Duration inference = SteadyTime::Now() - start;
    if (device.ok()) {
      observer_->OnBatch(batch.network, windows, static_cast<int>(batch.calls.size()), batch.frames, inference);
    }
    Finish(batch, ranges, call_status, device, inference, &answers);
    batch.Clear();
    ReportPendingFrames();
    Tell(&answers);
  }
}

bool WorkerBatcher::Next(Batch* batch, Answers* answers) {
  MutexLock lock(&mu_);
  while (true) {
    const SteadyTime now = SteadyTime::Now();
    const bool taken = queue_.TakeBatch(now, preparing_ > 0, batch, &dropped_);
    for (const std::shared_ptr<CallWork>& call : batch->calls) {
      ++call->progress.running_batches;
      call->progress.times.queued = now - call->waiting.since;
    }
    FailDropped();
    CountFrames();
    answers->swap(answers_);
    if (taken || !answers->empty()) {
      WakeWorkers();
      return true;
    }
    if (ending_) return false;
    WaitForWork(now);
  }
}

// Two where there is work for two; as each that takes a batch does the same, a long call soon has all workers. Those
// who were told and have not woken yet still count as idle: telling one too many costs little.
int WorkerBatcher::WorkersToWake() const {
  if (idle_ == 0 || (queue_.empty() && answers_.empty())) return 0;
  if (idle_ > 1 && queue_.HasWorkForTwo()) return 2;
  // One that sleeps until a batch is due needs no telling before.
  const bool watched = answers_.empty() && next_wake_ != SteadyTime::InfiniteFuture() &&
                       next_wake_ <= queue_.NextBatchTime(SteadyTime::Now(), preparing_ > 0);
  return watched ? 0 : 1;
}

void WorkerBatcher::WaitForWork(SteadyTime now) {
  const SteadyTime due = queue_.NextBatchTime(now, preparing_ > 0);
  const bool first = due < next_wake_;
  if (first) next_wake_ = due;
  ++idle_;
  work_.WaitUntil(&mu_, first ? due : SteadyTime::InfiniteFuture());
  --idle_;
  if (first && next_wake_ == due) next_wake_ = SteadyTime::InfiniteFuture();
}

void WorkerBatcher::Finish(const Batch& batch, const std::vector<WindowRange>& ranges,
                           const std::vector<absl::Status>& call_status, const absl::Status& device,
                           absl::Duration inference, Answers* answers) {
  bool first_loss = false;
  {
    MutexLock lock(&mu_);
    const absl::Status lost = device.ok() ? device : DeviceLost(device);
    bool all_ok = device.ok();
    for (size_t i = 0; i < batch.calls.size(); ++i) {
      CallWork* const call = batch.calls[i].get();
      --call->progress.running_batches;
      AddTimes(ranges[i], batch, inference, &call->progress.times);
      const absl::Status& status = device.ok() ? call_status[i] : lost;
      if (!status.ok()) {
        all_ok = false;
        Fail(call, status);
        queue_.Remove(call);
      }
      const size_t before = answers->size();
      std::shared_ptr<const ComputedFunction> computed = call->computed;
      EndIfDone(batch.calls[i], answers);
      if (!status.ok() || computed == nullptr) continue;
      if (answers->size() == before) answers->push_back({.call = batch.calls[i], .computed = std::move(computed)});
      answers->back().first_window = ranges[i].first;
      answers->back().windows = ranges[i].count;
    }
    queue_.FinishBatch(batch, SteadyTime::Now(), all_ok);
    if (!device.ok()) {
      first_loss = !device_lost_;
      device_lost_ = true;
      if (refusal_.ok()) refusal_ = lost;
      FailAllWaiting(lost, answers);
    }
    CountFrames();
  }
  if (first_loss) observer_->OnDeviceLost(device);
}

// The value is read again after it was told, so that whoever tells last tells what is.
void WorkerBatcher::ReportPendingFrames() {
  int64_t told;
  do {
    told = all_frames_->waiting;
    observer_->OnPendingFrames(told);
  } while (told != all_frames_->waiting);
}

void WorkerBatcher::EndIfDone(std::shared_ptr<CallWork> call, Answers* answers) {
  CallWork::Progress& progress = call->progress;
  if (progress.running_batches > 0 || call->waiting.self != nullptr || std::exchange(progress.answered, true)) return;
  // The function may own the call, so it goes with its end.
  auto computed = std::move(call->computed);
  answers->push_back({.call = std::move(call), .computed = std::move(computed), .ended = true});
}

void WorkerBatcher::FailDropped() {
  const SteadyTime now = SteadyTime::Now();
  for (DroppedCall& dropped : dropped_) {
    CallWork::Progress& progress = dropped.call->progress;
    progress.dropped = progress.status.ok();
    Fail(dropped.call.get(), dropped.reason == absl::StatusCode::kCancelled
                                 ? absl::CancelledError("cancelled while its windows waited")
                                 : absl::DeadlineExceededError("the deadline passed while its windows waited"));
    if (progress.times.queued == absl::ZeroDuration()) progress.times.queued = now - dropped.call->waiting.since;
    EndIfDone(std::move(dropped.call), &answers_);
  }
  dropped_.clear();
}

void WorkerBatcher::FailAllWaiting(const absl::Status& status, Answers* answers) {
  for (std::shared_ptr<CallWork>& call : queue_.RemoveAll()) {
    Fail(call.get(), status);
    EndIfDone(std::move(call), answers);
  }
  for (Answer& answer : answers_) answers->push_back(std::move(answer));
  answers_.clear();
  CountFrames();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Batcher>> Batcher::Create(const BatcherOptions& options, Backend* backend,
                                                         BatchObserver* observer) {
  if (absl::Status status = CheckBatcherOptions(options); !status.ok()) return status;
  auto batcher = std::make_unique<WorkerBatcher>(options, backend, observer);
  if (absl::Status started = batcher->Start(); !started.ok()) return started;
  return batcher;
}

}  // namespace hearwire
