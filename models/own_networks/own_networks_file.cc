#include "models/own_networks/own_networks_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/quote.h"
#include "models/checkpoint/read_file.h"
#include "models/own_networks/json_lines.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr size_t kMaxNetworks = 64;
constexpr size_t kMaxConfigs = 512;
constexpr size_t kMaxNameBytes = 64;
// What the published networks have, and what the front end is compared with the reference at.
constexpr std::array kMelBands = {40, 64, 128, 256};
constexpr std::array kMelHopsMs = {5, 10, 15, 20, 25};
constexpr int kShortestWindowMs = 20;
constexpr int kLongestWindowMs = 1280;
constexpr int kTimestampHopMs = kTimestampHopSamples * 1000 / kSampleRateHz;
constexpr int kSamplesPerMs = kSampleRateHz / 1000;

constexpr std::array kPoolings = {
    std::pair(std::string_view("avg_ch"), Pooling::kAvgCh),
    std::pair(std::string_view("max_ch"), Pooling::kMaxCh),
    std::pair(std::string_view("add_avg_max_ch"), Pooling::kAddAvgMaxCh),
    std::pair(std::string_view("cat_avg_max_ch"), Pooling::kCatAvgMaxCh),
    std::pair(std::string_view("avg_time"), Pooling::kAvgTime),
    std::pair(std::string_view("avg_max_time"), Pooling::kAvgMaxTime),
};

// Also a label of metrics and a part of a path in some clients.
bool IsName(std::string_view name) {
  const auto fits = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kMaxNameBytes && absl::ascii_isalnum(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), fits);
}

// Of the folder itself.
bool IsFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\0", 2)) == name.npos;
}

// Reads one file. The first failure is kept in status(); what is read behind it means nothing.
class Reader {
 public:
  explicit Reader(std::string path) { file_.path = std::move(path); }

  void Read(const JsonValue& root);

  const absl::Status& status() const { return status_; }
  OwnNetworksFile Take() { return std::move(file_); }

 private:
  void ReadNetwork(const JsonValue& value, const FilePlace& place);
  void ReadConfig(const JsonValue& value, const FilePlace& place);
  void ReadFeatures(const JsonValue& object, OwnConfigEntry* config);

  template <typename... What>
  void Fail(const FilePlace& place, const What&... what) {
    if (status_.ok()) status_ = file_.Wrong(place, absl::StrCat(what...));
  }

  static FilePlace PlaceOf(const JsonValue& value, const FilePlace& object, std::string_view name) {
    return {.line = value.line,
            .field = absl::StrCat(object.field, object.field.empty() ? "" : ".",
                                  absl::string_view(name.data(), name.size()))};
  }

  // Whether the value is an object, of no other members than these.
  bool IsObject(const JsonValue& value, const FilePlace& place, std::initializer_list<std::string_view> known);
  // The items of a list, or none.
  const std::vector<JsonValue>& List(const JsonValue& object, const FilePlace& place, std::string_view name,
                                     size_t most);
  std::string Text(const JsonValue& object, const FilePlace& place, std::string_view name);
  std::string FileName(const JsonValue& object, const FilePlace& place, std::string_view name);
  // default_value where there is none.
  int Integer(const JsonValue& object, const FilePlace& place, std::string_view name, int default_value);
  template <typename Choices>
  int Choice(const JsonValue& object, const FilePlace& place, std::string_view name, int default_value,
             const Choices& choices);
  FilePlace MemberPlace(const JsonValue& object, const FilePlace& place, std::string_view name);
  // A name that nothing else has.
  std::string Name(const JsonValue& object, const FilePlace& place);

  OwnNetworksFile file_;
  std::map<std::string, int> lines_of_names_;  // In small letters.
  absl::Status status_;
};

bool Reader::IsObject(const JsonValue& value, const FilePlace& place, std::initializer_list<std::string_view> known) {
  const auto text = [](std::string* out, std::string_view name) { out->append(name); };
  if (value.kind != JsonValue::Kind::kObject) {
    Fail(place, "it must be an object of ", absl::StrJoin(known, ", ", text));
    return false;
  }
  for (const JsonMember& member : value.members) {
    if (std::find(known.begin(), known.end(), member.name) != known.end()) continue;
    Fail({member.line, place.field}, "there is no ", Quote(member.name), " here; known are ",
         absl::StrJoin(known, ", ", text));
    return false;
  }
  return true;
}

const std::vector<JsonValue>& Reader::List(const JsonValue& object, const FilePlace& place, std::string_view name,
                                           size_t most) {
  static const std::vector<JsonValue>& none = *new std::vector<JsonValue>;
  const JsonValue* const value = object.Find(name);
  if (value == nullptr) return none;
  const FilePlace at = PlaceOf(*value, place, name);
  if (value->kind != JsonValue::Kind::kList) Fail(at, "it must be a list");
  if (value->items.size() > most) Fail(at, "there are ", value->items.size(), "; at most ", most, " are taken");
  return value->items;
}

FilePlace Reader::MemberPlace(const JsonValue& object, const FilePlace& place, std::string_view name) {
  const JsonValue* const value = object.Find(name);
  return value == nullptr ? place : PlaceOf(*value, place, name);
}

std::string Reader::Text(const JsonValue& object, const FilePlace& place, std::string_view name) {
  const JsonValue* const value = object.Find(name);
  if (value == nullptr) {
    Fail(place, "its ", std::string(name), " is missing");
    return "";
  }
  if (value->kind != JsonValue::Kind::kText) Fail(PlaceOf(*value, place, name), "it must be a text in quotes");
  return value->text;
}

std::string Reader::FileName(const JsonValue& object, const FilePlace& place, std::string_view name) {
  std::string file = Text(object, place, name);
  if (status_.ok() && !IsFileName(file)) {
    Fail(MemberPlace(object, place, name), Quote(file), " is no file of this folder: give its name, without a folder");
  }
  return file;
}

int Reader::Integer(const JsonValue& object, const FilePlace& place, std::string_view name, int default_value) {
  const JsonValue* const value = object.Find(name);
  if (value == nullptr) return default_value;
  if (value->kind != JsonValue::Kind::kInteger || !std::in_range<int>(value->integer)) {
    Fail(PlaceOf(*value, place, name), "it must be a whole number");
    return default_value;
  }
  return static_cast<int>(value->integer);
}

template <typename Choices>
int Reader::Choice(const JsonValue& object, const FilePlace& place, std::string_view name, int default_value,
                   const Choices& choices) {
  const int value = Integer(object, place, name, default_value);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    Fail(MemberPlace(object, place, name), value, " is not supported; possible are ", absl::StrJoin(choices, ", "));
  }
  return value;
}

std::string Reader::Name(const JsonValue& object, const FilePlace& place) {
  std::string name = Text(object, place, "name");
  if (!status_.ok()) return name;
  const FilePlace at = MemberPlace(object, place, "name");
  if (!IsName(name)) {
    Fail(at, Quote(name), " cannot be a name: letters, digits, dashes and underscores, ", kMaxNameBytes,
         " at most, and a letter or digit first");
    return name;
  }
  const std::string folded = absl::AsciiStrToLower(name);
  const auto is_taken = [&](const auto& published) {
    return folded == absl::AsciiStrToLower(absl::string_view(published.name.data(), published.name.size()));
  };
  if (std::any_of(Networks().begin(), Networks().end(), is_taken) ||
      std::any_of(Configs().begin(), Configs().end(), is_taken)) {
    Fail(at, Quote(name), " is a published name, whatever the case of its letters: give another one");
  }
  const auto [first, is_new] = lines_of_names_.emplace(folded, at.line);
  if (!is_new) {
    Fail(at, Quote(name), " is taken on line ", first->second,
         ": networks and configs need names of their own, whatever the case of their letters");
  }
  return name;
}

void Reader::ReadNetwork(const JsonValue& value, const FilePlace& place) {
  if (!IsObject(value, place, {"name", "checkpoint", "classes", "labels", "mel_bands", "mel_hop_ms"})) return;
  OwnNetworkEntry network;
  network.place = place;
  network.name = Name(value, place);
  network.checkpoint = FileName(value, place, "checkpoint");
  network.checkpoint_place = MemberPlace(value, place, "checkpoint");
  network.classes_place = MemberPlace(value, place, "classes");
  if (value.Find("classes") != nullptr) network.classes = Integer(value, place, "classes", 0);
  network.labels_place = MemberPlace(value, place, "labels");
  if (value.Find("labels") != nullptr) network.labels = FileName(value, place, "labels");
  network.mel.n_mels = Choice(value, place, "mel_bands", MelSettings().n_mels, kMelBands);
  network.mel.hop_samples =
      Choice(value, place, "mel_hop_ms", MelSettings().hop_samples / kSamplesPerMs, kMelHopsMs) * kSamplesPerMs;
  file_.networks.push_back(std::move(network));
}

void Reader::ReadFeatures(const JsonValue& object, OwnConfigEntry* config) {
  const std::vector<JsonValue>& names = List(object, config->place, "features", static_cast<size_t>(Feature::kEnd));
  if (names.empty())
    return Fail(config->place, "its features are missing: a list such as [\"b5\", \"b11\", \"logits\"]");
  for (size_t i = 0; i < names.size(); ++i) {
    const FilePlace at = PlaceOf(names[i], config->place, absl::StrCat("features[", i, "]"));
    const std::optional<Feature> feature = FeatureNamed(names[i].text);
    if (!feature) {
      return Fail(at, Quote(names[i].text),
                  " is no feature; there are mel_avgs, clf1, clf2, logits, se0 to se15 and b0 to b15");
    }
    if (config->readout.features.Has(*feature)) return Fail(at, Quote(names[i].text), " is there twice");
    config->readout.features.Add(*feature);
    config->features.push_back(*feature);
    config->feature_places.push_back(at);
  }
}

void Reader::ReadConfig(const JsonValue& value, const FilePlace& place) {
  if (!IsObject(value, place, {"name", "network", "features", "pooling", "timestamp_window_ms", "timestamp_hop_ms"})) {
    return;
  }
  OwnConfigEntry config;
  config.place = place;
  config.name = Name(value, place);
  config.network = Text(value, place, "network");
  if (status_.ok() && FindNetwork(config.network) == nullptr && file_.FindNetwork(config.network) == nullptr) {
    Fail(MemberPlace(value, place, "network"), "no network is called ", Quote(config.network),
         ", neither in this file nor among the published ones");
  }
  ReadFeatures(value, &config);
  if (value.Find("pooling") != nullptr) {
    const std::string pooling = Text(value, place, "pooling");
    const auto* const found =
        std::find_if(kPoolings.begin(), kPoolings.end(), [&](const auto& known) { return known.first == pooling; });
    if (found == kPoolings.end()) {
      Fail(MemberPlace(value, place, "pooling"), Quote(pooling), " is no pooling; there are ",
           absl::StrJoin(kPoolings, ", ", [](std::string* out, const auto& known) { out->append(known.first); }));
      return;
    }
    config.readout.pooling = found->second;
  }
  constexpr int kDefaultWindowMs = 160;
  const int window_ms = Integer(value, place, "timestamp_window_ms", kDefaultWindowMs);
  if (window_ms < kShortestWindowMs || window_ms > kLongestWindowMs) {
    Fail(MemberPlace(value, place, "timestamp_window_ms"), window_ms, " is not supported; possible are ",
         kShortestWindowMs, " to ", kLongestWindowMs);
  }
  config.timestamp_window_samples = window_ms * kSamplesPerMs;
  Choice(value, place, "timestamp_hop_ms", kTimestampHopMs, std::array{kTimestampHopMs});
  file_.configs.push_back(std::move(config));
}

void Reader::Read(const JsonValue& root) {
  if (!IsObject(root, {root.line, ""}, {"networks", "configs"})) return;
  const auto read = [&](std::string_view name, size_t most, auto read_one) {
    const std::vector<JsonValue>& values = List(root, {root.line, ""}, name, most);
    for (size_t i = 0; status_.ok() && i < values.size(); ++i) {
      read_one(values[i],
               PlaceOf(values[i], {}, absl::StrCat(absl::string_view(name.data(), name.size()), "[", i, "]")));
    }
  };
  read("networks", kMaxNetworks, [this](const auto& value, const auto& place) { ReadNetwork(value, place); });
  read("configs", kMaxConfigs, [this](const auto& value, const auto& place) { ReadConfig(value, place); });
}

}  // namespace

const OwnNetworkEntry* OwnNetworksFile::FindNetwork(std::string_view name) const {
  const auto found =
      std::find_if(networks.begin(), networks.end(), [&](const OwnNetworkEntry& entry) { return entry.name == name; });
  return found == networks.end() ? nullptr : &*found;
}

const OwnConfigEntry* OwnNetworksFile::FindConfig(std::string_view name) const {
  const auto found =
      std::find_if(configs.begin(), configs.end(), [&](const OwnConfigEntry& entry) { return entry.name == name; });
  return found == configs.end() ? nullptr : &*found;
}

absl::Status OwnNetworksFile::Wrong(const FilePlace& place, std::string_view message) const {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ":", place.line, ": ", place.field, place.field.empty() ? "" : ": ", std::string(message)));
}

absl::StatusOr<OwnNetworksFile> ParseOwnNetworks(std::string_view text, const std::string& path) {
  const absl::StatusOr<JsonValue> root = ParseJsonLines(text);
  if (!root.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ":", root.status().message()));
  Reader reader(path);
  reader.Read(*root);
  if (!reader.status().ok()) return reader.status();
  return reader.Take();
}

absl::StatusOr<OwnNetworksFile> ReadOwnNetworks(const std::string& folder) {
  const std::string path = (fs::path(folder) / kOwnNetworksFile).string();
  std::error_code error;
  // A link that leads nowhere is a file that cannot be read.
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return OwnNetworksFile{.path = path};
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(path, " cannot be looked at"));
  const absl::StatusOr<FileBytes> bytes = ReadFile(path, kMaxFileBytes, kOwnNetworksFile);
  if (!bytes.ok()) return bytes.status();
  return ParseOwnNetworks(bytes->view(), path);
}

absl::Status CheckFeatures(const OwnNetworksFile& file, const OwnConfigEntry& config, const NetworkInfo& network) {
  for (size_t i = 0; i < config.features.size(); ++i) {
    const FilePlace& place = config.feature_places[i];
    const std::string name(network.name);
    if (config.features[i] == Feature::kClf2 && network.head == HeadKind::kFullyConvolutional) {
      return file.Wrong(place,
                        absl::StrCat(name, " has no clf2: its head is fully convolutional, without a hidden layer"));
    }
    const NetworkShape shape = network.shape();
    if (FeatureSize(shape, network.mel.n_mels, config.features[i], config.readout.pooling) > 0) continue;
    std::vector<int> blocks;
    for (int block = 1; block < kBlockCount; ++block) {
      if (shape.blocks[static_cast<size_t>(block) - 1].squeeze_channels > 0) blocks.push_back(block);
    }
    return file.Wrong(
        place, absl::StrCat("this block has no squeeze-excite; those that have one are ", absl::StrJoin(blocks, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace hearwire
