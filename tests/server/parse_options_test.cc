#include "server/parse_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ParseOptionsTest : public testing::Test {
 protected:
  ~ParseOptionsTest() override { std::remove(file_.c_str()); }

  absl::StatusOr<ParsedOptions> Parse(const std::vector<std::string>& arguments) {
    return ParseOptions(
        arguments,
        [this](const std::string& name) -> const char* {
          const auto found = environment_.find(name);
          return found == environment_.end() ? nullptr : found->second.c_str();
        },
        variables_);
  }
  ServerOptions ParseGood(const std::vector<std::string>& arguments) {
    const absl::StatusOr<ParsedOptions> parsed = Parse(arguments);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    if (!parsed.ok()) return {};
    EXPECT_FALSE(parsed->text.has_value());
    return parsed->options;
  }
  std::string ParseBad(const std::vector<std::string>& arguments) {
    const absl::StatusOr<ParsedOptions> parsed = Parse(arguments);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(parsed.status().message());
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << "one line";
    return message;
  }
  const std::string& WriteFile(const std::string& text) {
    std::ofstream(file_) << text;
    return file_;
  }

  std::map<std::string, std::string> environment_;
  std::vector<std::string> variables_;
  const std::string file_ = testing::TempDir() + "parse_options_" + std::to_string(getpid()) + ".conf";
};

TEST_F(ParseOptionsTest, TakesEveryFlag) {
  const ServerOptions options = ParseGood({"--model-repository",
                                           "/models",
                                           "--networks=mn04_as,mn10_as",
                                           "--networks",
                                           "mn20_as",
                                           "--default-config=mn10_logits",
                                           "--heads=/heads",
                                           "--head-mismatch=warn",
                                           "--device=cuda",
                                           "--backend=torch",
                                           "--precision=float16",
                                           "--pin-workers=off",
                                           "--workers=3",
                                           "--max-batch-frames=100",
                                           "--max-queue-delay=7ms",
                                           "--max-queue-time=2s",
                                           "--batch-timeout=8s",
                                           "--max-queued-frames=5000",
                                           "--host=::1",
                                           "--grpc-port=0",
                                           "--metrics-port=9",
                                           "--max-message-bytes=1MiB",
                                           "--max-reply-bytes=4096",
                                           "--max-decoded-seconds=90.5",
                                           "--max-deadline=1m30s",
                                           "--max-clips=5",
                                           "--max-streams=7",
                                           "--max-streams-per-caller=3",
                                           "--max-piece-bytes=64KiB",
                                           "--stream-idle-timeout=2m",
                                           "--max-stream-duration=3h",
                                           "--max-connections=100",
                                           "--max-connections-per-address=9",
                                           "--connection-idle-timeout=3m",
                                           "--max-connection-age=2h",
                                           "--connection-age-grace=1m",
                                           "--request-timeout=0",
                                           "--lame-duck=0",
                                           "--drain-deadline=100ms",
                                           "--log-format=json",
                                           "--log-level=debug",
                                           "--slow-call=250ms"});
  EXPECT_EQ(options.model_repository, "/models");
  EXPECT_THAT(options.networks, ElementsAre("mn04_as", "mn10_as", "mn20_as"));
  EXPECT_EQ(options.default_config, "mn10_logits");
  EXPECT_EQ(options.heads, "/heads");
  EXPECT_EQ(options.head_mismatch, HeadMismatch::kWarn);
  EXPECT_EQ(options.device, DeviceChoice::kCuda);
  EXPECT_EQ(options.backend, BackendChoice::kTorch);
  EXPECT_EQ(options.precision, Precision::kFloat16);
  EXPECT_EQ(options.pin_workers, PinWorkers::kOff);
  EXPECT_EQ(options.workers, 3);
  EXPECT_EQ(options.max_batch_frames, 100);
  EXPECT_EQ(options.max_queue_delay, absl::Milliseconds(7));
  EXPECT_EQ(options.max_queue_time, absl::Seconds(2));
  EXPECT_EQ(options.batch_timeout, absl::Seconds(8));
  EXPECT_EQ(options.max_queued_frames, 5000);
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.grpc_port, 0);
  EXPECT_EQ(options.metrics_port, 9);
  EXPECT_EQ(options.max_message_bytes, 1 << 20);
  EXPECT_EQ(options.max_reply_bytes, 4096);
  EXPECT_EQ(options.max_decoded, absl::Milliseconds(90500));
  EXPECT_EQ(options.max_deadline, absl::Seconds(90));
  EXPECT_EQ(options.max_clips, 5);
  EXPECT_EQ(options.max_streams, 7);
  EXPECT_EQ(options.max_streams_per_caller, 3);
  EXPECT_EQ(options.max_piece_bytes, 64 << 10);
  EXPECT_EQ(options.stream_idle_timeout, absl::Minutes(2));
  EXPECT_EQ(options.max_stream_duration, absl::Hours(3));
  EXPECT_EQ(options.max_connections, 100);
  EXPECT_EQ(options.max_connections_per_address, 9);
  EXPECT_EQ(options.connection_idle_timeout, absl::Minutes(3));
  EXPECT_EQ(options.max_connection_age, absl::Hours(2));
  EXPECT_EQ(options.connection_age_grace, absl::Minutes(1));
  EXPECT_EQ(options.request_timeout, absl::ZeroDuration());
  EXPECT_EQ(options.lame_duck, absl::ZeroDuration());
  EXPECT_EQ(options.drain_deadline, absl::Milliseconds(100));
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.slow_call, absl::Milliseconds(250));
}

TEST_F(ParseOptionsTest, HasTheDefaultsOfTheStruct) {
  const ServerOptions options = ParseGood({});
  EXPECT_EQ(options.grpc_port, 8001);
  EXPECT_EQ(options.metrics_port, 8002);
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.max_message_bytes, 64 << 20);
  EXPECT_EQ(options.lame_duck, absl::Seconds(2));
  EXPECT_EQ(options.drain_deadline, absl::Seconds(7));
  EXPECT_EQ(options.default_config, "hearwire_mn01_all_b_mel_avgs");
  EXPECT_EQ(options.heads, "");
  EXPECT_EQ(options.head_mismatch, HeadMismatch::kRefuse);
  EXPECT_THAT(options.networks, IsEmpty());
}

TEST_F(ParseOptionsTest, PutsFlagBeforeEnvironmentBeforeFile) {
  const std::string file = WriteFile("max-clips=1\nmax-queue-delay=1ms\nhost=1.1.1.1\nnetworks=[\"a\", \"b\"]\n");
  environment_ = {{"HEARWIRE_MAX_CLIPS", "2"}, {"HEARWIRE_MAX_QUEUE_DELAY", "2ms"}};
  ServerOptions options = ParseGood({"--max-clips=3", "--config-file", file});
  EXPECT_EQ(options.max_clips, 3);
  EXPECT_EQ(options.max_queue_delay, absl::Milliseconds(2));
  EXPECT_EQ(options.host, "1.1.1.1");
  EXPECT_THAT(options.networks, ElementsAre("a", "b"));

  environment_["HEARWIRE_NETWORKS"] = "c,d";
  environment_["HEARWIRE_CONFIG_FILE"] = file;
  options = ParseGood({});
  EXPECT_EQ(options.max_clips, 2);
  EXPECT_EQ(options.host, "1.1.1.1") << "the file that HEARWIRE_CONFIG_FILE names";
  EXPECT_THAT(options.networks, ElementsAre("c", "d"));
  EXPECT_THAT(ParseGood({"--networks=e"}).networks, ElementsAre("e"));
}

TEST_F(ParseOptionsTest, TakesOldNamesAndWarnsOfMistypedOnes) {
  variables_ = {"HEARWIRE_MAX_CLIP"};
  const absl::StatusOr<ParsedOptions> parsed = Parse({"--config", WriteFile("max-clips=7\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.max_clips, 7);
  EXPECT_THAT(parsed->warnings, ElementsAre(HasSubstr("--config-file"), HasSubstr("HEARWIRE_MAX_CLIPS?")));
}

TEST_F(ParseOptionsTest, TakesAnEmptyVariableAsNotSet) {
  environment_ = {{"HEARWIRE_MAX_CLIPS", ""}, {"HEARWIRE_CONFIG_FILE", ""}, {"HEARWIRE_SOMETHING", "else"}};
  EXPECT_EQ(ParseGood({}).max_clips, 256);
}

TEST_F(ParseOptionsTest, TakesTheLastOfAFlagThatIsGivenTwice) {
  EXPECT_EQ(ParseGood({"--max-clips=1", "--max-clips", "7"}).max_clips, 7);
}

TEST_F(ParseOptionsTest, TakesOneValueForEachFlag) {
  const std::string only_flags = "? Only flags are taken, see --help";
  EXPECT_EQ(ParseBad({"--host", "127.0.0.1", "127.0.0.2"}), "what is \"127.0.0.2\"" + only_flags);
  EXPECT_EQ(ParseBad({"--workers", "1", "2", "--max-clips=3"}), "what is \"2\"" + only_flags);
  EXPECT_EQ(ParseBad({"--model-repository", "snd", "repo"}), "what is \"repo\"" + only_flags);
  EXPECT_EQ(ParseBad({"--metrics-port=0", "extra"}), "what is \"extra\"" + only_flags);
  EXPECT_EQ(ParseBad({"--networks", "mn04_as", "mn10_as"}), "what is \"mn10_as\"" + only_flags);
  EXPECT_EQ(ParseBad({"--config-file", WriteFile("workers=2\n"), "other.conf"}), "what is \"other.conf\"" + only_flags);
  environment_ = {{"HEARWIRE_WORKERS", "1"}, {"HEARWIRE_MODEL_REPOSITORY", "repo"}};
  EXPECT_EQ(ParseBad({"bogus"}), "what is \"bogus\"" + only_flags);
}

TEST_F(ParseOptionsTest, TakesOneValueForEachLineOfAConfigurationFile) {
  const std::string two = WriteFile("max-clips=3\nworkers=1 2\n");
  EXPECT_THAT(ParseBad({"--config-file", two}),
              HasSubstr(two + ": line 2: \"workers\" takes one value and has 2; a value with blanks or commas goes"));
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("max-clips=[3, 4, 5]\n")}),
              HasSubstr("line 1: \"max-clips\" takes one"));
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("workers=1\nworkers=2\n")}),
              HasSubstr("line 2: \"workers\" is there twice, first in line 1"));
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("workers=1\n# More\nmax-clips=3\n workers = 1\n")}),
              HasSubstr("line 4: \"workers\" is there twice, first in line 1"));
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("networks=a\nworkers=1\nnetworks=b\n")}),
              HasSubstr("line 3: \"networks\" is there twice"));
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("workers=1\nmax-clips=2\n\"workers\"=3\n")}),
              HasSubstr("line 3: \"workers\" is there twice, first in line 1"));
  EXPECT_EQ(ParseGood({"--config-file", WriteFile("model-repository=\"/my models\"\n")}).model_repository,
            "/my models");
  EXPECT_THAT(ParseGood({"--config-file", WriteFile("networks=a,b\n")}).networks, ElementsAre("a", "b"));
}

TEST_F(ParseOptionsTest, NamesTheSourceOfAWrongValue) {
  EXPECT_THAT(ParseBad({"--max-clips=many"}), HasSubstr("--max-clips: \"many\""));
  environment_ = {{"HEARWIRE_MAX_CLIPS", "many"}};
  EXPECT_THAT(ParseBad({}), HasSubstr("HEARWIRE_MAX_CLIPS: \"many\""));
  environment_.clear();
  const std::string file = WriteFile("max-clips=many\n");
  EXPECT_THAT(ParseBad({"--config-file", file}), HasSubstr("max-clips in " + file + ": \"many\""));
}

TEST_F(ParseOptionsTest, TellsByLineWhatIsWrongInAConfigurationFile) {
  const std::string misspelt = WriteFile("# Limits\nworkers=2\n\n  max-clip = 5\n");
  EXPECT_THAT(ParseBad({"--config-file", misspelt}),
              HasSubstr(misspelt + ": line 4: \"max-clip\" is no option; did you mean max-clips?"));
  const std::string section = WriteFile("workers=2\n[limits]\nmax-clips=3\n");
  EXPECT_THAT(ParseBad({"--config-file", section}), HasSubstr(section + ": line 2: there are no sections"));
  const std::string prose = WriteFile("workers=2\nnonsense\n");
  EXPECT_THAT(ParseBad({"--config-file", prose}),
              HasSubstr(prose + ": line 2: \"nonsense\" is no option; lines are like"));
}

TEST_F(ParseOptionsTest, SaysWhatWouldBeRight) {
  EXPECT_THAT(ParseBad({"--device=gpu"}), HasSubstr("auto|cpu|cuda"));
  EXPECT_THAT(ParseBad({"--workers=0"}), HasSubstr("from 1 to 1024"));
  EXPECT_THAT(ParseBad({"--workers=1.5"}), HasSubstr("whole number"));
  EXPECT_THAT(ParseBad({"--workers=99999999999999999999"}), HasSubstr("whole number"));
  EXPECT_THAT(ParseBad({"--grpc-port=65536"}), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(
      ParseBad({"--max-queued-frames=99"}),
      HasSubstr("--max-queued-frames: \"99\" will not do: the self-test's longest window has 100 frames and must "
                "fit: 100 is the least"));
  EXPECT_EQ(ParseGood({"--max-queued-frames=100"}).max_queued_frames, 100);
  EXPECT_THAT(ParseBad({"--max-queue-delay=5"}), HasSubstr("5ms"));
  EXPECT_THAT(ParseBad({"--max-queue-delay=-5ms"}), HasSubstr("from 0 to 24h"));
  EXPECT_THAT(ParseBad({"--max-queue-delay=inf"}), HasSubstr("unit"));
  EXPECT_THAT(ParseBad({"--max-message-bytes=64MB"}), HasSubstr("64MiB"));
  EXPECT_THAT(ParseBad({"--max-message-bytes=3GiB"}), HasSubstr("2047MiB"));
  EXPECT_THAT(ParseBad({"--max-message-bytes=9999999999999999GiB"}), HasSubstr("2047MiB"));
  EXPECT_THAT(ParseBad({"--max-message-bytes=MiB"}), HasSubstr("64MiB"));
  EXPECT_THAT(ParseBad({"--max-decoded-seconds=nan"}), HasSubstr("seconds"));
  EXPECT_THAT(ParseBad({"--networks=a,,b"}), HasSubstr("commas"));
  EXPECT_THAT(ParseBad({"--host="}), HasSubstr("--host"));
  EXPECT_THAT(ParseBad({"--workers"}), HasSubstr("--workers"));
}

TEST_F(ParseOptionsTest, SuggestsTheNearestFlag) {
  EXPECT_THAT(ParseBad({"--max-batch-frame=5"}),
              HasSubstr("unknown flag --max-batch-frame: did you mean --max-batch-frames?"));
  EXPECT_THAT(ParseBad({"--worker=5"}), HasSubstr("--workers?"));
  EXPECT_THAT(ParseBad({"-workers", "5"}), HasSubstr("--workers?"));
  EXPECT_THAT(ParseBad({"--zzzzzzzzzzzzzz"}), HasSubstr("--help"));
  EXPECT_THAT(ParseBad({"serve"}), HasSubstr("\"serve\""));
}

TEST_F(ParseOptionsTest, RefusesWhatItDoesNotKnowInTheFile) {
  EXPECT_THAT(ParseBad({"--config-file", WriteFile("max-clip=1\n")}), HasSubstr("max-clip"));
  EXPECT_THAT(ParseBad({"--config-file", "/no/such/file.conf"}), HasSubstr("/no/such/file.conf"));
}

TEST_F(ParseOptionsTest, TestsItselfOnlyWhenAsked) {
  EXPECT_FALSE(Parse({})->self_test);
  const absl::StatusOr<ParsedOptions> asked = Parse({"--self-test", "--workers=3"});
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_TRUE(asked->self_test);
  EXPECT_EQ(asked->options.workers, 3);
}

TEST_F(ParseOptionsTest, PrintsHelpAndVersion) {
  const absl::StatusOr<ParsedOptions> help = Parse({"--help"});
  ASSERT_TRUE(help.ok() && help->text.has_value());
  for (const LogField& option : DescribeOptions(ServerOptions())) {
    EXPECT_THAT(*help->text, HasSubstr("--" + std::string(option.name()))) << "every option has its flag";
  }
  // And every flag is in the log's line of options, but those that are none of the server's life.
  std::set<std::string> described = {"help", "version", "self-test", "config-file"};
  for (const LogField& option : DescribeOptions(ServerOptions())) described.emplace(option.name());
  const std::regex flag("(^|\\n|,) *(-[a-z], *)?--([a-z-]+)");
  int flags = 0;
  for (std::sregex_iterator found(help->text->begin(), help->text->end(), flag), end; found != end; ++found, ++flags) {
    EXPECT_THAT(described, testing::Contains((*found)[3].str()));
  }
  EXPECT_GE(flags, static_cast<int>(described.size()));
  EXPECT_THAT(*help->text, HasSubstr("[64MiB]"));
  EXPECT_THAT(*help->text, HasSubstr("HEARWIRE_MAX_QUEUE_DELAY"));
  const absl::StatusOr<ParsedOptions> version = Parse({"--version"});
  ASSERT_TRUE(version.ok() && version->text.has_value());
  EXPECT_THAT(*version->text, HasSubstr("hearwire-server "));
}

TEST(FillFromMachineTest, DerivesWhatWasNotSaid) {
  const Machine machine{6, int64_t{16} << 30, {0, 1, 2, 3, 4, 5}};
  ServerOptions options;
  FillFromMachine(machine, "cpu", &options);
  EXPECT_EQ(options.workers, 6);
  EXPECT_EQ(options.max_batch_frames, 4096);
  EXPECT_EQ(options.max_queued_frames, (int64_t{4} << 30) / 2048);

  options = {};
  FillFromMachine(machine, "cuda:0", &options);
  EXPECT_EQ(options.workers, 2);
  EXPECT_EQ(options.max_batch_frames, 32768);

  options = {};
  options.workers = 5;
  FillFromMachine(machine, "cuda:0", &options);
  EXPECT_EQ(options.workers, 2) << "where CUDA was not asked for, it is the CPU's workers that were";
  options.workers = 5;
  options.device = DeviceChoice::kCuda;
  FillFromMachine(machine, "cuda:0", &options);
  EXPECT_EQ(options.workers, 5);

  options.max_batch_frames = 9;
  options.max_queued_frames = 7;
  FillFromMachine(machine, "cpu", &options);
  EXPECT_EQ(options.workers, 5);
  EXPECT_EQ(options.max_batch_frames, 9);
  EXPECT_EQ(options.max_queued_frames, 7);
}

TEST(FillFromMachineTest, DerivesConnectionsFromDescriptors) {
  Machine machine;
  machine.descriptors = 1024;
  ServerOptions options;
  FillFromMachine(machine, "cpu", &options);
  EXPECT_EQ(options.max_connections, 496);
  EXPECT_EQ(options.max_connections_per_address, 124);

  options = ServerOptions();
  options.max_connections = 40;
  options.max_connections_per_address = 40;
  FillFromMachine(machine, "cpu", &options);
  EXPECT_EQ(options.max_connections, 40);
  EXPECT_EQ(options.max_connections_per_address, 40);
}

TEST(FillFromMachineTest, PinsWorkersWhereEachHasACpu) {
  const auto cpus = [](const Machine& machine, const std::string& device, ServerOptions options) {
    FillFromMachine(machine, device, &options);
    return WorkerCpus(machine, options);
  };
  const Machine whole{3, 0, {2, 5, 9}};
  EXPECT_THAT(cpus(whole, "cpu", {}), ElementsAre(2, 5, 9));
  EXPECT_THAT(cpus(whole, "cuda:0", {}), IsEmpty());
  EXPECT_THAT(cpus({2, 0, {2, 5, 9}}, "cpu", {}), IsEmpty()) << "under a quota";
  ServerOptions options;
  options.workers = 2;
  EXPECT_THAT(cpus(whole, "cpu", options), IsEmpty()) << "fewer workers than CPUs";
  options.workers = 3;
  EXPECT_THAT(cpus(whole, "cpu", options), ElementsAre(2, 5, 9));
  EXPECT_THAT(cpus({2, 0, {2, 5, 9}}, "cpu", options), IsEmpty()) << "as many, but under a quota";
  options.pin_workers = PinWorkers::kOff;
  EXPECT_THAT(cpus(whole, "cpu", options), IsEmpty());
  EXPECT_THAT(cpus({1, 0, {}}, "cpu", {}), IsEmpty()) << "the system does not say which";
}

TEST(DeriveCapacityTest, LeavesRoomForTwoOfTheLargestMessages) {
  ServerOptions options;
  options.max_message_bytes = int64_t{1} << 30;
  const Capacity small = DeriveCapacity({1, int64_t{512} << 20}, options);
  EXPECT_EQ(small.message_memory_bytes, int64_t{2} << 30);
  const Capacity large = DeriveCapacity({8, int64_t{64} << 30}, ServerOptions());
  EXPECT_EQ(large.message_memory_bytes, int64_t{16} << 30);
  EXPECT_EQ(large.preparation_threads, 8);
  EXPECT_GT(DeriveCapacity({1, 0}, ServerOptions()).pipeline_memory_bytes, 0) << "memory not known";
}

}  // namespace
}  // namespace hearwire
