#include "models/log_mel/log_mel_frames.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/log_mel/log_mel_frames.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"
// After highway.h.
#include "hwy/contrib/math/math-inl.h"
#include "models/log_mel/lane_fft-inl.h"
#include "models/log_mel/lane_transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

using D = hn::CappedTag<float, LogMelFrames::kMaxFrames>;
using V = hn::Vec<D>;

// First pass of the transform, fused with reading the frames (transposed into lanes) and with the Hann window. Complex
// samples 400 to 511 are zero: butterflies from 16 on have six inputs, those before have seven.
HWY_INLINE void FirstPass(D d, const FftTables& tables, const float* HWY_RESTRICT samples,
                          float* HWY_RESTRICT spectrum) {
  constexpr size_t kPair = 2;  // Butterflies at a time: four samples are what the transposition takes at once.
  const V zero = hn::Zero(d);
  for (size_t k = 0; k < 64; k += kPair) {
    Complex<V> x[kPair][8];
    const size_t inputs = k < 16 ? 7 : 6;
    for (size_t j = 0; j < 8; ++j) {
      if (j >= inputs) {
        x[0][j] = x[1][j] = {zero, zero};
        continue;
      }
      const size_t first = 2 * (k + 64 * j);
      const float* const window = tables.window + first;
      V in[4];
      LoadTransposed4(d, samples + first, LogMelFrames::kSampleStride, in);
      for (size_t i = 0; i < 4; ++i) in[i] = hn::Mul(in[i], hn::Set(d, window[i]));
      x[0][j] = {in[0], in[1]};
      x[1][j] = {in[2], in[3]};
    }
    for (size_t i = 0; i < kPair; ++i) {
      Butterfly8(d, x[i]);
      StoreRotated(d, x[i], tables.first_pass[k + i], spectrum, k + i, 64);
    }
  }
}

// log_mel[mels, lanes] of power[bins, lanes]. Returns whether every band's power is finite.
HWY_INLINE bool LogMel(D d, const MelBank& bank, const float* HWY_RESTRICT power, float* HWY_RESTRICT log_mel) {
  const size_t n = hn::Lanes(d);
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  auto finite = hn::Eq(infinity, infinity);
  for (const MelBank::Band& band : bank.bands) {
    const float* HWY_RESTRICT weights = bank.weights.data() + band.first_weight;
    const float* HWY_RESTRICT bins = power + static_cast<size_t>(band.first_bin) * n;
    V sum = hn::Zero(d);
    for (int i = 0; i < band.bin_count; ++i, bins += n)
      sum = hn::MulAdd(hn::Load(d, bins), hn::Set(d, weights[i]), sum);
    finite = hn::And(finite, hn::Lt(sum, infinity));
    const V log = hn::Log(d, hn::Add(sum, hn::Set(d, 1e-5f)));
    hn::Store(hn::Mul(hn::Add(log, hn::Set(d, 4.5f)), hn::Set(d, 1 / 5.0f)), d, log_mel);
    log_mel += n;
  }
  return hn::AllTrue(d, finite);
}

bool ComputeFrames(const LogMelFrames::Workspace& workspace, const MelBank& bank, size_t count, float* const* rows) {
  const D d;
  const FftTables& tables = GetFftTables();
  const size_t mels = bank.bands.size();
  bool finite = true;
  for (size_t first = 0; first < count; first += hn::Lanes(d)) {
    // Lanes without a frame compute silence.
    for (size_t i = count; i < first + hn::Lanes(d); ++i) {
      std::fill_n(workspace.samples + i * LogMelFrames::kSampleStride, size_t{kFrameSamples}, 0.0f);
    }
    FirstPass(d, tables, workspace.samples + first * LogMelFrames::kSampleStride, workspace.spectrum);
    FinishTransform(d, tables, workspace.spectrum);
    SpectrumPower(d, tables, workspace.spectrum, workspace.power);
    finite = LogMel(d, bank, workspace.power, workspace.log_mel) && finite;
    StoreTransposed(d, workspace.log_mel, mels, std::min(count - first, hn::Lanes(d)), rows + first);
  }
  return finite;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(ComputeFrames);

// Between two calls nothing in it matters. So it is a thread's: streams are many, and each would touch its own.
class Scratch {
 public:
  float* spectrum() { return spectrum_.get(); }
  float* power() { return power_.get(); }
  float* log_mel(size_t mels) {
    if (mels > mels_) {
      log_mel_ = hwy::AllocateAligned<float>(mels * LogMelFrames::kMaxFrames);
      mels_ = mels;
    }
    return log_mel_.get();
  }

 private:
  const hwy::AlignedFreeUniquePtr<float[]> spectrum_ =
      hwy::AllocateAligned<float>(size_t{512} * 2 * LogMelFrames::kMaxFrames);
  const hwy::AlignedFreeUniquePtr<float[]> power_ = hwy::AllocateAligned<float>(size_t{512} * LogMelFrames::kMaxFrames);
  hwy::AlignedFreeUniquePtr<float[]> log_mel_;
  size_t mels_ = 0;
};

}  // namespace

// Not zeroed: frames are written before they are computed.
LogMelFrames::LogMelFrames(const MelBank& bank)
    : bank_(bank), samples_(hwy::AllocateAligned<float>(kMaxFrames * kSampleStride)) {}

bool LogMelFrames::Compute(absl::Span<float* const> rows) {
  thread_local Scratch scratch;
  const Workspace workspace{samples_.get(), scratch.spectrum(), scratch.power(), scratch.log_mel(bank_.bands.size())};
  return HWY_DYNAMIC_DISPATCH(ComputeFrames)(workspace, bank_, rows.size(), rows.data());
}

}  // namespace hearwire
#endif  // HWY_ONCE
