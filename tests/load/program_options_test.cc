#include "load/program_options.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<ParsedOptions> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "hearwire-load");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ProgramOptionsTest, DefaultsAreAClosedLoopOfBoundedLength) {
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const LoadOptions& load = parsed->options.load;
  EXPECT_FALSE(load.rate);
  EXPECT_EQ(load.concurrency, 8);
  EXPECT_EQ(load.duration, absl::Seconds(10));
  EXPECT_EQ(load.deadline, absl::Seconds(30));
  EXPECT_EQ(load.max_calls, 1'000'000);
}

TEST(ProgramOptionsTest, ARateMakesAnOpenLoopWithRoomForManyCalls) {
  EXPECT_EQ(Parse({"--rate", "50"})->options.load.concurrency, 4096);
  EXPECT_EQ(Parse({"--rate", "50", "--concurrency", "3"})->options.load.concurrency, 3);
}

TEST(ProgramOptionsTest, ReadsTimesMixesAndShares) {
  const auto parsed = Parse({"--duration", "2m", "--warm-up", "0", "--deadline", "0.5", "--kind", "scene=3,tags",
                             "--config", "a=2,b", "--cancel", "25%", "--objective-p99", "100ms", "--clip-seconds",
                             "uniform:1,2", "--objective-errors", "0.5"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ProgramOptions& options = parsed->options;
  EXPECT_EQ(options.load.duration, absl::Minutes(2));
  EXPECT_EQ(options.load.warm_up, absl::ZeroDuration());
  EXPECT_EQ(options.load.deadline, absl::Milliseconds(500));
  EXPECT_EQ(options.load.cancel_share, 0.25);
  ASSERT_EQ(options.workload.kinds.size(), 2u);
  EXPECT_EQ(options.workload.kinds[0].value, CallKind::kScene);
  EXPECT_EQ(options.workload.kinds[0].weight, 3);
  EXPECT_EQ(options.workload.kinds[1].weight, 1);
  ASSERT_EQ(options.workload.configs.size(), 2u);
  EXPECT_EQ(options.workload.configs[0].value, "a");
  EXPECT_EQ(options.workload.configs[0].weight, 2);
  EXPECT_EQ(options.objectives.latency.at(99), absl::Milliseconds(100));
  EXPECT_EQ(*options.objectives.errors, 0.5);
  EXPECT_EQ(options.settings.at("--duration"), "2m");
}

TEST(ProgramOptionsTest, StreamsAreAKindOfTheirOwn) {
  EXPECT_FALSE(Parse({})->options.streams);
  const auto parsed = Parse({"--kind", "stream", "--concurrency", "3", "--piece", "20ms", "--pace", "fast", "--config",
                             "a", "--sample-rate", "16000", "--duration", "3"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const StreamLoad& streams = *parsed->options.streams;
  EXPECT_EQ(streams.streams, 3);
  EXPECT_EQ(streams.piece, absl::Milliseconds(20));
  EXPECT_FALSE(streams.real_time);
  EXPECT_EQ(streams.config, "a");
  EXPECT_EQ(streams.sample_rate_hz, 16000);
  EXPECT_EQ(streams.duration, absl::Seconds(3));
  EXPECT_TRUE(Parse({"--kind", "stream"})->options.streams->real_time);

  const auto refusal = [](const std::vector<const char*>& arguments) {
    return std::string(Parse(arguments).status().message());
  };
  EXPECT_THAT(refusal({"--kind", "stream,scene"}), HasSubstr("stream alone"));
  EXPECT_THAT(refusal({"--kind", "stream", "--rate", "5"}), HasSubstr("--rate does nothing with --kind stream"));
  EXPECT_THAT(refusal({"--kind", "stream", "--max-attempts", "2"}), HasSubstr("--max-attempts does nothing"));
  EXPECT_THAT(refusal({"--kind", "stream", "--objective-p99", "1"}), HasSubstr("--objective-p99 does nothing"));
  EXPECT_THAT(refusal({"--kind", "stream", "--config", "a,b"}), HasSubstr("not a mix"));
  EXPECT_THAT(refusal({"--kind", "stream", "--concurrency", "5000"}), HasSubstr("at most 1024 streams"));
  EXPECT_THAT(refusal({"--piece", "20ms"}), HasSubstr("--piece needs --kind stream"));
  EXPECT_THAT(refusal({"--kind", "stream", "--pace", "slow"}), HasSubstr("real-time or fast"));
}

TEST(ProgramOptionsTest, TakesSeveralFilesOfClips) {
  EXPECT_THAT(Parse({"--clips", "a.wav", "b.wav", "--rate", "3"})->options.clips, ElementsAre("a.wav", "b.wav"));
}

TEST(ProgramOptionsTest, ComparesWithAPageWhateverTheEnvironmentSaysOfRuns) {
  setenv("HEARWIRE_SERVER", "127.0.0.1:9", 1);
  const auto parsed = Parse({"--compare", "a.json", "b.json", "--html", "c.html"});
  unsetenv("HEARWIRE_SERVER");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->options.compare, ElementsAre("a.json", "b.json"));
}

TEST(ProgramOptionsTest, WordsLeaveStandardOutputToAFile) {
  EXPECT_EQ(Parse({"--json", "a.json", "--html", "a.html"})->options.words(), stdout);
  EXPECT_EQ(Parse({"--json", "-"})->options.words(), stderr);
  EXPECT_EQ(Parse({"--html", "-"})->options.words(), stderr);
}

TEST(ProgramOptionsTest, HelpAndVersionAreTexts) {
  EXPECT_THAT(*Parse({"--help"})->text, HasSubstr("--knee-p99"));
  EXPECT_THAT(*Parse({"--version"})->text, HasSubstr("hearwire-load "));
}

TEST(ProgramOptionsTest, WrongFlagsAreOneClearLine) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{"--rat", "3"}, "no flag --rat"},
      {{"--rate", "fast"}, "--rate fast"},
      {{"--rate", "0"}, "--rate 0"},
      {{"--concurrency", "0"}, "--concurrency"},
      {{"--duration", "soon"}, "--duration soon"},
      {{"--duration", "0"}, "--duration 0: it must be from 1ms"},
      {{"--deadline", "-1s"}, "--deadline -1s"},
      {{"--kind", "noise"}, "--kind noise"},
      {{"--kind", "scene=0"}, "--kind scene=0"},
      {{"--cancel", "2"}, "--cancel 2"},
      {{"--clip-seconds", "long"}, "--clip-seconds"},
      {{"--clip-seconds", "1", "--clips", "a.wav"}, "--clips"},
      {{"--objective-rate", "-2"}, "--objective-rate -2"},
      {{"--compare", "a.json"}, "--compare"},
      {{"--compare", "a.json", "b.json", "--rate", "5"}, "--rate does nothing with --compare"},
      {{"--compare", "a.json", "b.json", "--json", "c.json"}, "--json does nothing with --compare"},
      {{"--server", "127.0.0.1:1", "--compare", "a.json", "b.json"}, "--server does nothing with --compare"},
      {{"--json", "a", "--html", "a"}, "--json a and --html a are the same file"},
      {{"--json", "a", "--html", "./b/../a"}, "are the same file"},
      {{"--json", "-", "--html", "-"}, "are the same file"},
      {{"stray"}, "stray"},
  };
  for (const auto& [arguments, words] : cases) {
    const auto parsed = Parse(arguments);
    ASSERT_FALSE(parsed.ok()) << words;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(words));
    EXPECT_THAT(std::string(parsed.status().message()), Not(HasSubstr("\n"))) << words;
  }
}

}  // namespace
}  // namespace hearwire::load
