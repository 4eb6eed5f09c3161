// The configs that Hearwire serves, as data: the reference's 76 module names and the project's own default.
//
// A config is a named recipe: a network, the features to concatenate, a pooling and a timestamp window. A network is a
// checkpoint file with its head and mel settings. Both tables stand in config_table.cc, in the reference's order.

#ifndef HEARWIRE_MODELS_CONFIGS_CONFIG_H_
#define HEARWIRE_MODELS_CONFIGS_CONFIG_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "models/configs/feature.h"
#include "models/configs/network_shape.h"

namespace hearwire {

// What every network works at.
inline constexpr int kSampleRateHz = 32000;

// Every timestamp config has one embedding each 50 ms.
inline constexpr int kTimestampHopSamples = 1600;

// Scenes longer than this are embedded in windows of this length, kSceneHopSamples apart, and averaged.
inline constexpr int kSceneWindowSamples = 320000;
inline constexpr int kSceneHopSamples = 80000;

enum class HeadKind {
  kMlp,                 // Pool, linear, hardswish, linear.
  kFullyConvolutional,  // 1x1 convolution to the classes, batch-norm, pool.
};

struct MelSettings {
  int n_mels = 128;       // Bands between 0 and 15 kHz.
  int hop_samples = 320;  // From frame to frame.

  friend bool operator==(const MelSettings&, const MelSettings&) = default;
};

struct NetworkInfo {
  std::string_view name;  // "mn10_as"
  double width;           // 1.0
  HeadKind head;
  MelSettings mel;
  std::string_view published_file;  // "mn10_as_mAP_471.pt"; empty for the project's own network.
  std::string_view sha256;          // Of the checkpoint file, lower-case hexadecimal, where it is known, else empty.
  // Of its classes, in the order of its logits; empty: AudioSet's.
  absl::Span<const std::string_view> labels = {};

  // The same, but never empty.
  absl::Span<const std::string_view> class_names() const;
  int class_count() const { return static_cast<int>(class_names().size()); }
  NetworkShape shape() const { return MakeNetworkShape(width, class_count()); }
};

struct Config {
  std::string_view name;  // "mn10_all_b_mel_avgs"
  const NetworkInfo* network;
  Readout readout;  // Features and pooling.
  int timestamp_window_samples;

  // Values of one embedding, of a scene and of a timestamp alike except for poolings that keep the mel axis, whose size
  // does not depend on the window either.
  int embedding_size() const;
  // The shortest clips that can be embedded, in samples: one more than the padding by reflection needs.
  int min_scene_samples() const;      // 514: the STFT reflects 512 samples of the pre-emphasised clip.
  int min_timestamp_samples() const;  // Half a window and one.
};

// All configs, in the reference's order, the project's own default last. Pointers into it stay valid for ever.
absl::Span<const Config> Configs();
absl::Span<const NetworkInfo> Networks();

// Null when there is no such name.
const Config* FindConfig(std::string_view name);
const NetworkInfo* FindNetwork(std::string_view name);

// The project's own small network, embedded in the program, and its config.
inline constexpr std::string_view kEmbeddedNetworkName = "hearwire_mn01";
inline constexpr std::string_view kEmbeddedConfigName = "hearwire_mn01_all_b_mel_avgs";

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_CONFIG_H_
