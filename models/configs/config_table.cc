#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "models/configs/audioset.h"
#include "models/configs/config.h"
#include "models/configs/network_shape.h"

namespace hearwire {
namespace {

using enum HeadKind;
using enum Pooling;

constexpr std::string_view kMn04AsSha256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c";
constexpr std::string_view kHearwireMn01Sha256 = "1e8aa5b334f90e26ef4350a7ccb3c70e005ad87c17d049c5c239f60e174dc28a";

// clang-format off
constexpr NetworkInfo kNetworks[] = {
    // Name, width, head, {mel bands, hop in samples}, published file, SHA-256 where it is known.
    {"mn01_as",            0.1, kMlp,                {128, 320}, "mn01_as_mAP_298.pt",         ""},
    {"mn02_as",            0.2, kMlp,                {128, 320}, "mn02_as_mAP_378.pt",         ""},
    {"mn04_as",            0.4, kMlp,                {128, 320}, "mn04_as_mAP_432.pt",         kMn04AsSha256},
    {"mn05_as",            0.5, kMlp,                {128, 320}, "mn05_as_mAP_443.pt",         ""},
    {"mn10_as",            1.0, kMlp,                {128, 320}, "mn10_as_mAP_471.pt",         ""},
    {"mn10_as_fc",         1.0, kFullyConvolutional, {128, 320}, "mn10_as_fc_mAP_465.pt",      ""},
    {"mn10_as_hop_15",     1.0, kMlp,                {128, 480}, "mn10_as_hop_15_mAP_463.pt",  ""},
    {"mn10_as_hop_20",     1.0, kMlp,                {128, 640}, "mn10_as_hop_20_mAP_456.pt",  ""},
    {"mn10_as_hop_25",     1.0, kMlp,                {128, 800}, "mn10_as_hop_25_mAP_447.pt",  ""},
    {"mn10_as_hop_5",      1.0, kMlp,                {128, 160}, "mn10_as_hop_5_mAP_475.pt",   ""},
    {"mn10_as_mels_256",   1.0, kMlp,                {256, 320}, "mn10_as_mels_256_mAP_474.pt", ""},
    {"mn10_as_mels_40",    1.0, kMlp,                { 40, 320}, "mn10_as_mels_40_mAP_453.pt", ""},
    {"mn10_as_mels_64",    1.0, kMlp,                { 64, 320}, "mn10_as_mels_64_mAP_461.pt", ""},
    {"mn20_as",            2.0, kMlp,                {128, 320}, "mn20_as_mAP_478.pt",         ""},
    {"mn30_as",            3.0, kMlp,                {128, 320}, "mn30_as_mAP_482.pt",         ""},
    {"mn40_as",            4.0, kMlp,                {128, 320}, "mn40_as_mAP_484.pt",         ""},
    {kEmbeddedNetworkName, 0.1, kMlp,                {128, 320}, "",                           kHearwireMn01Sha256},
};

struct Row {
  std::string_view name;
  std::string_view network;
  Pooling pooling;
  int timestamp_window_ms;
  std::string_view features;
};

// Sizes follow from the networks' shapes. The reference declares 2016 values for mn40_clf2 and returns 5120, and its
// mn10_all_b_mel_avgs_ts320 has windows of 1280 ms: both stand here as the reference computes them.
constexpr Row kRows[] = {
    // Name, network, pooling, timestamp window in ms, features.
    {"mn01_all_b_avg_max_time_pool",             "mn01_as", kAvgMaxTime, 160, "b5 b11 b13 b15"},
    {"mn01_all_b_avg_time_pool",                 "mn01_as", kAvgTime, 160, "b5 b11 b13 b15"},
    {"mn01_all_b_mel_avgs",                      "mn01_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn02_all_b_mel_avgs",                      "mn02_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn04_all_b_mel_avgs",                      "mn04_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn05_all_b_avg_max_time_pool",             "mn05_as", kAvgMaxTime, 160, "b5 b11 b13 b15"},
    {"mn05_all_b_avg_time_pool",                 "mn05_as", kAvgTime, 160, "b5 b11 b13 b15"},
    {"mn05_all_b_mel_avgs",                      "mn05_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b",                               "mn10_as", kAvgCh, 160, "b5 b11 b13 b15"},
    {"mn10_all_b_add_avg_max_ch_pool",           "mn10_as", kAddAvgMaxCh, 160, "b5 b11 b13 b15"},
    {"mn10_all_b_all_se",                        "mn10_as", kAvgCh, 160, "se5 se11 se13 se15 b5 b11 b13 b15"},
    {"mn10_all_b_avg_max_time_pool",             "mn10_as", kAvgMaxTime, 160, "b5 b11 b13 b15"},
    {"mn10_all_b_avg_time_pool",                 "mn10_as", kAvgTime, 160, "b5 b11 b13 b15"},
    {"mn10_all_b_clf1",                          "mn10_as", kAvgCh, 160, "clf1 b5 b11 b13 b15"},
    {"mn10_all_b_clf2",                          "mn10_as", kAvgCh, 160, "clf2 b5 b11 b13 b15"},
    {"mn10_all_b_logits",                        "mn10_as", kAvgCh, 160, "logits b5 b11 b13 b15"},
    {"mn10_all_b_max_ch_pool",                   "mn10_as", kMaxCh, 160, "b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs",                      "mn10_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_add_avg_max_ch_pool",  "mn10_as", kAddAvgMaxCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_avg_time_pool",        "mn10_as", kAvgTime, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_cat_avg_max_ch_pool",  "mn10_as", kCatAvgMaxCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_fc",                   "mn10_as_fc", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_hop15",                "mn10_as_hop_15", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_hop20",                "mn10_as_hop_20", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_hop25",                "mn10_as_hop_25", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_hop5",                 "mn10_as_hop_5", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_max_ch_pool",          "mn10_as", kMaxCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_mels256",              "mn10_as_mels_256", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_mels40",               "mn10_as_mels_40", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_mels64",               "mn10_as_mels_64", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_ts1280",               "mn10_as", kAvgCh, 1280, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_ts320",                "mn10_as", kAvgCh, 1280, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_b_mel_avgs_ts640",                "mn10_as", kAvgCh, 640, "mel_avgs b5 b11 b13 b15"},
    {"mn10_all_se",                              "mn10_as", kAvgCh, 160, "se5 se11 se13 se15"},
    {"mn10_all_se_clf1",                         "mn10_as", kAvgCh, 160, "clf1 se5 se11 se13 se15"},
    {"mn10_all_se_clf2",                         "mn10_as", kAvgCh, 160, "clf2 se5 se11 se13 se15"},
    {"mn10_all_se_logits",                       "mn10_as", kAvgCh, 160, "logits se5 se11 se13 se15"},
    {"mn10_all_se_mel_avgs",                     "mn10_as", kAvgCh, 160, "mel_avgs se5 se11 se13 se15"},
    {"mn10_allmode_all_b_clf1",                  "mn10_as", kAvgCh, 160, "mel_avgs clf1 logits b5 b11 b13 b15"},
    {"mn10_allmode_all_b_clf2",                  "mn10_as", kAvgCh, 160, "mel_avgs clf2 logits b5 b11 b13 b15"},
    {"mn10_allmode_all_se_clf1",                 "mn10_as", kAvgCh, 160, "mel_avgs clf1 logits se5 se11 se13 se15"},
    {"mn10_allmode_all_se_clf2",                 "mn10_as", kAvgCh, 160, "mel_avgs clf2 logits se5 se11 se13 se15"},
    {"mn10_b0_1_2_3",                            "mn10_as", kAvgCh, 160, "b0 b1 b2 b3"},
    {"mn10_b1",                                  "mn10_as", kAvgCh, 160, "b1"},
    {"mn10_b10",                                 "mn10_as", kAvgCh, 160, "b10"},
    {"mn10_b11",                                 "mn10_as", kAvgCh, 160, "b11"},
    {"mn10_b11_13_15",                           "mn10_as", kAvgCh, 160, "b11 b13 b15"},
    {"mn10_b12",                                 "mn10_as", kAvgCh, 160, "b12"},
    {"mn10_b12_13_14_15",                        "mn10_as", kAvgCh, 160, "b12 b13 b14 b15"},
    {"mn10_b13",                                 "mn10_as", kAvgCh, 160, "b13"},
    {"mn10_b14",                                 "mn10_as", kAvgCh, 160, "b14"},
    {"mn10_b15",                                 "mn10_as", kAvgCh, 160, "b15"},
    {"mn10_b2",                                  "mn10_as", kAvgCh, 160, "b2"},
    {"mn10_b3",                                  "mn10_as", kAvgCh, 160, "b3"},
    {"mn10_b4",                                  "mn10_as", kAvgCh, 160, "b4"},
    {"mn10_b4_5_6_7",                            "mn10_as", kAvgCh, 160, "b4 b5 b6 b7"},
    {"mn10_b5",                                  "mn10_as", kAvgCh, 160, "b5"},
    {"mn10_b5_11_13",                            "mn10_as", kAvgCh, 160, "b5 b11 b13"},
    {"mn10_b5_11_15",                            "mn10_as", kAvgCh, 160, "b5 b11 b15"},
    {"mn10_b5_13_15",                            "mn10_as", kAvgCh, 160, "b5 b13 b15"},
    {"mn10_b6",                                  "mn10_as", kAvgCh, 160, "b6"},
    {"mn10_b7",                                  "mn10_as", kAvgCh, 160, "b7"},
    {"mn10_b8",                                  "mn10_as", kAvgCh, 160, "b8"},
    {"mn10_b8_9_10_11",                          "mn10_as", kAvgCh, 160, "b8 b9 b10 b11"},
    {"mn10_b9",                                  "mn10_as", kAvgCh, 160, "b9"},
    {"mn10_clf1",                                "mn10_as", kAvgCh, 160, "clf1"},
    {"mn10_clf2",                                "mn10_as", kAvgCh, 160, "clf2"},
    {"mn10_logits",                              "mn10_as", kAvgCh, 160, "logits"},
    {"mn10_mel_avgs",                            "mn10_as", kAvgCh, 160, "mel_avgs"},
    {"mn20_all_b_mel_avgs",                      "mn20_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn30_all_b_avg_time_pool",                 "mn30_as", kAvgTime, 160, "b5 b11 b13 b15"},
    {"mn30_all_b_mel_avgs",                      "mn30_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn40_all_b_mel_avgs",                      "mn40_as", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
    {"mn40_all_se_mel_avgs",                     "mn40_as", kAvgCh, 160, "mel_avgs se5 se11 se13 se15"},
    {"mn40_clf1",                                "mn40_as", kAvgCh, 160, "clf1"},
    {"mn40_clf2",                                "mn40_as", kAvgCh, 160, "clf2"},
    {kEmbeddedConfigName,                        "hearwire_mn01", kAvgCh, 160, "mel_avgs b5 b11 b13 b15"},
};
// clang-format on

// The functions below run in the compiler: a name they do not know is a compile-time error.

consteval const NetworkInfo* NetworkNamed(std::string_view name) {
  for (const NetworkInfo& network : kNetworks) {
    if (network.name == name) return &network;
  }
  throw "a row names no network";
}

consteval FeatureSet FeaturesNamed(std::string_view names) {
  FeatureSet features;
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    const std::optional<Feature> feature = FeatureNamed(names.substr(0, end));
    if (!feature) throw "a row names no feature";
    features.Add(*feature);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return features;
}

consteval auto MakeConfigs() {
  std::array<Config, std::size(kRows)> configs{};
  for (size_t i = 0; i < configs.size(); ++i) {
    const Row& row = kRows[i];
    configs[i] = {row.name,
                  NetworkNamed(row.network),
                  {FeaturesNamed(row.features), row.pooling},
                  row.timestamp_window_ms * kSampleRateHz / 1000};
  }
  return configs;
}

constexpr auto kConfigs = MakeConfigs();

// The STFT reflects half a transform of the pre-emphasised clip, which is a sample shorter than the clip.
constexpr int kStftReflectionSamples = 512;

}  // namespace

absl::Span<const std::string_view> NetworkInfo::class_names() const {
  return labels.empty() ? AudioSetClassNames() : labels;
}

int Config::embedding_size() const { return ReadoutSize(network->shape(), network->mel.n_mels, readout); }

int Config::min_scene_samples() const { return kStftReflectionSamples + 2; }

int Config::min_timestamp_samples() const { return timestamp_window_samples / 2 + 1; }

absl::Span<const Config> Configs() { return kConfigs; }

absl::Span<const NetworkInfo> Networks() { return kNetworks; }

const Config* FindConfig(std::string_view name) {
  for (const Config& config : kConfigs) {
    if (config.name == name) return &config;
  }
  return nullptr;
}

const NetworkInfo* FindNetwork(std::string_view name) {
  for (const NetworkInfo& network : kNetworks) {
    if (network.name == name) return &network;
  }
  return nullptr;
}

}  // namespace hearwire
