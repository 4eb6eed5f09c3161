#include <fstream>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/checkpoint/checkpoint.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/network_file.h"
#include "tests/fixtures/npy.h"
#include "tests/gpu/probe/commands.h"

namespace hearwire {
namespace {

constexpr int kTimestampWindowSamples = 5120;

absl::Status Write(const std::string& path, const std::function<void(std::ostream& out)>& write) {
  std::ofstream out(path, std::ios::binary);
  write(out);
  out.close();
  if (!out) return absl::InternalError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

// `windows`: of one length.
absl::Status WriteToCheck(std::shared_ptr<const NetworkWeights> weights, absl::Span<const Window> windows,
                          const std::string& path) {
  Setting native;
  native.device = "native";
  absl::StatusOr<std::unique_ptr<Backend>> backend = MakeBackend(native);
  if (!backend.ok()) return backend.status();
  if (const auto added = (*backend)->AddNetwork(weights, {}); !added.ok()) return added.status();
  const auto embedder = (*backend)->NewEmbedder();
  if (!embedder.ok()) return embedder.status();

  const Readout readout = BodyReadout();
  const int mels = MelSettings().n_mels, count = static_cast<int>(windows.size());
  const int size = ReadoutSize(weights->shape, mels, readout);
  std::vector<float> rows(windows.size() * static_cast<size_t>(size)), frames;
  std::vector<WindowRequest> requests;
  for (size_t i = 0; i < windows.size(); ++i) {
    requests.push_back({windows[i], {&readout, 1}, &rows[i * static_cast<size_t>(size)]});
    for (const Window::Run& run : windows[i].runs) {
      frames.insert(frames.end(), run.frames, run.frames + int64_t{1} * run.frame_count * mels);
    }
  }
  if (absl::Status status = (*embedder)->Embed(0, requests); !status.ok()) return status;
  return Write(path, [&](std::ostream& out) {
    WriteNetwork(*weights, out);
    WriteTensor(out, "check.windows", {count, windows[0].frame_count(), mels}, frames);
    WriteTensor(out, "check.rows", {count, size}, rows);
  });
}

}  // namespace

absl::Status WriteCheckpoint(double width, const std::string& path) {
  return Write(path, [&](std::ostream& out) { out << SeededCheckpoint(width, HeadKind::kMlp); });
}

absl::Status WriteNetworkToCheck(double width, int frames, int windows, const std::string& path) {
  const auto weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
  const Work work = MakeRandomWork(*weights, frames, windows, BodyReadout());
  std::vector<Window> made;
  for (const WindowRequest& request : work.requests) made.push_back(request.window);
  return WriteToCheck(weights, made, path);
}

absl::Status WriteCheckpointToCheck(const std::string& checkpoint, const std::string& clip, const std::string& path) {
  const auto loaded = LoadCheckpoint(checkpoint);
  if (!loaded.ok()) return loaded.status();
  absl::StatusOr<NetworkWeights> weights = MakeNetworkWeights(*loaded, checkpoint);
  if (!weights.ok()) return weights.status();
  const absl::StatusOr<Array> samples = ReadNpy(clip);
  if (!samples.ok()) return samples.status();
  const absl::StatusOr<ClipWindows> windows =
      MakeTimestampWindows(samples->values, kTimestampWindowSamples, MelSettings());
  if (!windows.ok()) return windows.status();
  return WriteToCheck(std::make_shared<const NetworkWeights>(*std::move(weights)), windows->windows, path);
}

}  // namespace hearwire
