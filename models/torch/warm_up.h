// What a worker runs before it serves.
//
// The first chunk of a kind takes longer than later ones: CUDA loads each kernel when it is first launched, cuBLAS
// takes its workspace, and LibTorch asks the device for memory. So the likeliest chunks are run beforehand, as many as
// there is time for. How long a chunk takes is the device's affair, so the time is bounded and not their number.

#ifndef HEARWIRE_MODELS_TORCH_WARM_UP_H_
#define HEARWIRE_MODELS_TORCH_WARM_UP_H_

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "models/chunks/chunk_shapes.h"
#include "models/chunks/slot.h"

namespace hearwire {

struct WarmUpChunk {
  int network;
  ChunkShape shape;

  friend bool operator==(const WarmUpChunk&, const WarmUpChunk&) = default;
};

// The likeliest chunks, in turns: of each network the likeliest first, then of each the next.
std::vector<WarmUpChunk> ChooseWarmUp(absl::Span<const ChunkNetwork> networks, const ChunkPolicy& policy);

// How long the workers of a backend may warm up, all of them together: it begins with the first of them. Workers warm
// up beside one another. Thread-safe.
class WarmUpTime {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  explicit WarmUpTime(absl::Duration limit, Clock now = std::chrono::steady_clock::now);

  absl::Duration limit() const { return limit_; }

  // A worker begins to warm up.
  void Begin();
  bool IsOver() const;
  // True once until Restart: for the worker that says what is left out.
  bool MaySay();
  // The workers from now on have the whole time again.
  void Restart();

 private:
  const absl::Duration limit_;
  const Clock now_;
  mutable std::mutex mu_;
  std::optional<std::chrono::steady_clock::time_point> begin_;
  bool said_ = false;
};

// Runs a chunk of zeros all the way through the network, on a free slot.
absl::Status RunZeros(Slot& slot, const ChunkNetwork& network, const WarmUpChunk& chunk);

// Runs the chunks with `run`, until `time` is over; the first one in any case. A chunk for which the device has too
// little memory is left out, as are those that are as large or larger. `warn`, which may be null, is called once for
// what lacks memory, and by one worker for what lacks time. RESOURCE_EXHAUSTED: not a single chunk ran. Other failures
// of `run` end it.
absl::Status WarmUp(absl::Span<const WarmUpChunk> chunks,
                    const std::function<absl::Status(const WarmUpChunk& chunk)>& run, WarmUpTime& time,
                    const std::function<void(const std::string& message)>& warn);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_WARM_UP_H_
