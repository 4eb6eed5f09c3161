#include "models/native/native_backend.h"

#include <algorithm>
#include <new>
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

class NativeEmbedder final : public Embedder {
 public:
  NativeEmbedder(const Kernels& kernels, const std::vector<std::unique_ptr<const PackedNetwork>>& networks)
      : workspace_(kernels) {
    for (const auto& network : networks) {
      networks_.push_back({network.get(), ForwardPass(kernels, *network, workspace_)});
    }
  }

  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override {
    try {
      return Run(network, batch);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(absl::StrCat("there is too little memory for ", batch.size(), " windows"));
    }
  }

 private:
  absl::Status Run(int network, absl::Span<const WindowRequest> batch) {
    if (network < 0 || static_cast<size_t>(network) >= networks_.size()) {
      return absl::InternalError(absl::StrCat("there is no network ", network, " of ", networks_.size()));
    }
    auto& [packed, pass] = networks_[static_cast<size_t>(network)];
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

  struct Network {
    const PackedNetwork* packed;
    ForwardPass pass;
  };
  ForwardWorkspace workspace_;
  std::vector<Network> networks_;
  std::vector<PassWindow> order_;  // By length, then the deepest first.
};

class NativeBackend final : public Backend {
 public:
  NativeBackend(const Kernels& kernels, ProductPrecision precision) : kernels_(kernels), precision_(precision) {}

  std::string name() const override { return "native"; }
  std::string device() const override { return "cpu"; }
  std::string precision() const override { return precision_ == ProductPrecision::kBfloat16 ? "bfloat16" : "float32"; }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    networks_.push_back(std::make_unique<const PackedNetwork>(PackNetwork(*weights, mel, kernels_, precision_)));
    return static_cast<int>(networks_.size()) - 1;
  }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    return std::make_unique<NativeEmbedder>(kernels_, networks_);
  }

 private:
  const Kernels kernels_;
  const ProductPrecision precision_;
  std::vector<std::unique_ptr<const PackedNetwork>> networks_;
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
