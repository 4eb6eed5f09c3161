// Features that start with mel_avgs start with the spectrogram's mean over time: what the front end can be held against
// without a network.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "tests/fixtures/npy.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire {
namespace {

constexpr double kTolerance = 1e-5;

struct GoldenConfig {
  std::string name;
  MelSettings mel;
  int window_samples = 0;
};

std::vector<GoldenConfig> ConfigsWithMelAverages() {
  std::vector<GoldenConfig> configs;
  std::ifstream csv(SharedDataDir() + "/golden/configs.csv");
  std::string line;
  std::getline(csv, line);
  while (std::getline(csv, line)) {
    std::istringstream cells(line);
    std::vector<std::string> cell;
    for (std::string value; std::getline(cells, value, ',');) cell.push_back(value);
    if (cell.at(4).rfind("mel_avgs", 0) != 0) continue;
    configs.push_back({cell[0], {std::stoi(cell[6]), std::stoi(cell[7])}, std::stoi(cell[8]) * kSampleRateHz / 1000});
  }
  return configs;
}

// [windows, mels]
std::vector<std::vector<double>> Means(const ClipWindows& windows) {
  std::vector<std::vector<double>> means;
  for (const Window& window : windows.windows) {
    std::vector<double>& mean = means.emplace_back(window.mels);
    for (const Window::Run& run : window.runs) {
      for (int i = 0; i < run.frame_count * window.mels; ++i) mean[i % window.mels] += run.frames[i];
    }
    for (double& value : mean) value /= window.frame_count();
  }
  return means;
}

double LargestError(const std::vector<double>& mean, const float* golden) {
  double largest = 0;
  for (size_t i = 0; i < mean.size(); ++i) largest = std::max(largest, std::abs(mean[i] - golden[i]));
  return largest;
}

TEST(LogMelGoldenTest, MeansAreTheReferences) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  const std::string dir = SharedDataDir() + "/golden/";
  int scenes = 0, timestamps = 0;
  double largest = 0;
  for (const GoldenConfig& config : ConfigsWithMelAverages()) {
    for (const auto& audio : std::filesystem::directory_iterator(dir + "audio")) {
      const absl::StatusOr<Array> clip = ReadNpy(audio.path());
      ASSERT_TRUE(clip.ok()) << clip.status();
      const std::string golden = dir + config.name + "/" + audio.path().stem().string();
      if (const absl::StatusOr<Array> expected = ReadNpy(golden + ".scene.npy"); expected.ok()) {
        const absl::StatusOr<ClipWindows> windows = MakeSceneWindows(clip->values, config.mel);
        ASSERT_TRUE(windows.ok()) << windows.status();
        std::vector<double> mean(config.mel.n_mels);
        for (const std::vector<double>& row : Means(*windows)) {
          for (size_t i = 0; i < row.size(); ++i) mean[i] += row[i] / static_cast<double>(windows->windows.size());
        }
        const double error = LargestError(mean, expected->values.data());
        EXPECT_LT(error, kTolerance) << golden << ".scene.npy";
        largest = std::max(largest, error);
        ++scenes;
      }
      if (const absl::StatusOr<Array> expected = ReadNpy(golden + ".ts.npy"); expected.ok()) {
        const absl::StatusOr<ClipWindows> windows =
            MakeTimestampWindows(clip->values, config.window_samples, config.mel);
        ASSERT_TRUE(windows.ok()) << windows.status();
        const std::vector<std::vector<double>> means = Means(*windows);
        ASSERT_EQ(means.size(), expected->shape[0]) << golden;
        for (size_t row = 0; row < means.size(); ++row) {
          const double error = LargestError(means[row], expected->values.data() + row * expected->shape[1]);
          EXPECT_LT(error, kTolerance) << golden << ".ts.npy, row " << row;
          largest = std::max(largest, error);
        }
        ++timestamps;
      }
    }
  }
  EXPECT_GT(scenes, 50);
  EXPECT_GT(timestamps, 50);
  RecordProperty("largest_error", std::to_string(largest));
  std::cout << scenes << " scenes and " << timestamps << " timestamp runs, largest error " << largest << "\n";
}

}  // namespace
}  // namespace hearwire
