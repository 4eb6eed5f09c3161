// Sounds that are for ffmpeg: a script stands in for it, so that everything it may do is seen.

#include "client/cli/foreign_sound.h"

#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/program.h"

namespace hearwire::cli {
namespace {

using ::testing::HasSubstr;

const std::string kM4a = std::string("\0\0\0\x20", 4) + "ftypM4A sound";
constexpr int64_t kMaxBytes = 1 << 20;

class ForeignSoundTest : public testing::Test {
 protected:
  ForeignSoundTest() : path_(std::getenv("PATH")) { setenv("PATH", (folder_.path() + ":/usr/bin:/bin").c_str(), 1); }
  ~ForeignSoundTest() override { setenv("PATH", path_.c_str(), 1); }

  void Install(const std::string& script) {
    chmod(folder_.Write("ffmpeg", "#!/bin/sh\n" + script + "\n").c_str(), 0755);
  }
  absl::StatusOr<std::string> Decode(int64_t max_bytes = kMaxBytes, absl::Duration timeout = absl::Minutes(1)) {
    return DecodeWithFfmpeg(kM4a, "an MP4 (M4A) file", max_bytes, timeout);
  }

  const std::string path_;
  TemporaryFolder folder_;
};

TEST_F(ForeignSoundTest, KindsAreToldByTheirFirstBytes) {
  EXPECT_STREQ(ForeignKind(kM4a), "an MP4 (M4A) file");
  EXPECT_STREQ(ForeignKind("\xff\xf1\x50\x80"), "an AAC (ADTS) file");
  EXPECT_STREQ(ForeignKind(std::string("ID3\x04\0\0\0\0\0\x02xxTTA1", 16)), "a True Audio (TTA) file");
  const std::string caf("caff\0\1\0\0desc\0\0\0\0\0\0\0\x20@\xe5\x88\x80\0\0\0\0", 28);
  EXPECT_STREQ(ForeignKind(caf + "alac"), "a CAF file of ALAC");
  EXPECT_STREQ(ForeignKind(caf + "aac "), "a CAF file of AAC");
  for (const std::string& file :
       {caf + "lpcm", caf, std::string("RIFF1234WAVE"), std::string("fLaC"), std::string("\xff\xfb\x90\x04"),
        std::string("FORM1234AIFF"), std::string("OggS"), std::string("abc"), std::string()}) {
    EXPECT_EQ(ForeignKind(file), nullptr) << file;
  }
}

TEST_F(ForeignSoundTest, IsGivenTheFileAndAsksForSamples) {
  Install("printf '%s\\n' \"$@\" >" + folder_ / "arguments" + "; cat /proc/self/fd/0");
  const absl::StatusOr<std::string> wav = Decode();
  ASSERT_TRUE(wav.ok()) << wav.status();
  EXPECT_EQ(*wav, kM4a);
  const std::string arguments = ReadFile(folder_ / "arguments");
  EXPECT_THAT(arguments, HasSubstr("-xerror\n"));
  EXPECT_THAT(arguments, HasSubstr("-protocol_whitelist\nfile\n-i\nfile:/proc/self/fd/0\n"));
}

TEST_F(ForeignSoundTest, WithoutFfmpegTheMessageSaysHowToGetIt) {
  setenv("PATH", folder_.path().c_str(), 1);
  const absl::Status status = Decode().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is an MP4 (M4A) file, which the server does not decode"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("apt install ffmpeg"));
}

TEST_F(ForeignSoundTest, WhatFfmpegFindsDamagedIsRefusedWithItsReason) {
  Install("printf RIFF; echo '[mov,mp4 @ 0x55] partial file' >&2; echo more >&2; exit 1");
  const absl::Status status = Decode().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot decode to its end: partial file"));
  Install("printf RIFF; echo '[matroska,webm @ 0x55] File ended prematurely' >&2");
  EXPECT_THAT(std::string(Decode().status().message()), HasSubstr("File ended prematurely"));
  Install("exit 0");
  EXPECT_EQ(Decode().status().code(), absl::StatusCode::kInvalidArgument) << "nothing came";
}

TEST_F(ForeignSoundTest, IsEndedWhenItWritesTooMuchOrTakesTooLong) {
  Install("exec cat /dev/zero");
  EXPECT_EQ(Decode(100000).status().code(), absl::StatusCode::kResourceExhausted);
  Install("exec sleep 600");
  EXPECT_EQ(Decode(kMaxBytes, absl::Milliseconds(200)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace hearwire::cli
