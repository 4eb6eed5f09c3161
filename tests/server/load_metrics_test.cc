#include "server/load_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "absl/time/time.h"

namespace hearwire {
namespace {

TEST(LoadMetricsTest, TellsOfEachDeviceInSeconds) {
  const std::string text = prometheus::TextSerializer().Serialize(LoadFamilies({
      {"cuda:0", 2, {absl::Milliseconds(250), absl::Seconds(7)}},
      {"cpu", 4, {absl::ZeroDuration(), absl::Milliseconds(1500)}},
  }));
  for (const std::string line :
       {"hearwire_load_seconds{device=\"cuda:0\"} 0.25\n", "hearwire_load_seconds{device=\"cpu\"} 0\n",
        "hearwire_workers{device=\"cuda:0\"} 2\n", "hearwire_workers{device=\"cpu\"} 4\n",
        "hearwire_worker_busy_seconds_total{device=\"cuda:0\"} 7\n",
        "hearwire_worker_busy_seconds_total{device=\"cpu\"} 1.5\n",
        "# TYPE hearwire_worker_busy_seconds_total counter\n", "# TYPE hearwire_load_seconds gauge\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace hearwire
