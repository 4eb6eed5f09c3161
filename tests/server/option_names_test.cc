#include "server/option_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OptionNamesTest : public testing::Test {
 protected:
  std::vector<std::string> Take(std::vector<std::string> arguments) {
    warnings_ = TakeOldNames(
        [this](const std::string& name) -> const char* {
          const auto found = environment_.find(name);
          return found == environment_.end() ? nullptr : found->second.c_str();
        },
        &arguments);
    return arguments;
  }

  std::map<std::string, std::string> environment_;
  std::vector<std::string> warnings_;
};

TEST_F(OptionNamesTest, TakesTheOldNameOfTheConfigurationFileAndSaysSo) {
  EXPECT_THAT(Take({"--config", "a", "--workers=2"}), ElementsAre("--config-file", "a", "--workers=2"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("--config is called --config-file now")));
  EXPECT_THAT(Take({"--config=a"}), ElementsAre("--config-file=a"));
  EXPECT_THAT(Take({"--config-file=a"}), ElementsAre("--config-file=a"));
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OptionNamesTest, TakesTheOldVariableWhereNothingElseNamesAFile) {
  environment_["HEARWIRE_CONFIG"] = "a";
  EXPECT_THAT(Take({}), ElementsAre("--config-file=a"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("HEARWIRE_CONFIG is called HEARWIRE_CONFIG_FILE now")));
  EXPECT_THAT(Take({"--config-file=b"}), ElementsAre("--config-file=b"));
  environment_["HEARWIRE_CONFIG_FILE"] = "c";
  EXPECT_THAT(Take({}), IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
  environment_ = {{"HEARWIRE_CONFIG", ""}};
  EXPECT_THAT(Take({}), IsEmpty());
}

TEST_F(OptionNamesTest, WarnsOfVariablesThatSeemMistyped) {
  EXPECT_THAT(UnknownVariables({"PATH", "HEARWIRE_MAX_CLIP", "HEARWIRE_MAX_CLIPS", "HEARWIRE_SERVER",
                                "HEARWIRE_TOKEN_FILE", "HEARWIRE_QUITE_ANOTHER_THING", "HEARWIRE_MODEL_REPOSITRY"},
                               {"HEARWIRE_MAX_CLIPS", "HEARWIRE_MODEL_REPOSITORY", "HEARWIRE_TOKENS_FILE"}),
              ElementsAre(HasSubstr("\"HEARWIRE_MAX_CLIP\" means nothing here: did you mean HEARWIRE_MAX_CLIPS?"),
                          HasSubstr("did you mean HEARWIRE_MODEL_REPOSITORY?")));
}

}  // namespace
}  // namespace hearwire
