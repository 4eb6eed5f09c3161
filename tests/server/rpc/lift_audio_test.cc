#include "server/rpc/lift_audio.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "tests/server/rpc/damaged_bytes.h"

namespace hearwire {
namespace {

using google::protobuf::io::ArrayInputStream;

// In blocks of a few bytes, as if each came alone; nothing: it is no message.
std::optional<std::string> InParts(const std::string& bytes, int block) {
  ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), block);
  v1::GetSceneEmbeddingsRequest message;
  if (!ParseInParts(&stream, &message)) return std::nullopt;
  return message.SerializeAsString();
}

std::optional<std::string> ByProtobuf(const std::string& bytes) {
  v1::GetSceneEmbeddingsRequest message;
  if (!message.ParseFromString(bytes)) return std::nullopt;
  return message.SerializeAsString();
}

v1::GetSceneEmbeddingsRequest Request() {
  v1::GetSceneEmbeddingsRequest request;
  request.set_config("mn04_all_b_mel_avgs");
  request.add_clips()->set_encoded("a whole file");
  v1::Pcm* pcm = request.add_clips()->mutable_pcm();
  pcm->set_encoding(v1::Pcm::ENCODING_LINEAR16);
  pcm->set_sample_rate_hertz(44100);
  pcm->set_samples("samples of a clip");
  request.add_clips();
  request.set_element_type(v1::ELEMENT_TYPE_FLOAT16);
  return request;
}

TEST(LiftAudioTest, ReadsWhatProtobufReads) {
  const std::string bytes = Request().SerializeAsString();
  for (const int block : {1, 3, 1000}) EXPECT_EQ(InParts(bytes, block), bytes);
  EXPECT_EQ(InParts("", 1), "");
}

TEST(LiftAudioTest, LeavesTheRestSmall) {
  v1::GetSceneEmbeddingsRequest request = Request();
  request.mutable_clips(0)->set_encoded(std::string(100'000, 'x'));
  request.mutable_clips(1)->mutable_pcm()->set_samples(std::string(100'000, 'y'));
  const std::string bytes = request.SerializeAsString();
  ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), 64);
  const std::optional<LiftedRequest> lifted = LiftAudio(&stream);
  ASSERT_TRUE(lifted.has_value());
  EXPECT_LT(lifted->message.size(), 100u);
  ASSERT_EQ(lifted->clips.size(), 3u);
  EXPECT_EQ(lifted->clips[0].encoded, request.clips(0).encoded());
  // Its room is what it needs: large ones would take up to twice as much otherwise.
  EXPECT_LT(lifted->clips[0].encoded.capacity(), 100'100u);
  EXPECT_EQ(lifted->clips[1].pcm_samples, request.clips(1).pcm().samples());
}

// What comes twice, in another order, or is not known: no writer does so, and protobuf has a rule for each.
TEST(LiftAudioTest, PutsTogetherWhatComesTwice) {
  const auto audio = [](const std::string& fields) { return std::string("\x12") + char(fields.size()) + fields; };
  const std::string encoded =
                        "\x12\x01"
                        "e",
                    other =
                        "\x12\x02"
                        "fg",
                    none = std::string("\x12\x00", 2);
  const std::string samples =
                        "\x0a\x03\x22\x01"
                        "s",
                    rate = "\x0a\x02\x10\x07",
                    more =
                        "\x0a\x04\x22\x02"
                        "tu";
  const std::string unknown =
                        "\x7a\x01"
                        "u",
                    group = std::string("\x7b\x08\x05\x7c"),
                    fixed =
                        "\x7d"
                        "abcd\x79"
                        "abcdefgh";
  const std::vector<std::string> parts = {encoded, other, none, samples, rate, more, unknown, group, fixed};
  for (const std::string& a : parts) {
    for (const std::string& b : parts) {
      for (const std::string& c : parts) {
        for (const std::string& bytes : {audio(a + b + c), a + audio(b + c) + audio(a) + unknown + group + fixed}) {
          EXPECT_EQ(InParts(bytes, 2), ByProtobuf(bytes)) << testing::PrintToString(bytes);
        }
      }
    }
  }
}

TEST(LiftAudioTest, RefusesWhatProtobufRefuses) {
  const std::string bytes = Request().SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::string cut = bytes.substr(0, length);
    EXPECT_EQ(InParts(cut, 5), ByProtobuf(cut)) << length;
  }
  EXPECT_EQ(InParts("\x12\x7f", 1), std::nullopt) << "longer than the message";
  EXPECT_EQ(InParts("\x12\xff\xff\xff\xff\x0f", 1), std::nullopt) << "longer than any message";
  EXPECT_EQ(InParts("\x0c", 1), std::nullopt) << "the end of a group that has not begun";
  EXPECT_EQ(InParts(std::string(200, '\x0b'), 7), std::nullopt) << "groups without end";
  EXPECT_EQ(InParts("\x0a\x01\xff", 1), std::nullopt) << "no UTF-8 in a string";
}

TEST(LiftAudioTest, AgreesWithProtobufOnDamagedMessages) {
  const google::protobuf::LogSilencer silent;
  std::mt19937 random(7);
  const std::string whole = Request().SerializeAsString();
  int read = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string bytes = DamagedBytes(whole, i, &random);
    const std::optional<std::string> expected = ByProtobuf(bytes);
    read += expected.has_value();
    ASSERT_EQ(InParts(bytes, 1 + static_cast<int>(random() % 40)), expected) << testing::PrintToString(bytes);
  }
  EXPECT_GT(read, 10'000);
}

}  // namespace
}  // namespace hearwire
