// What hearwire-server can be told, and what it takes from the machine where it is not told.

#ifndef HEARWIRE_SERVER_OPTIONS_H_
#define HEARWIRE_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "models/configs/config.h"
#include "server/machine.h"
#include "server/telemetry/log.h"

namespace hearwire {

enum class DeviceChoice { kAuto, kCpu, kCuda };
enum class BackendChoice { kAuto, kNative, kTorch, kCuda };
enum class Precision { kAuto, kFloat32, kFloat16, kBfloat16 };
enum class PinWorkers { kAuto, kOff };
enum class HeadMismatch { kRefuse, kWarn };
enum class PlaintextTokens { kRefuse, kAllow };
enum class HealthAccess { kOpen, kToken };
enum class Reflection { kAuto, kOn, kOff };

// The frames of the self-test's longest window: a shorter queue could not start.
inline constexpr int64_t kLeastQueuedFrames = 100;

// Each field is the flag of its name (max_batch_frames: --max-batch-frames). 0 where it says so: taken from the
// machine.
struct ServerOptions {
  std::string model_repository;       // Folder of checkpoints. Empty: only the embedded network.
  std::vector<std::string> networks;  // To load from it. Empty: every checkpoint that is found.
  std::string default_config = std::string(kEmbeddedConfigName);
  std::string heads;                                   // Folder of heads. Empty: none.
  HeadMismatch head_mismatch = HeadMismatch::kRefuse;  // Of a head trained in another embedding space.

  DeviceChoice device = DeviceChoice::kAuto;  // kAuto: CUDA when the backend and a driver are there.
  BackendChoice backend =
      BackendChoice::kAuto;  // kAuto: native on the CPU; on CUDA the backend cuda, for float16 torch.
  // kFloat16: the torch backend on CUDA only; kBfloat16: the native backend only, on a CPU that has it; kAuto:
  // kBfloat16 where that is so and nothing else runs networks, else kFloat32.
  Precision precision = Precision::kFloat32;
  int workers = 0;  // 0: the usable CPUs; on CUDA 2, whatever is said here unless device is kCuda.
  PinWorkers pin_workers = PinWorkers::kAuto;  // kAuto: to a CPU each, where there are as many as CPUs.
  int64_t max_batch_frames = 0;                // 0: 4096 on the CPU, 32768 on CUDA.
  absl::Duration max_queue_delay = absl::Milliseconds(5);
  absl::Duration max_queue_time = absl::Seconds(1);
  absl::Duration batch_timeout = absl::Minutes(1);  // A batch that runs for longer ends the server. Zero: none does.
  int64_t max_queued_frames = 0;                    // 0: what a quarter of the memory holds.

  std::string host = "127.0.0.1";
  int grpc_port = 8001;  // 0: a free one.
  int metrics_port = 8002;
  std::string unix_socket;      // Listened on too, without TLS. Empty: none.
  int unix_socket_mode = 0600;  // Of that file: who may connect.

  int64_t max_connections = 0;                                 // 0: what half of the descriptors are for.
  int64_t max_connections_per_address = 0;                     // 0: a quarter of max_connections.
  absl::Duration connection_idle_timeout = absl::Minutes(10);  // Of connections without calls. Zero: never.
  absl::Duration max_connection_age = absl::ZeroDuration();    // Zero: for ever.
  absl::Duration connection_age_grace = absl::Seconds(30);     // From then on: for calls that are there.
  absl::Duration request_timeout = absl::Seconds(60);          // Of requests that begin and do not arrive. Zero: never.

  std::string tls_cert;       // PEM. Empty: no TLS.
  std::string tls_key;        // Of tls_cert.
  std::string tls_client_ca;  // Who may sign clients' certificates. Empty: clients need none.
  std::string tokens_file;    // Who may call. Empty: no token is asked for.
  PlaintextTokens plaintext_tokens = PlaintextTokens::kRefuse;  // Tokens without TLS, beyond this machine.
  HealthAccess health_access = HealthAccess::kOpen;             // Where tokens are asked for.
  Reflection reflection = Reflection::kAuto;                    // kAuto: on where no tokens are asked for.

  // What each caller may take in a minute whose token says nothing else. 0: as much as it likes.
  int64_t caller_calls_per_minute = 0;
  int64_t caller_bytes_per_minute = 0;
  int64_t caller_audio_seconds_per_minute = 0;
  std::vector<std::string> trusted_proxies;         // Addresses from which caller_header is believed.
  std::string caller_header = "x-hearwire-caller";  // Metadata that names the caller.

  int64_t max_message_bytes = 64 << 20;  // Of a request.
  int64_t max_reply_bytes = 64 << 20;
  absl::Duration max_decoded = absl::Minutes(60);  // --max-decoded-seconds: of one clip.
  absl::Duration max_deadline = absl::Minutes(5);
  int max_clips = 256;                                        // In one call.
  int max_streams = 256;                                      // Open at a time.
  int max_streams_per_caller = 0;                             // Likewise. 0: half of max_streams.
  int64_t max_piece_bytes = 1 << 20;                          // Of a stream's audio.
  absl::Duration stream_idle_timeout = absl::Seconds(60);     // Of a client that sends no audio or does not read.
  absl::Duration max_stream_duration = absl::ZeroDuration();  // Zero: for ever.

  absl::Duration lame_duck = absl::Seconds(2);       // From SIGTERM on: NOT_SERVING, but calls are taken.
  absl::Duration drain_deadline = absl::Seconds(7);  // From then on: for calls in flight to finish.

  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;
  std::string access_log;                       // File of a line for each call. "-": standard output. Empty: none.
  absl::Duration slow_call = absl::Seconds(5);  // Zero: none is noted.
};

// Bounds that have no flag: they follow from the machine and the options.
struct Capacity {
  int preparation_threads = 1;        // Decode and make spectrograms.
  int64_t message_memory_bytes = 0;   // gRPC's buffers of all connections.
  int64_t pipeline_memory_bytes = 0;  // Requests, spectrograms and rows of all calls.
};

// Whether a backend's device is a GPU: "cuda" or "cuda:0", not "cpu".
bool IsCuda(std::string_view device);

// Frames of a full batch on that device: what the options say, else the device's own default.
int64_t MaxBatchFrames(const ServerOptions& options, std::string_view device);

// Streams that a caller may have open who has no limit of its own: what the options say, else half of all, so that one
// caller leaves others room.
int MaxStreamsPerCaller(const ServerOptions& options);

// Fills the fields that are 0 for "from the machine", and sets pin_workers to kOff where it does not apply. device:
// what the backend runs on, "cpu" or "cuda:0".
void FillFromMachine(const Machine& machine, const std::string& device, ServerOptions* options);

Capacity DeriveCapacity(const Machine& machine, const ServerOptions& options);

// BatcherOptions::worker_cpus. options: filled.
//
// Left to itself, Linux lets a worker that another one wakes wait on that one's CPU for milliseconds while a CPU beside
// it is idle: under KVM an idle virtual CPU does not count as available.
std::vector<int> WorkerCpus(const Machine& machine, const ServerOptions& options);

// Every option under its flag's name, for the start-up log.
std::vector<LogField> DescribeOptions(const ServerOptions& options);

std::string_view ToText(DeviceChoice device);
std::string_view ToText(BackendChoice backend);
std::string_view ToText(Precision precision);
std::string_view ToText(PinWorkers pin);
std::string_view ToText(HeadMismatch mismatch);
std::string_view ToText(PlaintextTokens tokens);
std::string_view ToText(HealthAccess access);
std::string_view ToText(Reflection reflection);
// Whether the server answers reflection: where it is left to itself, not beside tokens, for it asks for none.
bool Reflects(const ServerOptions& options);
std::string_view ToText(LogFormat format);
std::string_view ToText(LogLevel level);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPTIONS_H_
