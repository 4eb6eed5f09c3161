#include "server/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "server/telemetry/exposer.h"
#include "tests/server/telemetry/http_get.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Every sample of a page in Prometheus's text format, by its name with labels.
std::map<std::string, double> ParseSamples(const std::string& reply) {
  std::map<std::string, double> samples;
  std::istringstream page(reply.substr(reply.find("\r\n\r\n") + 4));
  for (std::string line; std::getline(page, line);) {
    const size_t space = line.rfind(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    EXPECT_TRUE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second) << line << " twice";
  }
  return samples;
}

class MetricsTest : public testing::Test {
 protected:
  // One for all tests: it takes two seconds to stop.
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<Exposer>> exposer = Exposer::Create("127.0.0.1", 0);
    ASSERT_TRUE(exposer.ok()) << exposer.status();
    exposer_ = exposer->release();
  }
  static void TearDownTestSuite() { delete exposer_; }

  void SetUp() override {
    registry_ = std::make_shared<prometheus::Registry>();
    exposer_->Add(registry_);
    MetricsOptions options;
    options.configs = {"config_a"};
    options.networks = {"network_a"};
    options.refusals = {"QUEUE_FULL", "TOO_LATE"};
    options.version = "1.2.3";
    metrics_ = Metrics::Create(options, registry_);
  }

  std::map<std::string, double> Scrape() { return ParseSamples(HttpGet(exposer_->port(), "/metrics")); }

  static inline Exposer* exposer_ = nullptr;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Metrics> metrics_;
};

TEST(ExposerTest, ServesAnIpv6HostOnIpv4) {
  for (const auto& [host, start] :
       {std::pair("::1", "127.0.0.1:"), std::pair("[::1]", "127.0.0.1:"), std::pair("::", "0.0.0.0:")}) {
    const absl::StatusOr<std::unique_ptr<Exposer>> exposer = Exposer::Create(host, 0);
    ASSERT_TRUE(exposer.ok()) << exposer.status();
    EXPECT_THAT((*exposer)->address(), StartsWith(start));
    EXPECT_THAT(HttpGet((*exposer)->port(), "/metrics"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(std::string(Exposer::Create("fe80::1", 0).status().message()), HasSubstr("take :: or ::1"));
}

TEST_F(MetricsTest, CountsByCallerAndIsBoundedWhoeverCalls) {
  for (int i = 0; i < 3; ++i) metrics_->OnCaller("team-a", true, absl::Seconds(10), absl::Seconds(2));
  // Addresses of strangers take no room from those who have names.
  for (int i = 0; i < 1000; ++i)
    metrics_->OnCaller(absl::StrCat("10.0.0.", i), false, absl::Seconds(1), absl::ZeroDuration());
  metrics_->OnCaller("team-b", true, absl::Seconds(1), absl::ZeroDuration());
  const auto samples = Scrape();
  EXPECT_EQ(samples.at("hearwire_caller_calls_total{caller=\"team-a\"}"), 3);
  EXPECT_EQ(samples.at("hearwire_caller_audio_seconds_total{caller=\"team-a\"}"), 30);
  EXPECT_EQ(samples.at("hearwire_caller_cpu_seconds_total{caller=\"team-a\"}"), 6);
  EXPECT_EQ(samples.at("hearwire_caller_calls_total{caller=\"team-b\"}"), 1);
  EXPECT_EQ(samples.at("hearwire_caller_calls_total{caller=\"10.0.0.99\"}"), 1);
  EXPECT_FALSE(samples.contains("hearwire_caller_calls_total{caller=\"10.0.0.100\"}"));
  EXPECT_EQ(samples.at("hearwire_caller_calls_total{caller=\"other\"}"), 900);
}

TEST_F(MetricsTest, HasEveryFamilyAtZeroFromTheStart) {
  const std::map<std::string, double> samples = Scrape();
  for (const char* name : {R"(hearwire_requests_total{code="OK",config="config_a",method="GetSceneEmbeddings"})",
                           R"(hearwire_requests_total{code="OK",config="config_a",method="GetTimestampEmbeddings"})",
                           R"(hearwire_requests_total{code="OK",config="config_a",method="StreamEmbeddings"})",
                           R"(hearwire_requests_total{code="OK",config="network_a",method="GetTags"})",
                           R"(hearwire_requests_total{code="OK",config="",method="ListConfigs"})",
                           R"(hearwire_rejected_total{reason="QUEUE_FULL"})",
                           R"(hearwire_rejected_total{reason="TOO_LATE"})",
                           R"(hearwire_cancelled_total{stage="decode"})",
                           R"(hearwire_cancelled_total{stage="queue"})",
                           R"(hearwire_cancelled_total{stage="inference"})",
                           "hearwire_queue_duration_seconds_count",
                           "hearwire_inference_duration_seconds_count",
                           "hearwire_batch_windows_count",
                           "hearwire_batch_calls_count",
                           "hearwire_batch_frames_count",
                           "hearwire_pending_frames",
                           "hearwire_open_streams",
                           "hearwire_calls_in_flight",
                           "hearwire_reserved_bytes",
                           "hearwire_audio_seconds_total"}) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_EQ(samples.at(name), 0) << name;
  }
}

TEST_F(MetricsTest, FollowsWhatIsLoaded) {
  registry_ = std::make_shared<prometheus::Registry>();
  exposer_->Add(registry_);
  metrics_ = Metrics::Create({.configs = {"config_a"},
                              .networks = {"network_a"},
                              .known_configs = {"config_a", "config_b"},
                              .known_networks = {"network_a", "network_b"}},
                             registry_);
  const auto call = [&](const char* config) {
    metrics_->OnCall("GetSceneEmbeddings", config, absl::StatusCode::kOk, absl::Seconds(1));
  };
  const auto key = [](const char* config) {
    return absl::StrCat(R"(hearwire_requests_total{code="OK",config=")", config, R"(",method="GetSceneEmbeddings"})");
  };
  call("config_b");
  EXPECT_FALSE(Scrape().contains(key("config_b"))) << "it is not loaded";
  EXPECT_EQ(Scrape().at(key("unknown")), 1);
  metrics_->OnLoaded({"config_b"}, {"network_b"});
  EXPECT_EQ(Scrape().at(key("config_b")), 0);
  call("config_b");
  call("config_a");
  EXPECT_EQ(Scrape().at(key("config_b")), 1);
  EXPECT_EQ(Scrape().at(key("unknown")), 2);

  const auto info = [](const char* network) {
    return absl::StrCat(R"(hearwire_network_info{backend="native",device="cpu",network=")", network,
                        R"(",precision="float32"})");
  };
  metrics_->OnPlaced({{"network_a", "native", "cpu", "float32"}});
  metrics_->OnPlaced({{"network_b", "native", "cpu", "float32"}});
  EXPECT_FALSE(Scrape().contains(info("network_a")));
  EXPECT_EQ(Scrape().at(info("network_b")), 1);

  metrics_->OnReload(true);
  metrics_->OnReload(false);
  metrics_->OnReload(false);
  EXPECT_EQ(Scrape().at(R"(hearwire_reloads_total{result="ok"})"), 1);
  EXPECT_EQ(Scrape().at(R"(hearwire_reloads_total{result="refused"})"), 2);
}

TEST_F(MetricsTest, GrowsOnlyByWhatIsAskedFor) {
  MetricsOptions options;
  for (int i = 0; i < 80; ++i) options.configs.push_back(absl::StrCat("config_", i));
  options.networks = {"network_a"};
  registry_ = std::make_shared<prometheus::Registry>();
  exposer_->Add(registry_);
  metrics_ = Metrics::Create(options, registry_);
  const size_t idle = Scrape().size();
  EXPECT_LT(idle, 80 * 4 + 160u);
  metrics_->OnCall("GetSceneEmbeddings", "config_7", absl::StatusCode::kOk, absl::Microseconds(150));
  const std::map<std::string, double> samples = Scrape();
  EXPECT_LT(samples.size(), idle + 40);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="OK",config="config_7",method="GetSceneEmbeddings"})"), 1);
  // An alert sees the first failure grow from zero.
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="INTERNAL",config="config_7",method="GetSceneEmbeddings"})"), 0);
  const std::string bucket =
      R"(hearwire_request_duration_seconds_bucket{config="config_7",method="GetSceneEmbeddings",le=)";
  EXPECT_EQ(samples.at(bucket + "\"0.0001\"}"), 0);
  EXPECT_EQ(samples.at(bucket + "\"0.00025\"}"), 1);
}

TEST_F(MetricsTest, HasNoMetricsOfItsHttpServer) {
  for (const auto& [name, value] : Scrape()) EXPECT_THAT(name, Not(StartsWith("exposer"))) << name;
}

TEST_F(MetricsTest, AnswersHeadWithoutABody) {
  const std::string got = HttpGet(exposer_->port(), "/metrics");
  const std::string head = HttpGet(exposer_->port(), "/metrics", "HEAD");
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                          HasSubstr("\r\nContent-Length: "), EndsWith("\r\n\r\n")));
  EXPECT_THAT(got, HasSubstr("\r\n\r\n# HELP "));
  EXPECT_THAT(HttpGet(exposer_->port(), "/nothing", "HEAD"), AllOf(StartsWith("HTTP/1.1 404"), EndsWith("\r\n\r\n")));
}

TEST_F(MetricsTest, TakesNoOtherMethods) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_THAT(HttpGet(exposer_->port(), "/metrics", method),
                AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("\r\nAllow: GET, HEAD\r\n")))
        << method;
  }
}

TEST_F(MetricsTest, TellsWhetherItLivesAndWhetherItServes) {
  for (const auto& [state, ready] : {std::pair("starting", "HTTP/1.1 503"), std::pair("serving", "HTTP/1.1 200"),
                                     std::pair("stopping", "HTTP/1.1 503")}) {
    exposer_->SetState(state);
    EXPECT_THAT(HttpGet(exposer_->port(), "/healthz"), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\nok\n")));
    EXPECT_THAT(HttpGet(exposer_->port(), "/readyz"),
                AllOf(StartsWith(ready), EndsWith(std::string("\r\n\r\n") + state + "\n")));
  }
}

TEST_F(MetricsTest, KeepsTheLastFailuresInBoundsWhateverTheySay) {
  for (int i = 0; i < 100; ++i) {
    const std::string id = absl::StrCat("id-", i);
    exposer_->OnCall({.method = "GetTags", .request_id = id, .status = absl::InternalError(std::string(5000, '<'))},
                     absl::FromUnixSeconds(i));
    exposer_->OnCall({.method = "GetTags", .request_id = "fine"}, absl::Now());
    exposer_->OnCall({.method = "GetTags", .request_id = "gone", .status = absl::CancelledError()}, absl::Now());
  }
  const std::string reply = HttpGet(exposer_->port(), "/errors.json");
  const auto failures = nlohmann::json::parse(reply.substr(reply.find("\r\n\r\n") + 4));
  ASSERT_EQ(failures.size(), 20u);
  EXPECT_EQ(failures[0]["request_id"], "id-99");
  EXPECT_EQ(failures[0]["time"], "1970-01-01 00:01:39");
  EXPECT_EQ(failures[19]["request_id"], "id-80");
  EXPECT_EQ(failures[0]["code"], "INTERNAL");
  EXPECT_EQ(failures[0]["message"], std::string(200, '<'));
}

TEST_F(MetricsTest, ShowsAPageThatNeedsNothingFromElsewhere) {
  const std::string reply = HttpGet(exposer_->port(), "/");
  EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\nContent-Type: text/html; charset=utf-8\r\n"),
                           HasSubstr("\r\nContent-Security-Policy: default-src 'none'; connect-src 'self'; ")));
  const std::string page = reply.substr(reply.find("\r\n\r\n") + 4);
  for (const char* elsewhere : {"http:", "https:", "src=", "import", "innerHTML", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(elsewhere)));
  }
}

TEST_F(MetricsTest, TellsWhatRunsEachNetwork) {
  metrics_->OnPlaced({{.network = "network_a", .backend = "torch", .device = "cuda:0", .precision = "float32"},
                      {.network = "network_b", .backend = "native", .device = "cpu", .precision = "float32"},
                      {.network = "network_c", .backend = "native", .device = "cpu", .precision = "float32"}});
  std::map<std::string, double> samples = Scrape();
  std::erase_if(samples, [](const auto& sample) { return sample.first.find("_info{") == std::string::npos; });
  EXPECT_THAT(
      samples,
      testing::UnorderedElementsAre(
          testing::Pair(R"(hearwire_build_info{backend="torch",device="cuda:0",precision="float32",version="1.2.3"})",
                        1),
          testing::Pair(R"(hearwire_build_info{backend="native",device="cpu",precision="float32",version="1.2.3"})", 1),
          testing::Pair(
              R"(hearwire_network_info{backend="torch",device="cuda:0",network="network_a",precision="float32"})", 1),
          testing::Pair(
              R"(hearwire_network_info{backend="native",device="cpu",network="network_b",precision="float32"})", 1),
          testing::Pair(
              R"(hearwire_network_info{backend="native",device="cpu",network="network_c",precision="float32"})", 1)));
}

TEST_F(MetricsTest, CountsCallsByMethodConfigAndCode) {
  metrics_->OnCall("GetSceneEmbeddings", "config_a", absl::StatusCode::kOk, absl::Milliseconds(20));
  metrics_->OnCall("GetSceneEmbeddings", "config_a", absl::StatusCode::kInvalidArgument, absl::Milliseconds(20));
  metrics_->OnCall("GetSceneEmbeddings", "config_a", absl::StatusCode::kDataLoss, absl::Milliseconds(20));
  metrics_->OnCall("ListConfigs", "", absl::StatusCode::kOk, absl::Milliseconds(1));
  metrics_->OnCall("ListHeads", "", absl::StatusCode::kOk, absl::Milliseconds(1));
  const std::map<std::string, double> samples = Scrape();
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="OK",config="config_a",method="GetSceneEmbeddings"})"), 1);
  EXPECT_EQ(
      samples.at(R"(hearwire_requests_total{code="INVALID_ARGUMENT",config="config_a",method="GetSceneEmbeddings"})"),
      1);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="DATA_LOSS",config="config_a",method="GetSceneEmbeddings"})"),
            1);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="OK",config="",method="ListConfigs"})"), 1);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="OK",config="",method="ListHeads"})"), 1);
  EXPECT_EQ(samples.at(R"(hearwire_request_duration_seconds_count{config="config_a",method="GetSceneEmbeddings"})"), 3);
  EXPECT_NEAR(samples.at(R"(hearwire_request_duration_seconds_sum{config="config_a",method="GetSceneEmbeddings"})"),
              0.06, 1e-9);
}

TEST_F(MetricsTest, SharesOneLabelAmongUnknownNames) {
  metrics_->OnCall("Method", "config_a", absl::StatusCode::kOk, absl::ZeroDuration());
  metrics_->OnCall("GetSceneEmbeddings", "made up", absl::StatusCode::kNotFound, absl::ZeroDuration());
  const size_t before = Scrape().size();
  for (int i = 0; i < 100; ++i) {
    metrics_->OnCall("GetSceneEmbeddings", absl::StrCat("made up \"\n", i), absl::StatusCode::kNotFound,
                     absl::ZeroDuration());
    metrics_->OnCall(absl::StrCat("Method", i), "config_a", absl::StatusCode::kOk, absl::ZeroDuration());
    metrics_->OnCancelled(absl::StrCat("stage", i));
  }
  const std::map<std::string, double> samples = Scrape();
  EXPECT_EQ(samples.size(), before);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="NOT_FOUND",config="unknown",method="GetSceneEmbeddings"})"),
            101);
  EXPECT_EQ(samples.at(R"(hearwire_requests_total{code="OK",config="unknown",method="unknown"})"), 101);
}

TEST_F(MetricsTest, CountsBatchesRowsAndRefusals) {
  metrics_->OnBatch(12, 3, 204);
  metrics_->OnRows(absl::Milliseconds(5), absl::Milliseconds(30));
  metrics_->OnPendingFrames(17);
  metrics_->OnRejected("QUEUE_FULL");
  metrics_->OnRejected("SOMETHING_NEW");
  metrics_->OnCancelled("queue");
  metrics_->OnAudio(absl::Milliseconds(2500));
  const std::map<std::string, double> samples = Scrape();
  EXPECT_EQ(samples.at("hearwire_batch_windows_sum"), 12);
  EXPECT_EQ(samples.at("hearwire_batch_calls_sum"), 3);
  EXPECT_EQ(samples.at(R"(hearwire_batch_calls_bucket{le="2"})"), 0);
  EXPECT_EQ(samples.at(R"(hearwire_batch_calls_bucket{le="3"})"), 1);
  EXPECT_EQ(samples.at("hearwire_batch_frames_sum"), 204);
  EXPECT_NEAR(samples.at("hearwire_queue_duration_seconds_sum"), 0.005, 1e-9);
  EXPECT_NEAR(samples.at("hearwire_inference_duration_seconds_sum"), 0.03, 1e-9);
  EXPECT_EQ(samples.at("hearwire_pending_frames"), 17);
  EXPECT_EQ(samples.at(R"(hearwire_rejected_total{reason="QUEUE_FULL"})"), 1);
  EXPECT_EQ(samples.at(R"(hearwire_rejected_total{reason="SOMETHING_NEW"})"), 1);
  EXPECT_EQ(samples.at(R"(hearwire_cancelled_total{stage="queue"})"), 1);
  EXPECT_EQ(samples.at("hearwire_audio_seconds_total"), 2.5);
}

TEST_F(MetricsTest, TellsOfTheProcess) {
  const std::map<std::string, double> samples = Scrape();
  EXPECT_GT(samples.at("process_cpu_seconds_total"), 0);
  EXPECT_LT(samples.at("process_cpu_seconds_total"), 60);
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(samples.at("process_virtual_memory_bytes"), samples.at("process_resident_memory_bytes"));
  EXPECT_GE(samples.at("process_max_fds"), samples.at("process_open_fds"));
  const double now = static_cast<double>(time(nullptr));
  EXPECT_LE(samples.at("process_start_time_seconds"), now + 1);
  EXPECT_GT(samples.at("process_start_time_seconds"), now - 3600);

  // Many, for connections of this test come and go beside them.
  std::vector<int> extra;
  for (int i = 0; i < 100; ++i) extra.push_back(dup(0));
  EXPECT_NEAR(Scrape().at("process_open_fds") - samples.at("process_open_fds"), 100, 5);
  for (const int fd : extra) close(fd);
}

TEST_F(MetricsTest, ServesNothingElse) {
  EXPECT_THAT(HttpGet(exposer_->port(), "/metrics"), StartsWith("HTTP/1.1 200"));
  for (const char* path :
       {"/nothing", "/metrics/", "/healthz/x", "/../etc/passwd", "/%2e%2e/etc/passwd", "/etc/passwd"}) {
    const std::string reply = HttpGet(exposer_->port(), path);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 404")) << path;
    EXPECT_LT(reply.size(), 1000u) << reply;
  }
}

TEST(ExposerTest, SaysThatAPortIsTaken) {
  const absl::StatusOr<std::unique_ptr<Exposer>> first = Exposer::Create("127.0.0.1", 0);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<std::unique_ptr<Exposer>> second = Exposer::Create("127.0.0.1", (*first)->port());
  ASSERT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat("127.0.0.1:", (*first)->port())));
}

TEST(ExposerTest, WritesIpv6AddressesInBrackets) {
  EXPECT_EQ(FormatAddress("127.0.0.1", 8002), "127.0.0.1:8002");
  EXPECT_EQ(FormatAddress("::1", 8002), "[::1]:8002");
  EXPECT_EQ(FormatAddress("[::1]", 8002), "[::1]:8002");
}

}  // namespace
}  // namespace hearwire
