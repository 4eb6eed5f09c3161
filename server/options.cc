#include "server/options.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "server/listening/connection_limits.h"
#include "server/parse_values.h"

namespace hearwire {
namespace {

constexpr int64_t kAssumedMemoryBytes = int64_t{1} << 30;  // Where the machine does not say.

// A share for gRPC's messages, one for the pipeline, the rest for weights, workspaces and the system.
constexpr int64_t kShareOfMemory = 4;

// A waiting frame's values, its window's edges and its part of the rows, rounded up.
constexpr int64_t kBytesPerQueuedFrame = 2048;

// Workers on CUDA: one prepares and reads a batch while the other's runs.
constexpr int kCudaWorkers = 2;

// On the CPU larger batches bring no speed, only longer waits. A GPU is idle in part when few frames run at once.
constexpr int64_t kCpuBatchFrames = 4096;
constexpr int64_t kCudaBatchFrames = 32768;

int64_t QuarterOfMemory(const Machine& machine) {
  return (machine.memory_bytes > 0 ? machine.memory_bytes : kAssumedMemoryBytes) / kShareOfMemory;
}

}  // namespace

bool IsCuda(std::string_view device) { return device.substr(0, 4) == "cuda"; }

int64_t MaxBatchFrames(const ServerOptions& options, std::string_view device) {
  if (options.max_batch_frames > 0) return options.max_batch_frames;
  return IsCuda(device) ? kCudaBatchFrames : kCpuBatchFrames;
}

int MaxStreamsPerCaller(const ServerOptions& options) {
  return options.max_streams_per_caller > 0 ? options.max_streams_per_caller : std::max(options.max_streams / 2, 1);
}

void FillFromMachine(const Machine& machine, const std::string& device, ServerOptions* options) {
  const bool on_cpu = !IsCuda(device);
  options->max_batch_frames = MaxBatchFrames(*options, device);
  // Where nobody asked for CUDA, what was said of workers is meant for the CPU.
  if (!on_cpu && options->device != DeviceChoice::kCuda) options->workers = kCudaWorkers;
  if (options->workers == 0) options->workers = on_cpu ? machine.cpus : kCudaWorkers;
  // Under a quota others use the CPUs too, and fewer workers than CPUs are better moved about.
  const auto workers = static_cast<size_t>(options->workers);
  if (!on_cpu || workers != machine.affinity.size() || machine.cpus != options->workers) {
    options->pin_workers = PinWorkers::kOff;
  }
  if (options->max_queued_frames == 0) {
    options->max_queued_frames =
        std::clamp<int64_t>(QuarterOfMemory(machine) / kBytesPerQueuedFrame, int64_t{1} << 16, int64_t{1} << 23);
  }
  if (options->max_connections == 0) options->max_connections = ConnectionsFor(machine.descriptors);
  if (options->max_connections_per_address == 0) {
    options->max_connections_per_address = ConnectionsPerAddressFor(options->max_connections);
  }
}

Capacity DeriveCapacity(const Machine& machine, const ServerOptions& options) {
  Capacity capacity;
  capacity.preparation_threads = machine.cpus;
  // Two of the largest messages at least: one comes in while the other is answered.
  capacity.message_memory_bytes =
      std::max(QuarterOfMemory(machine), 2 * std::max(options.max_message_bytes, options.max_reply_bytes));
  capacity.pipeline_memory_bytes = QuarterOfMemory(machine);
  return capacity;
}

std::vector<int> WorkerCpus(const Machine& machine, const ServerOptions& options) {
  return options.pin_workers == PinWorkers::kAuto ? machine.affinity : std::vector<int>();
}

std::vector<LogField> DescribeOptions(const ServerOptions& options) {
  const auto text = [](absl::Duration duration) { return absl::FormatDuration(duration); };
  return {
      {"model-repository", options.model_repository},
      {"networks", absl::StrJoin(options.networks, ",")},
      {"default-config", options.default_config},
      {"heads", options.heads},
      {"head-mismatch", ToText(options.head_mismatch)},
      {"device", ToText(options.device)},
      {"backend", ToText(options.backend)},
      {"precision", ToText(options.precision)},
      {"workers", options.workers},
      {"pin-workers", ToText(options.pin_workers)},
      {"max-batch-frames", options.max_batch_frames},
      {"max-queue-delay", text(options.max_queue_delay)},
      {"max-queue-time", text(options.max_queue_time)},
      {"batch-timeout", text(options.batch_timeout)},
      {"max-queued-frames", options.max_queued_frames},
      {"host", options.host},
      {"grpc-port", options.grpc_port},
      {"metrics-port", options.metrics_port},
      {"unix-socket", options.unix_socket},
      {"unix-socket-mode", FormatMode(options.unix_socket_mode)},
      {"max-connections", options.max_connections},
      {"max-connections-per-address", options.max_connections_per_address},
      {"connection-idle-timeout", text(options.connection_idle_timeout)},
      {"max-connection-age", text(options.max_connection_age)},
      {"connection-age-grace", text(options.connection_age_grace)},
      {"request-timeout", text(options.request_timeout)},
      {"tls-cert", options.tls_cert},
      {"tls-key", options.tls_key},
      {"tls-client-ca", options.tls_client_ca},
      {"tokens-file", options.tokens_file},
      {"plaintext-tokens", ToText(options.plaintext_tokens)},
      {"health-access", ToText(options.health_access)},
      {"reflection", ToText(options.reflection)},
      {"caller-calls-per-minute", options.caller_calls_per_minute},
      {"caller-bytes-per-minute", options.caller_bytes_per_minute},
      {"caller-audio-seconds-per-minute", options.caller_audio_seconds_per_minute},
      {"trusted-proxies", absl::StrJoin(options.trusted_proxies, ",")},
      {"caller-header", options.caller_header},
      {"max-message-bytes", options.max_message_bytes},
      {"max-reply-bytes", options.max_reply_bytes},
      {"max-decoded-seconds", absl::ToDoubleSeconds(options.max_decoded)},
      {"max-deadline", text(options.max_deadline)},
      {"max-clips", options.max_clips},
      {"max-streams", options.max_streams},
      {"max-streams-per-caller", MaxStreamsPerCaller(options)},
      {"max-piece-bytes", options.max_piece_bytes},
      {"stream-idle-timeout", text(options.stream_idle_timeout)},
      {"max-stream-duration", text(options.max_stream_duration)},
      {"lame-duck", text(options.lame_duck)},
      {"drain-deadline", text(options.drain_deadline)},
      {"log-format", ToText(options.log_format)},
      {"log-level", ToText(options.log_level)},
      {"access-log", options.access_log},
      {"slow-call", text(options.slow_call)},
  };
}

std::string_view ToText(DeviceChoice device) {
  switch (device) {
    case DeviceChoice::kAuto:
      return "auto";
    case DeviceChoice::kCpu:
      return "cpu";
    case DeviceChoice::kCuda:
      return "cuda";
  }
  return "";
}

std::string_view ToText(BackendChoice backend) {
  switch (backend) {
    case BackendChoice::kAuto:
      return "auto";
    case BackendChoice::kNative:
      return "native";
    case BackendChoice::kTorch:
      return "torch";
    case BackendChoice::kCuda:
      return "cuda";
  }
  return "";
}

std::string_view ToText(Precision precision) {
  switch (precision) {
    case Precision::kAuto:
      return "auto";
    case Precision::kFloat32:
      return "float32";
    case Precision::kFloat16:
      return "float16";
    case Precision::kBfloat16:
      return "bfloat16";
  }
  return "";
}

std::string_view ToText(PinWorkers pin) { return pin == PinWorkers::kAuto ? "auto" : "off"; }

std::string_view ToText(HeadMismatch mismatch) { return mismatch == HeadMismatch::kRefuse ? "refuse" : "warn"; }

std::string_view ToText(PlaintextTokens tokens) { return tokens == PlaintextTokens::kRefuse ? "refuse" : "allow"; }

std::string_view ToText(HealthAccess access) { return access == HealthAccess::kOpen ? "open" : "token"; }

std::string_view ToText(Reflection reflection) {
  switch (reflection) {
    case Reflection::kAuto:
      return "auto";
    case Reflection::kOn:
      return "on";
    case Reflection::kOff:
      return "off";
  }
  return "";
}

bool Reflects(const ServerOptions& options) {
  if (options.reflection == Reflection::kAuto) return options.tokens_file.empty();
  return options.reflection == Reflection::kOn;
}

std::string_view ToText(LogFormat format) { return format == LogFormat::kText ? "text" : "json"; }

std::string_view ToText(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

}  // namespace hearwire
