#include "models/torch/window_mask.h"

#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/div.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/reciprocal.h>

namespace hearwire {
namespace {

constexpr int kTime = 2;
constexpr int kMels = 3;

int64_t DivideUp(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace

WindowMask::WindowMask(const at::Tensor& lengths, int64_t frames, int64_t shortest)
    : lengths_(lengths), frames_(frames), shortest_(shortest) {
  const at::Tensor places = at::arange(frames, lengths.options());
  padding_ = at::ge(places.unsqueeze(0), lengths.unsqueeze(1)).unsqueeze(1).unsqueeze(3);
}

// Strides are powers of two, and the map's time is the frames' divided by one of them: the smallest that fits is as
// good as any other that does.
int64_t WindowMask::StrideOf(int64_t time) const {
  int64_t stride = 1;
  while (DivideUp(frames_, stride) > time) stride *= 2;
  return stride;
}

void WindowMask::Fill(at::Tensor& map, double value) const {
  if (!lengths_.defined()) return;
  const int64_t time = map.size(kTime);
  const int64_t stride = StrideOf(time);
  // Column j of the map begins at frame j x stride: it is padding when that frame is. Columns that all windows have are
  // left alone.
  const int64_t begin = DivideUp(shortest_, stride);
  if (begin == time) return;
  map.narrow(kTime, begin, time - begin).masked_fill_(padding_.slice(kTime, begin * stride, frames_, stride), value);
}

const at::Tensor& WindowMask::Factors(int64_t time) const {
  for (const auto& [known, factors] : factors_) {
    if (known == time) return factors;
  }
  const int64_t stride = StrideOf(time);
  const at::Tensor columns = lengths_.add(stride - 1).div(stride, "floor").to(at::kFloat);
  factors_.emplace_back(time, columns.reciprocal().mul_(time).unsqueeze(1));
  return factors_.back().second;
}

at::Tensor WindowMask::Mean(at::Tensor& map) const {
  Fill(map, 0);
  at::Tensor mean = at::mean(map, {kTime, kMels}, /*keepdim=*/false, at::kFloat);
  return lengths_.defined() ? mean.mul_(Factors(map.size(kTime))) : mean;
}

at::Tensor WindowMask::MeanOverTime(at::Tensor& map) const {
  Fill(map, 0);
  at::Tensor mean = at::mean(map, {kTime}, /*keepdim=*/false, at::kFloat);
  return lengths_.defined() ? mean.mul_(Factors(map.size(kTime)).unsqueeze(2)) : mean;
}

at::Tensor WindowMask::MeanOfFrames(const at::Tensor& spectrograms) const {
  at::Tensor mean = spectrograms.mean(1);
  return lengths_.defined() ? mean.mul_(Factors(frames_)) : mean;
}

}  // namespace hearwire
