// Runs workloads on one of the project's backends, for compare.py, which drives several programs in turns.
//
//   bench_worker native|native_bfloat16|torch SOUND
//
// SOUND: 600 s at 32 kHz, raw float32. Reads a command a line from standard input, answers each with a line:
//   network WIDTH FILE                  writes the folded weights of the network of random weights of that width
//   checkpoint WIDTH FILE               writes a checkpoint of random weights; answers its bytes and parameters
//   windows WORKLOAD FILE               writes its windows, raw float32: each a number of frames, then [frames, mels]
//   rows WIDTH WORKLOAD FILE            writes the rows of that workload, raw float32
//   run WIDTH WORKLOAD THREADS PARTS    runs it once: seconds, CPU seconds. PARTS: engine; workers, the engine
//                                       behind the batcher even on one thread; all, from samples to rows;
//                                       with_mel_avgs, the same with mel averages besides; frames
//   multiply_adds                       seconds and CPU seconds of a milliard of them on registers alone, on one thread
// Rows hold blocks 5, 11, 13 and 15, averaged over mels and time. One thread: an embedder, called directly. More: so
// many workers behind the server's batcher, and as many callers.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/machine.h"
#include "tests/bench/bench_clips.h"
#include "tests/bench/fma_peak.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/network_file.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr int64_t kBatchFrames = 4096;  // As the server's default.
constexpr std::chrono::milliseconds kPause(2);

double Seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

void OrDie(const absl::Status& status) {
  if (!status.ok()) OrDie(absl::StatusOr<int>(status));
}

void WriteFloats(const std::string& path, absl::Span<const float> values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

Readout BodyReadout() {
  Readout readout;
  for (const int block : {5, 11, 13, 15}) readout.features.Add(Block(block));
  return readout;
}

// What the configs NETWORK_all_b_mel_avgs answer.
Readout MelAveragesAndBodyReadout() {
  Readout readout = BodyReadout();
  readout.features.Add(Feature::kMelAvgs);
  return readout;
}

// As the server places its workers: to a CPU each where there are as many.
std::vector<int> CpusFor(int workers) {
  std::vector<int> cpus = ReadAffinity();
  if (cpus.size() != static_cast<size_t>(workers)) cpus.clear();
  return cpus;
}

class NoObserver : public BatchObserver {
 public:
  void OnBatch(int, int, int, int64_t, absl::Duration) override {}
  void OnPendingFrames(int64_t) override {}
  void OnDropped(absl::StatusCode) override {}
  void OnDeviceLost(const absl::Status&) override {}
};

// One network of one width, with an embedder for one thread and a batcher for each number of workers.
class Network {
 public:
  Network(std::unique_ptr<Backend> backend, double width)
      : weights_(MakeRandomNetwork(width, HeadKind::kMlp, 1)), backend_(std::move(backend)) {
    OrDie(backend_->AddNetwork(weights_, {}));
    embedder_ = OrDie(backend_->NewEmbedder());
  }

  const NetworkWeights& weights() const { return *weights_; }
  size_t RowSize(const Readout& readout) const {
    return static_cast<size_t>(ReadoutSize(weights_->shape, MelSettings().n_mels, readout));
  }

  void Embed(absl::Span<const WindowRequest> requests) { OrDie(embedder_->Embed(0, requests)); }
  Batcher* WithWorkers(int workers) {
    std::unique_ptr<Batcher>& batcher = batchers_[workers];
    if (batcher == nullptr) {
      BatcherOptions options;
      options.workers = workers;
      options.worker_cpus = CpusFor(workers);
      options.queue.max_batch_frames = kBatchFrames;
      options.queue.max_queued_frames = int64_t{1} << 30;
      options.queue.max_queue_time = absl::InfiniteDuration();
      batcher = OrDie(Batcher::Create(options, backend_.get(), &observer_));
    }
    return batcher.get();
  }

 private:
  const std::shared_ptr<const NetworkWeights> weights_;
  const std::unique_ptr<Backend> backend_;
  NoObserver observer_;
  std::unique_ptr<Embedder> embedder_;
  std::map<int, std::unique_ptr<Batcher>> batchers_;
};

// One clip's windows and rows.
struct Call {
  ClipWindows windows;
  std::vector<Readout> readouts;
  std::vector<float> rows;
  std::vector<WindowRequest> requests;

  Call(ClipWindows made, const Readout& readout, size_t row_size)
      : windows(std::move(made)), readouts{readout}, rows(windows.windows.size() * row_size) {
    for (size_t i = 0; i < windows.windows.size(); ++i) {
      requests.push_back({windows.windows[i], readouts, rows.data() + i * row_size});
    }
  }
};

std::vector<Call> MakeCalls(const BenchClips& clips, const Readout& readout, size_t row_size) {
  std::vector<Call> calls;
  for (const auto& clip : clips.clips) calls.emplace_back(MakeWindows(clips, clip), readout, row_size);
  return calls;
}

// All windows of all calls, in batches as the server cuts them.
void RunOnOneThread(absl::Span<Call> calls, Network* network) {
  std::vector<WindowRequest> batch;
  int64_t frames = 0;
  const auto run = [&] {
    network->Embed(batch);
    batch.clear();
    frames = 0;
  };
  for (const Call& call : calls) {
    for (const WindowRequest& request : call.requests) {
      if (frames + request.window.frame_count() > kBatchFrames) run();
      batch.push_back(request);
      frames += request.window.frame_count();
    }
  }
  if (!batch.empty()) run();
}

// calls: prepared ones, or empty to prepare them here.
void RunOnWorkers(const BenchClips& clips, absl::Span<Call> calls, int threads, Network* network) {
  Batcher* const batcher = network->WithWorkers(threads);
  Mutex mu;
  CondVar changed;
  size_t done = 0;
  std::vector<std::unique_ptr<Call>> made(clips.clips.size());
  std::atomic<size_t> next = 0;
  const auto submit = [&] {
    for (size_t i = next++; i < clips.clips.size(); i = next++) {
      const Call* call = calls.empty() ? nullptr : &calls[i];
      if (call == nullptr) {
        made[i] =
            std::make_unique<Call>(MakeWindows(clips, clips.clips[i]), BodyReadout(), network->RowSize(BodyReadout()));
        call = made[i].get();
      }
      auto work = std::make_shared<CallWork>();
      work->network = 0;
      work->deadline = SteadyTime::InfiniteFuture();
      work->requests = call->requests;
      work->done = [&](const absl::Status& status, const BatchTimes&) {
        OrDie(status);
        MutexLock lock(&mu);
        ++done;
        changed.SignalAll();
      };
      OrDie(batcher->Submit(std::move(work)));
    }
  };
  std::vector<std::thread> callers;
  for (int i = 1; i < threads && clips.clips.size() > 1; ++i) callers.emplace_back(submit);
  submit();
  for (std::thread& caller : callers) caller.join();
  MutexLock lock(&mu);
  while (done < clips.clips.size()) changed.WaitUntil(&mu, SteadyTime::InfiniteFuture());
}

std::string WriteCheckpoint(double width, const std::string& path) {
  const std::vector<NamedTensor> tensors = SeededTensors(width, HeadKind::kMlp);
  size_t parameters = 0;  // As usually counted: without the statistics of batch-norm.
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name.find(".running_") == std::string::npos && tensor.name.find(".num_batches") == std::string::npos) {
      parameters += tensor.values.size();
    }
  }
  const std::string bytes = WriteZip(CheckpointRecords(tensors));
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return std::to_string(bytes.size()) + " " + std::to_string(parameters);
}

void WriteWindows(const BenchClips& clips, const std::string& path) {
  std::vector<float> values;
  for (const auto& clip : clips.clips) {
    const ClipWindows windows = MakeWindows(clips, clip);
    for (const Window& window : windows.windows) {
      values.push_back(static_cast<float>(window.frame_count()));
      for (const Window::Run& run : window.runs) {
        values.insert(values.end(), run.frames, run.frames + int64_t{1} * run.frame_count * window.mels);
      }
    }
  }
  WriteFloats(path, values);
}

class Worker {
 public:
  Worker(std::string backend, std::vector<float> sound) : backend_(std::move(backend)), sound_(std::move(sound)) {}

  std::string Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command, width, workload, file;
    words >> command >> width;
    if (command == "network" || command == "checkpoint") {
      words >> file;
      if (command == "checkpoint") return WriteCheckpoint(std::stod(width), file);
      std::ofstream out(file, std::ios::binary);
      WriteNetwork(*MakeRandomNetwork(std::stod(width), HeadKind::kMlp, 1), out);
      return "ok";
    }
    if (command == "windows") {
      words >> file;
      WriteWindows(MakeBenchClips(width, sound_), file);
      return "ok";
    }
    if (command == "multiply_adds") return MultiplyAdds();
    words >> workload;
    if (command == "rows") {
      words >> file;
      std::vector<Call>& calls = Prepared(width, workload);
      RunOnOneThread(absl::MakeSpan(calls), &At(width));
      std::vector<float> rows;
      for (const Call& call : calls) rows.insert(rows.end(), call.rows.begin(), call.rows.end());
      WriteFloats(file, rows);
      return "ok";
    }
    int threads = 1;
    std::string parts;
    words >> threads >> parts;
    return Run(width, workload, threads, parts);
  }

 private:
  Network& At(const std::string& width) {
    std::unique_ptr<Network>& network = networks_[width];
    if (network == nullptr) {
      const char* const precision = backend_ == "native_bfloat16" ? "bfloat16" : "float32";
      network = std::make_unique<Network>(
          OrDie(backend_ == "torch" ? LoadTorchBackend({}) : MakeNativeBackend({.precision = precision})),
          std::stod(width));
    }
    return *network;
  }
  std::vector<Call>& Prepared(const std::string& width, const std::string& workload) {
    std::vector<Call>& calls = calls_[width + workload];
    if (calls.empty())
      calls = MakeCalls(MakeBenchClips(workload, sound_), BodyReadout(), At(width).RowSize(BodyReadout()));
    return calls;
  }
  static std::string MultiplyAdds() {
    std::this_thread::sleep_for(kPause);
    const double wall = Seconds(CLOCK_MONOTONIC), cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    const double milliards = 1e-9 * static_cast<double>(RunMultiplyAdditions(5'000'000));
    char answer[64];
    std::snprintf(answer, sizeof answer, "%.9f %.9f", (Seconds(CLOCK_MONOTONIC) - wall) / milliards,
                  (Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / milliards);
    return answer;
  }
  std::string Run(const std::string& width, const std::string& name, int threads, const std::string& parts) {
    const BenchClips clips = MakeBenchClips(name, sound_);
    Network& network = At(width);
    const bool with_batcher = threads > 1 || parts == "workers";
    std::vector<Call>* const prepared = parts == "engine" || parts == "workers" ? &Prepared(width, name) : nullptr;
    // Whoever wrote the command goes to sleep first: it would keep a CPU from the workers as they wake.
    std::this_thread::sleep_for(kPause);
    const double wall = Seconds(CLOCK_MONOTONIC), cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (parts == "frames") {
      for (const auto& clip : clips.clips) MakeWindows(clips, clip);
    } else if (!with_batcher) {
      std::vector<Call> made;
      const Readout readout = parts == "with_mel_avgs" ? MelAveragesAndBodyReadout() : BodyReadout();
      if (prepared == nullptr) made = MakeCalls(clips, readout, network.RowSize(readout));
      RunOnOneThread(absl::MakeSpan(prepared == nullptr ? made : *prepared), &network);
    } else {
      RunOnWorkers(clips, prepared == nullptr ? absl::Span<Call>() : absl::MakeSpan(*prepared), threads, &network);
    }
    char answer[64];
    std::snprintf(answer, sizeof answer, "%.9f %.9f", Seconds(CLOCK_MONOTONIC) - wall,
                  Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return answer;
  }

  const std::string backend_;
  const std::vector<float> sound_;
  std::map<std::string, std::unique_ptr<Network>> networks_;
  std::map<std::string, std::vector<Call>> calls_;
};

std::vector<float> ReadFloats(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<float> values(static_cast<size_t>(in.tellg()) / sizeof(float));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_worker native|native_bfloat16|torch SOUND\n");
    return 1;
  }
  hearwire::Worker worker(argv[1], hearwire::ReadFloats(argv[2]));
  for (std::string line; std::getline(std::cin, line);) std::cout << worker.Answer(line) << std::endl;
  return 0;
}
