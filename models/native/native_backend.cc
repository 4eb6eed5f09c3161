#include "models/native/native_backend.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/native/bfloat16.h"
#include "models/native/forward_pass.h"
#include "models/native/kernels.h"
#include "models/native/packed_network.h"

namespace hearwire {
namespace {

// The networks that there are. Whoever runs one holds it meanwhile. Thread-safe.
class NetworkTable {
 public:
  int Add(std::shared_ptr<const PackedNetwork> network) {
    const std::lock_guard lock(mu_);
    const auto free = std::find(networks_.begin(), networks_.end(), nullptr);
    const auto index = static_cast<int>(free - networks_.begin());
    free == networks_.end() ? networks_.push_back(std::move(network)) : free->swap(network);
    return index;
  }
  void Remove(int index) {
    std::shared_ptr<const PackedNetwork> removed;  // Ends without the lock.
    const std::lock_guard lock(mu_);
    if (IsKnown(index)) removed = std::move(networks_[static_cast<size_t>(index)]);
  }
  // Null: there is none.
  std::shared_ptr<const PackedNetwork> Get(int index) const {
    const std::lock_guard lock(mu_);
    return IsKnown(index) ? networks_[static_cast<size_t>(index)] : nullptr;
  }

 private:
  bool IsKnown(int index) const { return index >= 0 && static_cast<size_t>(index) < networks_.size(); }

  mutable std::mutex mu_;
  std::vector<std::shared_ptr<const PackedNetwork>> networks_;  // By index; null: it is free.
};

class NativeEmbedder final : public Embedder {
 public:
  // networks: outlives this.
  NativeEmbedder(const Kernels& kernels, const NetworkTable& networks)
      : kernels_(kernels), networks_(networks), workspace_(kernels) {}

  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override {
    try {
      return Run(network, batch);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(absl::StrCat("there is too little memory for ", batch.size(), " windows"));
    }
  }

 private:
  absl::Status Run(int network, absl::Span<const WindowRequest> batch) {
    const std::shared_ptr<const PackedNetwork> packed = networks_.Get(network);
    if (packed == nullptr) return absl::InternalError(absl::StrCat("there is no network ", network));
    ForwardPass& pass = PassOf(network, packed);
    order_.clear();
    for (const WindowRequest& request : batch) {
      if (request.window.mels != packed->mel.n_mels || request.window.frame_count() < 1) {
        return absl::InternalError(absl::StrCat("a window has ", request.window.frame_count(), " frames of ",
                                                request.window.mels, " mels; the network takes frames of ",
                                                packed->mel.n_mels));
      }
      if (request.readouts.empty()) return absl::InternalError("a window has no readout");
      order_.emplace_back(request);
    }
    std::sort(order_.begin(), order_.end(), [](const PassWindow& a, const PassWindow& b) {
      return std::tuple(a.frames, -a.depth) < std::tuple(b.frames, -b.depth);
    });
    for (size_t first = 0, end = 0; first < order_.size(); first = end) {
      while (end < order_.size() && order_[end].frames == order_[first].frames) ++end;
      pass.Run(absl::MakeConstSpan(order_).subspan(first, end - first));
    }
    return absl::OkStatus();
  }

  // Of a network that was there once. Kept from batch to batch, without keeping the network.
  struct Pass {
    std::weak_ptr<const PackedNetwork> network;
    std::optional<ForwardPass> pass;
  };

  ForwardPass& PassOf(int index, const std::shared_ptr<const PackedNetwork>& network) {
    const auto place = static_cast<size_t>(index);
    if (place >= passes_.size()) passes_.resize(place + 1);
    Pass& kept = passes_[place];
    // Another one may have the index by now, at the same address even.
    if (kept.network.lock() != network) {
      kept.pass.emplace(kernels_, *network, workspace_);
      kept.network = network;
    }
    return *kept.pass;
  }

  const Kernels kernels_;
  const NetworkTable& networks_;
  ForwardWorkspace workspace_;
  std::deque<Pass> passes_;        // By index.
  std::vector<PassWindow> order_;  // By length, then the deepest first.
};

class NativeBackend final : public Backend {
 public:
  NativeBackend(const Kernels& kernels, ProductPrecision precision) : kernels_(kernels), precision_(precision) {}

  std::string name() const override { return "native"; }
  std::string device() const override { return "cpu"; }
  std::string precision() const override { return precision_ == ProductPrecision::kBfloat16 ? "bfloat16" : "float32"; }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    return networks_.Add(std::make_shared<const PackedNetwork>(PackNetwork(*weights, mel, kernels_, precision_)));
  }
  bool networks_may_come_later() const override { return true; }
  void RemoveNetwork(int network) override { networks_.Remove(network); }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    return std::make_unique<NativeEmbedder>(kernels_, networks_);
  }

 private:
  const Kernels kernels_;
  const ProductPrecision precision_;
  NetworkTable networks_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeNativeBackend(const NativeOptions& options) {
  const Kernels kernels = options.plain_kernels ? PlainKernels() : BestKernels();
  if (options.precision == "float32") return std::make_unique<NativeBackend>(kernels, ProductPrecision::kFloat32);
  if (options.precision != "bfloat16") {
    return absl::InvalidArgumentError(
        absl::StrCat("precision \"", options.precision, "\": the backend native has float32 and bfloat16"));
  }
  if (!RunsBfloat16(kernels)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "precision \"bfloat16\" needs a processor with AVX512-BF16; the kernels here are ", kernels.instruction_set));
  }
  return std::make_unique<NativeBackend>(kernels, ProductPrecision::kBfloat16);
}

bool NativeHasBfloat16() { return RunsBfloat16(BestKernels()); }

std::string NativeInstructionSet() { return BestKernels().instruction_set; }

bool NativeInstructionSetIsSlow() {
#if defined(__x86_64__)
  return BestKernels().lanes < 8;
#else
  return false;
#endif
}

}  // namespace hearwire
