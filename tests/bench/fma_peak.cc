#include "tests/bench/fma_peak.h"

#include <atomic>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/fma_peak.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

int64_t MultiplyAdd(int rounds, float start, float* result) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V x = hn::Set(d, start), y = hn::Set(d, 0.5f);
  // Ten sums hide the latency of the additions. They start apart: equal ones would be computed once.
  auto sum = [&](float apart) HWY_ATTR { return hn::Set(d, start + apart); };
  V a = sum(1), b = sum(2), c = sum(3), e = sum(4), f = sum(5), g = sum(6), h = sum(7), i = sum(8), j = sum(9),
    k = sum(10);
  for (int round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, y, x);
    b = hn::MulAdd(b, y, x);
    c = hn::MulAdd(c, y, x);
    e = hn::MulAdd(e, y, x);
    f = hn::MulAdd(f, y, x);
    g = hn::MulAdd(g, y, x);
    h = hn::MulAdd(h, y, x);
    i = hn::MulAdd(i, y, x);
    j = hn::MulAdd(j, y, x);
    k = hn::MulAdd(k, y, x);
  }
  const V total =
      hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(f, g), hn::Add(h, hn::Add(i, hn::Add(j, k)))));
  *result = hn::GetLane(hn::SumOfLanes(d, total));
  return int64_t{10} * rounds * static_cast<int64_t>(hn::Lanes(d));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {

HWY_EXPORT(MultiplyAdd);

int64_t RunMultiplyAdditions(int rounds) {
  static std::atomic<float> sink;
  float result = 0;
  const int64_t count = HWY_DYNAMIC_DISPATCH(MultiplyAdd)(rounds, sink.load() + 1, &result);
  sink = result;
  return count;
}

}  // namespace hearwire
#endif  // HWY_ONCE
