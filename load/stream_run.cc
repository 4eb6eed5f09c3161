#include "load/stream_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/stubs.h"
#include "load/clips.h"

namespace hearwire::load {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kProgressInterval(200);
constexpr double kNoiseSeconds = 60;  // Sent over and over, from another place by each stream.
constexpr double kRowSeconds = 0.05;

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

class StreamRun;

// One stream: a thread that sends and one that reads.
class OneStream {
 public:
  OneStream(StreamRun& run, int number, std::unique_ptr<client::Stream> stream)
      : run_(run), number_(number), stream_(std::move(stream)), sender_([this] { Send(); }), reader_([this] {
          Read();
        }) {}
  ~OneStream() {
    sender_.join();
    reader_.join();
  }

 private:
  void Send();
  void Read();
  // When a row whose window ends there could be known.
  Clock::time_point KnownAt(double window_end_ms);

  StreamRun& run_;
  const int number_;
  const std::unique_ptr<client::Stream> stream_;
  std::mutex mu_;
  std::vector<Clock::time_point> pieces_;  // When each was due, or about to be sent.
  std::thread sender_;
  std::thread reader_;
};

class StreamRun {
 public:
  StreamRun(const StreamLoad& load, double window_ms)
      : load(load),
        half_window_ms(window_ms / 2),
        noise(NoiseClip(kNoiseSeconds, load.sample_rate_hz, load.seed).audio.pcm().samples()) {
    const auto count = static_cast<size_t>(std::ceil(absl::ToDoubleSeconds(load.duration)));
    measured_.rows.intervals.resize(std::max<size_t>(count, 1));
  }

  absl::StatusOr<StreamMeasurement> Run(const client::ClientOptions& server, int connections,
                                        const std::stop_token& stop,
                                        const std::function<void(const Progress&)>& on_progress);

  void OnRow(Clock::time_point known, Clock::time_point arrived);
  void OnEnd(const absl::Status& status);

  const StreamLoad load;
  const double half_window_ms;
  const std::string noise;
  Clock::time_point start;  // Before any thread is.

 private:
  Progress Now();
  // The second of the measured time, if it is one.
  std::optional<size_t> IntervalOf(Clock::time_point time) const;

  std::mutex mu_;
  std::condition_variable changed_;
  StreamMeasurement measured_;
  int running_ = 0;
};

void OneStream::Send() {
  const StreamLoad& load = run_.load;
  const double seconds = absl::ToDoubleSeconds(load.piece);
  const auto bytes = std::max<size_t>(static_cast<size_t>(seconds * load.sample_rate_hz), 1) * sizeof(int16_t);
  const auto end = run_.start + absl::ToChronoNanoseconds(load.warm_up + load.duration);
  // The streams' pieces are due in turn, not all at once.
  const auto first = run_.start + absl::ToChronoNanoseconds(load.piece * number_ / load.streams);
  size_t at = run_.noise.size() / static_cast<size_t>(load.streams) * static_cast<size_t>(number_) / 2 * 2;
  for (int64_t piece = 1;; ++piece) {
    auto due = Clock::now();
    if (load.real_time) {
      due = first + absl::ToChronoNanoseconds(load.piece * piece);
      std::this_thread::sleep_until(due);
    }
    if (due >= end) break;
    {
      const std::lock_guard lock(mu_);
      pieces_.push_back(due);
    }
    for (size_t left = bytes; left > 0;) {
      const std::string_view part = std::string_view(run_.noise).substr(at, left);
      if (!stream_->Write(part).ok()) return;  // The reader says why.
      left -= part.size();
      at = (at + part.size()) % run_.noise.size();
    }
  }
  {
    const std::lock_guard lock(mu_);
    pieces_.push_back(Clock::now());
  }
  stream_->Finish();
}

Clock::time_point OneStream::KnownAt(double window_end_ms) {
  const std::lock_guard lock(mu_);
  // The last entry is the end's, which makes the windows known that reach beyond it.
  const auto piece =
      static_cast<size_t>(std::max(std::ceil(window_end_ms / absl::ToDoubleMilliseconds(run_.load.piece)), 1.0));
  return pieces_[std::min(piece, pieces_.size()) - 1];
}

void OneStream::Read() {
  while (true) {
    const absl::StatusOr<std::optional<client::StreamEvent>> event = stream_->Read();
    const auto now = Clock::now();
    if (!event.ok() || !*event) return run_.OnEnd(event.status());
    const auto* rows = std::get_if<client::ClipTimestampEmbeddings>(&**event);
    if (rows == nullptr) continue;
    for (const double ms : rows->timestamps_ms) run_.OnRow(KnownAt(ms + run_.half_window_ms), now);
  }
}

std::optional<size_t> StreamRun::IntervalOf(Clock::time_point time) const {
  const absl::Duration at = absl::FromChrono(time - start) - load.warm_up;
  if (at < absl::ZeroDuration() || at >= load.duration) return std::nullopt;
  return static_cast<size_t>(absl::ToDoubleSeconds(at));
}

void StreamRun::OnRow(Clock::time_point known, Clock::time_point arrived) {
  const absl::Duration latency = absl::FromChrono(arrived - known);
  const std::lock_guard lock(mu_);
  Measurement& rows = measured_.rows;
  if (const std::optional<size_t> interval = IntervalOf(known)) {
    rows.latency.Record(latency);
    rows.succeeded_latency.Record(latency);
    ++rows.intervals[*interval].due;
    rows.intervals[*interval].latency.Record(latency);
  }
  if (const std::optional<size_t> interval = IntervalOf(arrived)) {
    ++measured_.row_count;
    ++rows.intervals[*interval].completed;
    rows.completed_audio_seconds += kRowSeconds;
  }
}

void StreamRun::OnEnd(const absl::Status& status) {
  const std::lock_guard lock(mu_);
  --running_;
  changed_.notify_all();
  Measurement& rows = measured_.rows;
  ++rows.calls;
  if (status.ok()) {
    ++rows.succeeded;
    return;
  }
  ++rows.failed[status.code()];
  rows.messages.emplace(status.code(), status.message());
  if (const std::optional<size_t> interval = IntervalOf(Clock::now())) ++rows.intervals[*interval].failed;
}

Progress StreamRun::Now() {
  const std::lock_guard lock(mu_);
  const absl::Duration elapsed = absl::FromChrono(Clock::now() - start);
  Progress progress{.elapsed = elapsed,
                    .warming_up = elapsed < load.warm_up,
                    .draining = elapsed >= load.warm_up + load.duration,
                    .sent = measured_.rows.calls + running_,
                    .in_flight = running_,
                    .p50 = measured_.rows.latency.Quantile(0.5),
                    .p99 = measured_.rows.latency.Quantile(0.99)};
  for (const auto& [code, count] : measured_.rows.failed) progress.failed += count;
  return progress;
}

absl::StatusOr<StreamMeasurement> StreamRun::Run(const client::ClientOptions& server, int connections,
                                                 const std::stop_token& stop,
                                                 const std::function<void(const Progress&)>& on_progress) {
  const double cpu_seconds = CpuSeconds();
  std::vector<std::unique_ptr<client::Client>> clients;
  const auto channels = Connect(server, std::min(connections, load.streams));
  if (!channels.ok()) return channels.status();
  for (const auto& channel : *channels) {
    auto stubs = std::make_unique<client::Client::Stubs>(v1::EmbeddingService::NewStub(channel),
                                                         grpc::health::v1::Health::NewStub(channel));
    auto client = client::Client::Create(server, std::move(stubs));
    if (!client.ok()) return client.status();
    clients.push_back(*std::move(client));
  }
  std::vector<std::unique_ptr<client::Stream>> opened;
  for (int i = 0; i < load.streams; ++i) {
    client::StreamOptions options;
    options.config = load.config;
    options.encoding = client::Audio::Encoding::kLinear16;
    options.sample_rate_hz = load.sample_rate_hz;
    options.timestamps = true;
    options.cancellation = stop;
    auto stream = clients[static_cast<size_t>(i) % clients.size()]->OpenStream(options);
    if (!stream.ok()) return stream.status();
    opened.push_back(*std::move(stream));
  }
  start = Clock::now();
  running_ = load.streams;
  {
    std::vector<std::unique_ptr<OneStream>> streams;
    for (int i = 0; i < load.streams; ++i) {
      streams.push_back(std::make_unique<OneStream>(*this, i, std::move(opened[static_cast<size_t>(i)])));
    }
    std::unique_lock lock(mu_);
    while (running_ > 0) {
      changed_.wait_for(lock, kProgressInterval);
      if (!on_progress) continue;
      lock.unlock();
      on_progress(Now());
      lock.lock();
    }
  }
  Measurement& rows = measured_.rows;
  rows.elapsed = absl::FromChrono(Clock::now() - start);
  rows.measured = std::clamp(rows.elapsed - load.warm_up, absl::ZeroDuration(), load.duration);
  rows.completed = measured_.row_count;
  rows.interrupted = stop.stop_requested();
  rows.generator_cpu_seconds = CpuSeconds() - cpu_seconds;
  return std::move(measured_);
}

}  // namespace

absl::StatusOr<StreamMeasurement> RunStreams(const StreamLoad& load, const client::ClientOptions& server,
                                             int connections, double window_ms, const std::stop_token& stop,
                                             const std::function<void(const Progress&)>& on_progress) {
  return StreamRun(load, window_ms).Run(server, connections, stop, on_progress);
}

}  // namespace hearwire::load
