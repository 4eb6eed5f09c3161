// What can be read out of a forward pass, and how feature maps become vectors.

#ifndef HEARWIRE_MODELS_CONFIGS_FEATURE_H_
#define HEARWIRE_MODELS_CONFIGS_FEATURE_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace hearwire {

// Blocks are counted as in the reference: 0 is the first convolution, 1 to 15 the inverted residuals.
inline constexpr int kBlockCount = 16;

// A feature's value is its place in the order of concatenation.
enum class Feature : uint8_t {
  kMelAvgs = 0,  // Mean of the spectrogram over time, [mels].
  kClf1 = 1,     // Average-pooled last convolution.
  kClf2 = 2,     // Hidden layer of the mlp head, after its hardswish.
  kLogits = 3,   // [classes]
  kSe0 = 4,      // kSe0 + i: output of fc1 of block i's squeeze-excite, before its ReLU.
  kBlock0 = 20,  // kBlock0 + i: pooled output of block i.
  kEnd = 36,
};
constexpr Feature Se(int block) { return static_cast<Feature>(static_cast<int>(Feature::kSe0) + block); }
constexpr Feature Block(int block) { return static_cast<Feature>(static_cast<int>(Feature::kBlock0) + block); }

// "mel_avgs", "clf1", "clf2", "logits", "se0" to "se15", "b0" to "b15"; nothing of another name.
constexpr std::optional<Feature> FeatureNamed(std::string_view name) {
  if (name == "mel_avgs") return Feature::kMelAvgs;
  if (name == "clf1") return Feature::kClf1;
  if (name == "clf2") return Feature::kClf2;
  if (name == "logits") return Feature::kLogits;
  const bool se = name.starts_with("se");
  if (!se && !name.starts_with('b')) return std::nullopt;
  name.remove_prefix(se ? 2 : 1);
  if (name.empty() || name.size() > 2 || (name.size() == 2 && name[0] == '0')) return std::nullopt;
  int block = 0;
  for (const char digit : name) {
    if (digit < '0' || digit > '9') return std::nullopt;
    block = 10 * block + (digit - '0');
  }
  if (block >= kBlockCount) return std::nullopt;
  return se ? Se(block) : Block(block);
}

// A set of features. Iterate from 0 to kEnd for the order of concatenation.
class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  constexpr bool Has(Feature feature) const { return (bits_ >> static_cast<int>(feature)) & 1; }
  constexpr void Add(Feature feature) { bits_ |= uint64_t{1} << static_cast<int>(feature); }
  constexpr bool Empty() const { return bits_ == 0; }
  constexpr FeatureSet operator|(FeatureSet other) const {
    other.bits_ |= bits_;
    return other;
  }
  // Whether the last convolution is needed: clf1, clf2 or logits.
  constexpr bool NeedsLastConvolution() const { return (bits_ & 0b1110) != 0; }
  // Whether the head behind it is needed: clf2 or logits.
  constexpr bool NeedsHead() const { return (bits_ & 0b1100) != 0; }
  // The highest block whose output is needed, -1 for none; 15 when the last convolution is.
  constexpr int LastBlock() const {
    if (NeedsLastConvolution()) return kBlockCount - 1;
    for (int i = kBlockCount - 1; i >= 0; --i) {
      if (Has(hearwire::Block(i)) || Has(Se(i))) return i;
    }
    return -1;
  }
  friend constexpr bool operator==(FeatureSet, FeatureSet) = default;

 private:
  uint64_t bits_ = 0;
};

// How a block's map [channels, mels, time] becomes a vector. The other features are vectors already.
enum class Pooling : uint8_t {
  kAvgCh,        // Mean over mels and time, [channels].
  kMaxCh,        // Maximum over mels and time, [channels].
  kAddAvgMaxCh,  // Their sum, [channels].
  kCatAvgMaxCh,  // Mean, then maximum, per block: [2 channels].
  kAvgTime,      // Mean over time, flattened: [channels x mels], mels fastest.
  kAvgMaxTime,   // Mean plus maximum over time, flattened likewise.
};

// What one config reads out of a network's forward pass.
struct Readout {
  FeatureSet features;
  Pooling pooling = Pooling::kAvgCh;

  friend bool operator==(const Readout&, const Readout&) = default;
};

// The logits alone.
inline Readout LogitsReadout() {
  Readout readout;
  readout.features.Add(Feature::kLogits);
  return readout;
}

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_FEATURE_H_
