#include "load/load_run.h"

#include <grpc/support/time.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <unordered_set>
#include <utility>

#include "client/address.h"
#include "client/channel.h"
#include "grpcpp/alarm.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/channel_arguments.h"
#include "load/recorder.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire::load {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Under which the server names a call in its answer, whatever the answer is.
constexpr char kRequestIdKey[] = "x-request-id";
constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

struct Call;

// What the completion queue hands back.
struct Event {
  enum class Kind { kFinished, kAlarm } kind;
  Call* call;
};

struct Call {
  const PreparedCall* prepared = nullptr;
  absl::Duration due;
  bool chosen_to_cancel = false;
  grpc::GenericStub* stub = nullptr;

  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer reply;
  grpc::Status status;
  std::optional<grpc::Alarm> alarm;  // Of calls chosen to be cancelled.
  Event finished{Event::Kind::kFinished, this};
  Event rang{Event::Kind::kAlarm, this};
  int pending_events = 1;
  // All above is written: the packaged gRPC hides from ThreadSanitizer that it orders one thread after the other.
  std::atomic<bool> ready = false;
};

class LoadRun {
 public:
  LoadRun(const LoadOptions& options, const Workload& workload,
          const std::vector<std::shared_ptr<grpc::Channel>>& connections)
      : options_(options),
        workload_(workload),
        end_(options.warm_up + options.duration),
        start_(SteadyClock::now()),
        start_cpu_seconds_(CpuSeconds()),
        random_(options.seed),
        recorder_(options.warm_up, end_) {
    for (const auto& channel : connections) stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
  }

  Measurement Run(const std::stop_token& stop, const std::function<void(const Progress&)>& on_progress);

 private:
  absl::Duration Now() const { return absl::FromChrono(SteadyClock::now() - start_); }
  SteadyClock::time_point At(absl::Duration time) const { return start_ + absl::ToChronoNanoseconds(time); }

  void RunOpen(const std::stop_token& stop);
  void RunClosed() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until `time`, but for a slot only when `for_slot`; shows progress meanwhile. False: stopped, or no slot came.
  bool WaitUntil(absl::Duration time, bool for_slot, const std::stop_token& stop);
  // Waits for the calls in flight; a stop cancels them.
  void Drain(const std::stop_token& stop) ABSL_LOCKS_EXCLUDED(mu_);
  void CancelAll() ABSL_LOCKS_EXCLUDED(mu_);
  void Show(bool draining) ABSL_LOCKS_EXCLUDED(mu_);

  // Makes the call that was due then. False: no more are to be made.
  bool Start(absl::Duration due) ABSL_LOCKS_EXCLUDED(mu_);
  // The two halves of Start. Null: no more are to be made.
  Call* Register(absl::Duration due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Send(Call* call) ABSL_LOCKS_EXCLUDED(mu_);
  // The call that was due then could not be sent before its deadline. False: no more are to be made.
  bool ExpireUnsent(absl::Duration due) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether one more call, sent or not, may be made.
  bool MayMakeMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // The completion thread.
  void ServeEvents();
  void OnFinished(Call* call) ABSL_LOCKS_EXCLUDED(mu_);

  const LoadOptions options_;
  const Workload& workload_;
  const absl::Duration end_;
  const SteadyClock::time_point start_;
  const double start_cpu_seconds_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::function<void(const Progress&)> on_progress_;
  absl::Duration next_progress_;  // Of the caller's thread.

  Mutex mu_;
  CondVar changed_;  // A call ended, and it matters: it was the last in flight, or a slot is waited for.
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
  Recorder recorder_ ABSL_GUARDED_BY(mu_);
  std::unordered_set<Call*> in_flight_ ABSL_GUARDED_BY(mu_);
  size_t next_stub_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t made_ ABSL_GUARDED_BY(mu_) = 0;
  bool waiting_for_slot_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool reached_max_calls_ ABSL_GUARDED_BY(mu_) = false;

  grpc::CompletionQueue queue_;
  std::thread completions_;
};

Measurement LoadRun::Run(const std::stop_token& stop, const std::function<void(const Progress&)>& on_progress) {
  on_progress_ = on_progress;
  completions_ = std::thread([this] { ServeEvents(); });
  if (options_.rate) {
    RunOpen(stop);
  } else {
    RunClosed();
  }
  Drain(stop);
  queue_.Shutdown();
  completions_.join();
  MutexLock lock(&mu_);
  Measurement measurement = recorder_.Finish();
  measurement.interrupted = stopped_;
  measurement.reached_max_calls = reached_max_calls_;
  measurement.generator_cpu_seconds = CpuSeconds() - start_cpu_seconds_;
  measurement.elapsed = Now();
  return measurement;
}

void LoadRun::RunOpen(const std::stop_token& stop) {
  Arrivals arrivals(options_.arrivals, *options_.rate, options_.seed);
  for (absl::Duration due = arrivals.Next(); due < end_; due = arrivals.Next()) {
    if (!WaitUntil(due, /*for_slot=*/false, stop)) return;
    if (WaitUntil(due + options_.deadline, /*for_slot=*/true, stop)) {
      if (!Start(due)) return;
    } else if (stop.stop_requested()) {
      return;
    } else if (!ExpireUnsent(due)) {
      return;
    }
  }
}

void LoadRun::RunClosed() {
  for (int i = 0; i < options_.concurrency; ++i) {
    if (!Start(Now())) return;
  }
}

bool LoadRun::WaitUntil(absl::Duration time, bool for_slot, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const absl::Duration now = Now();
    if (now >= next_progress_) Show(/*draining=*/false);
    const absl::Duration until = std::min(time, next_progress_);
    if (!for_slot) {
      if (now >= time) return true;
      std::this_thread::sleep_until(At(until));
      continue;
    }
    MutexLock lock(&mu_);
    if (static_cast<int>(in_flight_.size()) < options_.concurrency) return true;
    if (now >= time) return false;
    waiting_for_slot_ = true;
    changed_.WaitUntil(&mu_, SteadyTime::Now() + (until - now));
    waiting_for_slot_ = false;
  }
  return false;
}

void LoadRun::Drain(const std::stop_token& stop) {
  while (true) {
    const absl::Duration now = Now();
    if (now >= next_progress_) Show(/*draining=*/now >= end_);
    if (stop.stop_requested()) CancelAll();
    MutexLock lock(&mu_);
    if (in_flight_.empty()) return;
    changed_.WaitUntil(&mu_, SteadyTime::Now() + (next_progress_ - now));
  }
}

void LoadRun::CancelAll() {
  MutexLock lock(&mu_);
  if (!stopped_) recorder_.EndEarly(Now());
  stopped_ = true;
  for (Call* call : in_flight_) call->context.TryCancel();
}

void LoadRun::Show(bool draining) {
  next_progress_ = Now() + kProgressInterval;
  if (!on_progress_) return;
  Progress progress;
  {
    MutexLock lock(&mu_);
    const Measurement& measurement = recorder_.measurement();
    progress = {.elapsed = Now(),
                .warming_up = Now() < options_.warm_up,
                .draining = draining,
                .sent = measurement.totals.sent,
                .in_flight = static_cast<int64_t>(in_flight_.size()),
                .failed = 0,
                .p50 = measurement.latency.Quantile(0.5),
                .p99 = measurement.latency.Quantile(0.99)};
    for (const auto& [code, count] : measurement.failed) progress.failed += count;
  }
  on_progress_(progress);
}

bool LoadRun::MayMakeMore() {
  if (!stopped_ && made_ >= options_.max_calls && !reached_max_calls_) {
    reached_max_calls_ = true;
    recorder_.EndEarly(Now());
  }
  return !stopped_ && !reached_max_calls_;
}

Call* LoadRun::Register(absl::Duration due) {
  if (!MayMakeMore() || due >= end_) return nullptr;
  ++made_;
  auto* call = new Call;
  call->due = due;
  call->prepared = &workload_.Pick(random_);
  call->chosen_to_cancel = std::bernoulli_distribution(options_.cancel_share)(random_);
  call->pending_events = call->chosen_to_cancel ? 2 : 1;
  call->stub = stubs_[next_stub_++ % stubs_.size()].get();
  in_flight_.insert(call);
  recorder_.OnSent(*call->prepared, due, Now() - due);
  return call;
}

void LoadRun::Send(Call* call) {
  const auto deadline = [this](absl::Duration time) {
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_nanos(absl::ToInt64Nanoseconds(time - Now()), GPR_TIMESPAN));
  };
  call->context.set_deadline(deadline(call->due + options_.deadline));
  call->reader = call->stub->PrepareUnaryCall(&call->context, call->prepared->path, call->prepared->body, &queue_);
  if (call->chosen_to_cancel) {
    call->alarm.emplace();
    call->alarm->Set(&queue_, deadline(call->due + options_.cancel_after), &call->rang);
  }
  call->reader->StartCall();
  call->ready.store(true, std::memory_order_release);
  call->reader->Finish(&call->reply, &call->status, &call->finished);
}

bool LoadRun::Start(absl::Duration due) {
  Call* call = nullptr;
  {
    MutexLock lock(&mu_);
    call = Register(due);
  }
  if (call != nullptr) Send(call);
  return call != nullptr;
}

bool LoadRun::ExpireUnsent(absl::Duration due) {
  MutexLock lock(&mu_);
  if (!MayMakeMore()) return false;
  ++made_;
  recorder_.OnExpiredUnsent({&workload_.Pick(random_), due, due + options_.deadline});
  return true;
}

void LoadRun::ServeEvents() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    const Event& event = *static_cast<Event*>(tag);
    Call* call = event.call;
    (void)call->ready.load(std::memory_order_acquire);
    if (event.kind == Event::Kind::kFinished) {
      OnFinished(call);
    } else if (ok) {
      call->context.TryCancel();
    }
    if (--call->pending_events == 0) {
      delete call;
    } else if (event.kind == Event::Kind::kFinished) {
      call->alarm->Cancel();
    }
  }
}

void LoadRun::OnFinished(Call* call) {
  const absl::Duration now = Now();
  Outcome outcome{.code = static_cast<absl::StatusCode>(call->status.error_code()),
                  .message = call->status.error_message(),
                  .answered = call->status.ok() || call->context.GetServerTrailingMetadata().count(kRequestIdKey) > 0,
                  .reply_bytes = call->status.ok() ? static_cast<int64_t>(call->reply.Length()) : 0};
  Call* next = nullptr;  // Of the same caller.
  {
    MutexLock lock(&mu_);
    recorder_.OnEnded({call->prepared, call->due, now, call->chosen_to_cancel}, outcome);
    if (!options_.rate) next = Register(now);
    in_flight_.erase(call);
    if (in_flight_.empty() || waiting_for_slot_) changed_.SignalAll();
  }
  if (next != nullptr) Send(next);
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<grpc::Channel>>> Connect(const client::ClientOptions& options,
                                                                    int connections) {
  const absl::StatusOr<client::Address> address = client::ParseAddress(options.server);
  if (!address.ok()) return address.status();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, options.max_attempts > 1 ? 1 : 0);
    arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, static_cast<int>(options.max_message_bytes));
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
    arguments.SetUserAgentPrefix("hearwire-load/" HEARWIRE_VERSION);
    arguments.SetServiceConfigJSON(client::ServiceConfig(options.max_attempts, address->several));
    absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = client::OpenChannel(options, std::move(arguments));
    if (!channel.ok()) return channel.status();
    channels.push_back(*std::move(channel));
  }
  return channels;
}

Measurement RunLoad(const LoadOptions& options, const Workload& workload,
                    const std::vector<std::shared_ptr<grpc::Channel>>& connections, const std::stop_token& stop,
                    const std::function<void(const Progress&)>& on_progress) {
  return LoadRun(options, workload, connections).Run(stop, on_progress);
}

}  // namespace hearwire::load
