#include "server/access/token_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/server/access/sha256_of.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kMethods = {"GetTags", "ListConfigs"};

absl::StatusOr<TokenList> Parse(const std::string& text) { return TokenList::Parse(text, kMethods); }
std::string Fault(const std::string& text) { return std::string(Parse(text).status().message()); }

TEST(TokenListTest, KnowsTheSha256OfItsTokens) {
  // As sha256sum prints it.
  const std::string line = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ingest";
  const TokenList list = Parse(line).value();
  ASSERT_NE(list.Find("test"), nullptr);
  EXPECT_EQ(list.Find("test")->caller.name, "ingest");
  EXPECT_TRUE(list.Find("test")->caller.is_named);
  for (const char* wrong :
       {"", "tes", "test ", "Test", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}) {
    EXPECT_EQ(list.Find(wrong), nullptr) << wrong;
  }
}

TEST(TokenListTest, ReadsLimitsMethodsAndComments) {
  const TokenList list = Parse(absl::StrCat("# our callers\n\n  ", absl::AsciiStrToUpper(Sha256Of("a")),
                                            "\tingest calls-per-minute=600  bytes-per-minute=1000000 "
                                            "audio-seconds-per-minute=3600 weight=4 max-streams=9 # the night job\r\n",
                                            Sha256Of("b"), " search methods=GetTags,ListConfigs"))
                             .value();
  ASSERT_EQ(list.entries().size(), 2u);
  EXPECT_EQ(list.Find("a")->caller.limits, (CallerLimits{600, 1000000, 3600}));
  EXPECT_EQ(list.Find("a")->caller.weight, 4);
  EXPECT_EQ(list.Find("a")->caller.max_streams, 9);
  EXPECT_TRUE(list.Find("a")->methods.empty());
  EXPECT_EQ(list.Find("b")->caller.limits, CallerLimits{});
  EXPECT_EQ(list.Find("b")->caller.weight, 1);
  EXPECT_EQ(list.Find("b")->caller.max_streams, 0);
  EXPECT_THAT(list.Find("b")->methods, ElementsAre("GetTags", "ListConfigs"));
}

TEST(TokenListTest, MayBeEmpty) { EXPECT_EQ(Parse("# nobody\n").value().Find("x"), nullptr); }

TEST(TokenListTest, GivesACallerSeveralTokensWithOneSetOfLimits) {
  const std::string both = Sha256Of("old") + " ingest calls-per-minute=5\n" + Sha256Of("new") + " ingest ";
  const TokenList list = Parse(both + "calls-per-minute=5").value();
  EXPECT_EQ(list.Find("old")->caller.name, list.Find("new")->caller.name);
  EXPECT_THAT(Fault(both + "calls-per-minute=6"),
              AllOf(HasSubstr("line 2"), HasSubstr("limits or the weight of ingest")));
  EXPECT_THAT(Fault(both + "calls-per-minute=5 weight=2"), HasSubstr("limits or the weight of ingest"));
  EXPECT_THAT(Fault(both + "calls-per-minute=5 max-streams=2"), HasSubstr("limits or the weight of ingest"));
}

TEST(TokenListTest, SaysWhichLineIsWrongAndHow) {
  const std::string digest = Sha256Of("a");
  EXPECT_THAT(Fault("\n" + digest), AllOf(HasSubstr("line 2"), HasSubstr("the caller's name")));
  for (const char* name : {"10.0.0.7", "a:b", "a b=", "-a", "\xc3\xa4"}) {
    EXPECT_FALSE(Parse(digest + " " + name).ok()) << name;
  }
  EXPECT_THAT(Fault(digest + " a\n" + digest + " b"), AllOf(HasSubstr("line 2"), HasSubstr("of line 1 again")));
  EXPECT_THAT(Fault(digest + " a calls=5"), HasSubstr("calls-per-minute="));
  EXPECT_THAT(Fault(digest + " a calls-per-minute=0"), HasSubstr("from 1 to"));
  EXPECT_THAT(Fault(digest + " a calls-per-minute=5/min"), HasSubstr("from 1 to"));
  EXPECT_THAT(Fault(digest + " a calls-per-minute"), HasSubstr("from 1 to"));
  EXPECT_THAT(Fault(digest + " a weight=0"), HasSubstr("weight= takes a whole number from 1 to 1000"));
  EXPECT_THAT(Fault(digest + " a weight=1001"), HasSubstr("weight= takes a whole number from 1 to 1000"));
  EXPECT_THAT(Fault(digest + " a max-streams=0"), HasSubstr("max-streams= takes a whole number from 1 to"));
  for (const char* twice :
       {"weight=2 weight=2", "methods=GetTags weight=1 methods=ListConfigs", "calls-per-minute=1 calls-per-minute=9",
        "max-streams=1 bytes-per-minute=5 max-streams=1"}) {
    const std::string name(twice, std::string(twice).find('='));
    EXPECT_THAT(Fault(absl::StrCat("\n", digest, " a ", twice)),
                AllOf(HasSubstr("line 2"), HasSubstr(name + "= is there twice")));
  }
  EXPECT_THAT(Fault(digest + " a methods=GetTags,Nothing"), HasSubstr("of GetTags, ListConfigs"));
}

TEST(TokenListTest, NeverQuotesATokenThatWasPutThere) {
  const std::string fault = Fault("my-secret-token ingest");
  EXPECT_THAT(fault, AllOf(HasSubstr("line 1"), HasSubstr("SHA-256"), HasSubstr("never with the token itself")));
  EXPECT_FALSE(absl::StrContains(fault, "my-secret"));
}

TEST(TokenListTest, IsBounded) {
  std::string text;
  for (size_t i = 0; i < TokenList::kMostTokens; ++i) absl::StrAppend(&text, Sha256Of(absl::StrCat(i)), " a\n");
  EXPECT_TRUE(Parse(text).ok());
  EXPECT_THAT(Fault(text + Sha256Of("more") + " a"), HasSubstr("more than 4096"));
}

}  // namespace
}  // namespace hearwire
