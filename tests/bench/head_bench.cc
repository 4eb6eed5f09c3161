// What heads cost: the time of one row's scores, on one thread, for the sizes of embeddings and labels that occur.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "models/heads/head_scores.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measure(const std::vector<int>& sizes, size_t at_once) {
  constexpr int kRepetitions = 15;
  constexpr double kLeastSeconds = 0.01;  // Of one repetition.
  const absl::StatusOr<Head> head = ParseHead(MakeHeadFile("", sizes).Bytes(), "bench");
  if (!head.ok()) std::abort();
  const auto size = static_cast<size_t>(sizes.front());
  const std::vector<float> embeddings(at_once * size, 0.5f);
  std::vector<float> scores(at_once * static_cast<size_t>(sizes.back()));
  HeadWorkspace workspace;
  std::vector<double> seconds;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    size_t rows = 0;
    const double start = ThreadSeconds();
    double now = start;
    for (; now - start < kLeastSeconds; now = ThreadSeconds()) {
      for (int i = 0; i < 10; ++i, rows += at_once) {
        ComputeHeadScores(*head, {embeddings.data(), at_once, size}, &workspace, absl::MakeSpan(scores));
      }
    }
    seconds.push_back((now - start) / static_cast<double>(rows));
  }
  std::sort(seconds.begin(), seconds.end());
  double products = 0;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) products += static_cast<double>(sizes[i]) * sizes[i + 1];
  const double median = seconds[seconds.size() / 2];
  for (size_t i = 0; i < sizes.size(); ++i) std::printf("%s%d", i == 0 ? "" : " -> ", sizes[i]);
  std::printf(", %zu at once: %.2f us a row (least %.2f, most %.2f), %.2f products a ns\n", at_once, 1e6 * median,
              1e6 * seconds.front(), 1e6 * seconds.back(), products / median * 1e-9);
}

}  // namespace
}  // namespace hearwire

int main() {
  for (const std::vector<int>& sizes : {std::vector<int>{456, 2},
                                        {456, 10},
                                        {960, 50},
                                        {3404, 2},
                                        {3404, 10},
                                        {3404, 50},
                                        {3404, 200},
                                        {3404, 1024, 50}}) {
    for (const size_t at_once : {1, 64}) hearwire::Measure(sizes, at_once);
  }
}
