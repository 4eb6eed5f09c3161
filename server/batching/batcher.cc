#include "server/batching/batcher.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/batching/answer_pool.h"
#include "server/batching/check_batcher_options.h"
#include "server/batching/refusal.h"
#include "server/batching/run_batch.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

// A CPU that was taken away meanwhile is no reason to fail: the system places the thread then.
void PinThisThread(int cpu) {
  std::vector<cpu_set_t> sets(static_cast<size_t>(cpu) / CPU_SETSIZE + 1);  // All zero.
  const size_t size = sets.size() * sizeof(cpu_set_t);
  CPU_SET_S(static_cast<size_t>(cpu), size, sets.data());
  pthread_setaffinity_np(pthread_self(), size, sets.data());
}

// Each worker loops: take a batch, run it, answer the calls that are done with it or hand them to those who answer. A
// call is done when none of its windows waits and no running batch holds any; that is decided under the lock, and
// answered without it.
class WorkerBatcher final : public Batcher {
 public:
  WorkerBatcher(const BatcherOptions& options, Backend* backend, BatchObserver* observer)
      : options_(options),
        backend_(backend),
        observer_(observer),
        waiting_frames_(options.waiting_frames != nullptr ? options.waiting_frames
                                                          : std::make_shared<std::atomic<int64_t>>(0)),
        queue_(options.queue, options.workers) {
    if (options.answer_threads > 0) answer_pool_ = std::make_unique<AnswerPool>(options.answer_threads, observer);
  }
  ~WorkerBatcher() override { Shutdown(absl::UnavailableError("the batcher has ended")); }

  // Once, before anything else.
  absl::Status Start();

  absl::Status Reserve(std::shared_ptr<CallWork> call, const Reservation& reservation) override;
  void Withdraw(CallWork* call) override;
  absl::Status Submit(std::shared_ptr<CallWork> call) override;
  absl::Duration RetryDelay() const override;
  void BeginPreparation() override;
  void EndPreparation() override;
  void Shutdown(const absl::Status& status) override;

 private:
  void Work(int worker);
  // Waits for something to do: a batch, or calls to answer, or both. False: the worker ends.
  bool Next(Batch* batch, Calls* answers);
  void Finish(const Batch& batch, const std::vector<absl::Status>& call_status, const absl::Status& device,
              absl::Duration inference, Calls* answers);
  // On this thread or on those that answer. For workers only.
  void Answer(Calls* answers);
  void AnswerHere(Calls* answers);
  void ReportPendingFrames();

  void WaitForWork(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeWorkers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t TakeRoom(int64_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountWaitingFrames() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fail(CallWork* call, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailDropped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailAllWaiting(const absl::Status& status, Calls* answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const BatcherOptions options_;
  Backend* const backend_;
  BatchObserver* const observer_;

  // Those of queue_, and of other batchers that share the bound.
  const std::shared_ptr<std::atomic<int64_t>> waiting_frames_;

  mutable Mutex mu_;
  CondVar work_;     // A worker may have something to do.
  CondVar started_;  // A worker has its embedder, or has none.
  BatchQueue queue_ ABSL_GUARDED_BY(mu_);
  int64_t counted_frames_ ABSL_GUARDED_BY(mu_) = 0;        // Of queue_, in waiting_frames_.
  Calls answers_ ABSL_GUARDED_BY(mu_);                     // Calls to be answered by the next worker that is free.
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

  // Null: workers answer. Made before them, ended after them.
  std::unique_ptr<AnswerPool> answer_pool_;

  Mutex join_mu_;  // Held while the threads are joined; never together with mu_.
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mu_);
};

absl::Status WorkerBatcher::Start() {
  {
    MutexLock lock(&join_mu_);
    for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this, i] { Work(i); });
  }
  MutexLock lock(&mu_);
  while (workers_started_ < options_.workers) started_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
  return start_status_;
}

absl::Status WorkerBatcher::Reserve(std::shared_ptr<CallWork> call, const Reservation& reservation) {
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (!refusal_.ok()) return refusal_;
    const int64_t elsewhere = TakeRoom(reservation.frames);
    status = queue_.Admit(std::move(call), reservation, SteadyTime::Now(), &dropped_, elsewhere);
    FailDropped();
    CountWaitingFrames();
    if (!answers_.empty()) WakeWorkers();
  }
  ReportPendingFrames();
  return status;
}

void WorkerBatcher::Withdraw(CallWork* call) {
  {
    MutexLock lock(&mu_);
    queue_.Remove(call);
    CountWaitingFrames();
  }
  ReportPendingFrames();
}

// Room is taken before it is known to be there: so calls for two batchers do not both get the last of it. Returns what
// waits in the others. CountWaitingFrames gives back what is not needed.
int64_t WorkerBatcher::TakeRoom(int64_t frames) {
  const int64_t elsewhere = waiting_frames_->fetch_add(frames) - counted_frames_;
  counted_frames_ += frames;
  return elsewhere;
}

absl::Status WorkerBatcher::Submit(std::shared_ptr<CallWork> call) {
  const int64_t frames = call->total_frames();
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (call->announced) --preparing_;
    if (!refusal_.ok()) return refusal_;
    const int64_t elsewhere = TakeRoom(frames);
    status = queue_.Push(std::move(call), frames, SteadyTime::Now(), &dropped_, elsewhere);
    FailDropped();
    CountWaitingFrames();
    WakeWorkers();
  }
  ReportPendingFrames();
  return status;
}

absl::Duration WorkerBatcher::RetryDelay() const {
  MutexLock lock(&mu_);
  return queue_.RetryDelay(SteadyTime::Now());
}

void WorkerBatcher::BeginPreparation() {
  MutexLock lock(&mu_);
  ++preparing_;
}

void WorkerBatcher::EndPreparation() {
  MutexLock lock(&mu_);
  if (--preparing_ == 0) WakeWorkers();
}

void WorkerBatcher::Shutdown(const absl::Status& status) {
  Calls answers;
  {
    MutexLock lock(&mu_);
    if (!ending_) {
      ending_ = true;
      if (refusal_.ok()) refusal_ = status;
      FailAllWaiting(status, &answers);
      work_.SignalAll();
    }
  }
  AnswerHere(&answers);
  ReportPendingFrames();
  MutexLock lock(&join_mu_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  answer_pool_.reset();
}

void WorkerBatcher::Work(int worker) {
  pthread_setname_np(pthread_self(), absl::StrCat("worker-", worker).c_str());
  // Before the embedder takes memory, which then is near that CPU.
  if (!options_.worker_cpus.empty()) PinThisThread(options_.worker_cpus[static_cast<size_t>(worker)]);
  absl::StatusOr<std::unique_ptr<Embedder>> embedder = backend_->NewEmbedder();
  {
    MutexLock lock(&mu_);
    ++workers_started_;
    start_status_.Update(embedder.status());
    started_.SignalAll();
  }
  if (!embedder.ok()) return;

  Batch batch;
  Calls answers;
  std::vector<absl::Status> call_status;
  while (Next(&batch, &answers)) {
    ReportPendingFrames();
    Answer(&answers);
    if (batch.windows.empty()) continue;
    const int windows = static_cast<int>(batch.windows.size());
    const SteadyTime start = SteadyTime::Now();
    const absl::Status device = RunBatch(embedder->get(), &batch, &call_status);
    const absl::Duration inference = SteadyTime::Now() - start;
    if (device.ok()) {
      observer_->OnBatch(batch.network, windows, static_cast<int>(batch.calls.size()), batch.frames, inference);
    }
    Finish(batch, call_status, device, inference, &answers);
    batch.Clear();
    ReportPendingFrames();
    Answer(&answers);
  }
}

bool WorkerBatcher::Next(Batch* batch, Calls* answers) {
  MutexLock lock(&mu_);
  while (true) {
    const SteadyTime now = SteadyTime::Now();
    const bool taken = queue_.TakeBatch(now, preparing_ > 0, batch, &dropped_);
    for (const std::shared_ptr<CallWork>& call : batch->calls) {
      ++call->progress.running_batches;
      call->progress.times.queued = now - call->waiting.since;
    }
    FailDropped();
    CountWaitingFrames();
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
void WorkerBatcher::WakeWorkers() {
  if (idle_ > 0 && !(queue_.empty() && answers_.empty())) work_.Signal();
  if (idle_ > 1 && queue_.HasWorkForTwo()) work_.Signal();
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

void WorkerBatcher::Finish(const Batch& batch, const std::vector<absl::Status>& call_status, const absl::Status& device,
                           absl::Duration inference, Calls* answers) {
  bool first_loss = false;
  {
    MutexLock lock(&mu_);
    absl::Status lost;
    if (!device.ok()) {
      lost =
          WithRefusal(absl::UnavailableError(absl::StrCat("the device is lost: ", absl::string_view(device.message()))),
                      Refusal::kDeviceLost);
    }
    bool all_ok = device.ok();
    for (size_t i = 0; i < batch.calls.size(); ++i) {
      CallWork* const call = batch.calls[i].get();
      --call->progress.running_batches;
      call->progress.times.inference += inference;
      const absl::Status& status = device.ok() ? call_status[i] : lost;
      if (!status.ok()) {
        all_ok = false;
        Fail(call, status);
        queue_.Remove(call);
      }
      if (call->progress.running_batches == 0 && call->waiting.self == nullptr) answers->push_back(batch.calls[i]);
    }
    queue_.FinishBatch(batch, SteadyTime::Now(), all_ok);
    if (!device.ok()) {
      first_loss = !device_lost_;
      device_lost_ = true;
      if (refusal_.ok()) refusal_ = lost;
      FailAllWaiting(lost, answers);
    }
    CountWaitingFrames();
  }
  if (first_loss) observer_->OnDeviceLost(device);
}

void WorkerBatcher::Answer(Calls* answers) {
  if (answer_pool_ != nullptr) return answer_pool_->Answer(answers);
  AnswerHere(answers);
}

void WorkerBatcher::AnswerHere(Calls* answers) {
  for (const std::shared_ptr<CallWork>& call : *answers) AnswerCall(call.get(), observer_);
  answers->clear();
}

// The value is read again after it was told, so that whoever tells last tells what is.
void WorkerBatcher::ReportPendingFrames() {
  int64_t told;
  do {
    told = *waiting_frames_;
    observer_->OnPendingFrames(told);
  } while (told != *waiting_frames_);
}

void WorkerBatcher::CountWaitingFrames() {
  const int64_t frames = queue_.queued_frames();
  *waiting_frames_ += frames - counted_frames_;
  counted_frames_ = frames;
}

void WorkerBatcher::Fail(CallWork* call, const absl::Status& status) {
  call->progress.status.Update(status);  // Keeps the first.
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
    if (progress.running_batches == 0) answers_.push_back(std::move(dropped.call));
  }
  dropped_.clear();
}

void WorkerBatcher::FailAllWaiting(const absl::Status& status, Calls* answers) {
  for (std::shared_ptr<CallWork>& call : queue_.RemoveAll()) {
    Fail(call.get(), status);
    if (call->progress.running_batches == 0) answers->push_back(std::move(call));
  }
  for (std::shared_ptr<CallWork>& call : answers_) answers->push_back(std::move(call));
  answers_.clear();
  CountWaitingFrames();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Batcher>> Batcher::Create(const BatcherOptions& options, Backend* backend,
                                                         BatchObserver* observer) {
  const absl::Status status = CheckBatcherOptions(options);
  if (!status.ok()) return status;
  auto batcher = std::make_unique<WorkerBatcher>(options, backend, observer);
  const absl::Status started = batcher->Start();
  if (!started.ok()) return started;
  return batcher;
}

}  // namespace hearwire
