// Hearwire's Prometheus metrics. Methods are events. Of every method and loaded config the counter of OK exists at zero
// as soon as it is loaded, and with its first call those of the other usual codes and its histogram: a server of all
// configs would have thousands of zeros else. Unknown configs share the label "unknown".

#ifndef HEARWIRE_SERVER_TELEMETRY_METRICS_H_
#define HEARWIRE_SERVER_TELEMETRY_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace prometheus {
class Registry;
}

namespace hearwire {

// The label `config` of Classify calls whose heads are of several networks.
inline constexpr std::string_view kSeveralNetworks = "several";

struct MetricsOptions {
  std::vector<std::string> configs;   // Loaded ones, each a value of the label `config`.
  std::vector<std::string> networks;  // Loaded ones; GetTags and Classify calls are labelled with them.
  // Those that may be loaded later, too.
  std::vector<std::string> known_configs = {};
  std::vector<std::string> known_networks = {};
  std::vector<std::string> refusals;  // What OnRejected may be told: the values of the label `reason`.
  std::string version;                // For hearwire_build_info.
  int max_callers = 100;
};

// What runs a network.
struct PlacedNetwork {
  std::string network;
  std::string backend;
  std::string device;
  std::string precision;
};

// Thread-safe.
class Metrics {
 public:
  // Registers every family in `registry`.
  static std::unique_ptr<Metrics> Create(const MetricsOptions& options, std::shared_ptr<prometheus::Registry> registry);
  virtual ~Metrics() = default;

  // The server knows what runs its networks: _build_info{version,backend,device,precision} of each backend that does,
  // _network_info{network,backend,device,precision} of each network. Again when that has changed: networks that are not
  // there any more have none.
  virtual void OnPlaced(const std::vector<PlacedNetwork>& networks) = 0;
  // These are loaded from now on. Not while another thread calls this.
  virtual void OnLoaded(const std::vector<std::string>& configs, const std::vector<std::string>& networks) = 0;
  // Files were read again, and taken or not: _reloads_total{result}; "ok" or "refused".
  virtual void OnReload(bool ok) = 0;
  // A call has been answered: hearwire_requests_total{method,config,code}, _request_duration_seconds{method,config}.
  // method: "GetSceneEmbeddings", …; config: the config's or network's name.
  virtual void OnCall(std::string_view method, std::string_view config, absl::StatusCode code,
                      absl::Duration total) = 0;
  // A call's rows came out of the batcher: _queue_duration_seconds, _inference_duration_seconds.
  virtual void OnRows(absl::Duration queued, absl::Duration inference) = 0;
  // A batch ran: _batch_windows, _batch_calls (calls that share it), _batch_frames.
  virtual void OnBatch(int windows, int calls, int64_t frames) = 0;
  virtual void OnPendingFrames(int64_t frames) = 0;
  // What calls hold that have been let in and whose replies have not left: _calls_in_flight, _reserved_bytes.
  virtual void OnHeld(int64_t calls, int64_t bytes) = 0;
  // So many streams are open: _open_streams.
  virtual void OnStreams(int64_t open) = 0;
  // A call was refused: _rejected_total{reason}; reason is an ErrorInfo reason such as "QUEUE_FULL".
  virtual void OnRejected(std::string_view reason) = 0;
  // A call was given up because its caller had gone or its deadline had passed: _cancelled_total{stage}; stage is
  // "decode", "queue" or "inference".
  virtual void OnCancelled(std::string_view stage) = 0;
  // Decoded audio of calls that were answered: _audio_seconds_total.
  virtual void OnAudio(absl::Duration audio) = 0;
  // A call has ended, of a caller: _caller_calls_total{caller}, _caller_audio_seconds_total, _caller_cpu_seconds_total.
  // The first MetricsOptions::max_callers named callers have labels of their own, and the first so many of those that
  // only have an address; later ones share "other".
  virtual void OnCaller(std::string_view caller, bool is_named, absl::Duration audio, absl::Duration cpu) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_METRICS_H_
