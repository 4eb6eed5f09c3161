#include "server/rpc/message_fields.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "hearwire/v1/embedding.pb.h"
#include "tests/server/rpc/damaged_bytes.h"

namespace hearwire {
namespace {

MessageFields Fields(const std::string& bytes, int64_t most, int block = 5) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), block);
  return CountFields(&stream, *v1::GetTagsRequest::descriptor(), most);
}

v1::GetTagsRequest Request() {
  v1::GetTagsRequest request;
  request.set_network("mn04_as");
  request.add_clips()->set_encoded("a whole file");
  v1::Pcm* pcm = request.add_clips()->mutable_pcm();
  pcm->set_sample_rate_hertz(44100);
  pcm->set_samples("samples of a clip");
  return request;
}

TEST(MessageFieldsTest, CountsThoseOfMessagesWithinToo) {
  const std::string bytes = Request().SerializeAsString();  // The name, two clips, a file, a Pcm, its rate and samples.
  for (const int block : {1, 4, 1000}) {
    EXPECT_TRUE(Fields(bytes, 7, block).is_message);
    EXPECT_FALSE(Fields(bytes, 7, block).has_too_many);
    EXPECT_TRUE(Fields(bytes, 6, block).has_too_many);
    EXPECT_FALSE(Fields(bytes, 7, block).has_unknown);
  }
  EXPECT_TRUE(Fields("", 0).is_message);
}

TEST(MessageFieldsTest, KnowsWhatIsUnknown) {
  EXPECT_TRUE(Fields("\x7a\x01u", 1).has_unknown);
  EXPECT_TRUE(Fields("\x12\x03\x7a\x01u", 2).has_unknown) << "within a clip";
  const std::string group = "\x7b\x08\x05\x7c";
  EXPECT_TRUE(Fields(group, 2).is_message);
  EXPECT_TRUE(Fields(group, 2).has_unknown);
  EXPECT_TRUE(Fields(group, 1).has_too_many);
  EXPECT_FALSE(Fields(std::string(100'000, '\x7b'), 1'000'000).is_message) << "groups without end";
}

// What is refused here, protobuf refuses; so nothing that it reads is kept from it.
TEST(MessageFieldsTest, RefusesNothingThatProtobufReads) {
  const google::protobuf::LogSilencer silent;
  std::mt19937 random(11);
  const std::string whole = Request().SerializeAsString();
  int read = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string bytes = DamagedBytes(whole, i, &random);
    v1::GetTagsRequest message;
    if (!message.ParseFromString(bytes)) continue;
    ++read;
    ASSERT_TRUE(Fields(bytes, 1000).is_message) << testing::PrintToString(bytes);
  }
  EXPECT_GT(read, 10'000);
}

}  // namespace
}  // namespace hearwire
