// The calls that a load is made of: which RPCs, on which configs, with which clips. Requests are written once, before
// the run, and only handed out during it.

#ifndef HEARWIRE_LOAD_WORKLOAD_H_
#define HEARWIRE_LOAD_WORKLOAD_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/replies.h"
#include "grpcpp/support/byte_buffer.h"
#include "load/clip_lengths.h"

namespace hearwire::load {

enum class CallKind { kScene, kTimestamps, kTags, kConfigs };

// A value of the mix, and how often it comes relative to the others.
template <typename Value>
struct Weighted {
  Value value;
  double weight = 1;
};

struct WorkloadOptions {
  std::vector<Weighted<CallKind>> kinds = {{CallKind::kScene, 1}};
  std::vector<Weighted<std::string>> configs = {{"", 1}};  // Empty: the server's default.
  ClipLengths lengths = *ClipLengths::Parse("1");
  std::vector<std::string> files = {};  // Audio files to send as they are, instead of clips of `lengths`.
  int clips_per_call = 1;
  int sample_rate_hz = 32000;  // Of clips of `lengths`: 16-bit noise.
  uint64_t seed = 1;
};

// One request, ready to send.
struct PreparedCall {
  std::string method;     // "GetSceneEmbeddings"
  std::string path;       // "/hearwire.v1.EmbeddingService/GetSceneEmbeddings"
  std::string config;     // As the server's metrics label it: the config, for tags the network, else empty.
  grpc::ByteBuffer body;  // Shared, not copied, by the calls that send it.
  int64_t bytes = 0;
  double audio_seconds = 0;  // As the clips' owner counts them: before resampling.
};

// Immutable: the same calls may be sent from several threads.
class Workload {
 public:
  // served: every config that the server knows, in ListConfigs' words. A config that it does not know or serve is asked
  // for all the same: the server's refusal is what the run then measures. INVALID_ARGUMENT, NOT_FOUND: a file that
  // cannot be read; RESOURCE_EXHAUSTED: the requests would take more than 1 GiB.
  static absl::StatusOr<Workload> Create(const WorkloadOptions& options, const std::vector<client::ConfigInfo>& served);

  // A call of the mix.
  const PreparedCall& Pick(std::mt19937_64& random) const;

  // Of all calls, weighted as the mix is.
  double MeanAudioSeconds() const;

  // In words, for reports.
  const std::string& description() const { return description_; }

 private:
  struct Part {
    double weight;
    std::vector<PreparedCall> calls;  // Equally likely.
  };

  std::vector<Part> parts_;
  double total_weight_ = 0;
  std::string description_;
};

// "scene", "timestamps", "tags", "configs".
const char* KindName(CallKind kind);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_WORKLOAD_H_
