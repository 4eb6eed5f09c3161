#include "models/checkpoint/zip_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "tests/fixtures/checkpoint_writer.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string Refusal(std::string_view bytes) {
  const auto records = ReadZipRecords(bytes);
  if (records.ok()) return "not refused";
  EXPECT_EQ(records.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(records.status().message());
}

template <typename Number>
std::string With(std::string bytes, size_t offset, Number number) {
  std::memcpy(bytes.data() + offset, &number, sizeof(number));
  return bytes;
}

// Two records: "a" at byte 0, its data at 31; "bc" at byte 36. The directory starts where `Directory` says.
std::string Archive() { return WriteZip({{"a", "first"}, {"bc", "second"}}); }
size_t Directory() { return Archive().find("PK\x01\x02"); }
size_t End() { return Archive().find("PK\x05\x06"); }

TEST(ZipRecordsTest, AreViewsOfTheArchive) {
  const std::string archive = Archive();
  const auto records = ReadZipRecords(archive);
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_THAT(*records, ElementsAre(Pair("a", "first"), Pair("bc", "second")));
  EXPECT_EQ(records->at("a").data(), archive.data() + 31);
}

TEST(ZipRecordsTest, AreFoundBeforeAComment) {
  std::string archive = With<uint16_t>(Archive(), End() + 20, 7) + "comment";
  const auto records = ReadZipRecords(archive);
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(records->size(), 2u);
}

TEST(ZipRecordsTest, RefuseWhatIsNoArchive) {
  EXPECT_THAT(Refusal(""), HasSubstr("not a zip archive"));
  EXPECT_THAT(Refusal("PK\x05\x06"), HasSubstr("not a zip archive"));
  EXPECT_THAT(Refusal(std::string(100000, 'x')), HasSubstr("not a zip archive"));
}

TEST(ZipRecordsTest, RefuseEveryTruncation) {
  const std::string archive = Archive();
  for (size_t size = 0; size < archive.size(); ++size) {
    EXPECT_THAT(Refusal(std::string_view(archive).substr(0, size)), HasSubstr("not a zip archive")) << size;
  }
}

TEST(ZipRecordsTest, RefuseCompressedAndEncryptedRecords) {
  EXPECT_THAT(Refusal(WriteZip({{"a", "first", 8}})), HasSubstr("record 'a' is compressed (method 8)"));
  EXPECT_THAT(Refusal(With<uint16_t>(Archive(), Directory() + 8, 1)), HasSubstr("record 'a' is encrypted"));
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), Directory() + 20, 4)), HasSubstr("claims 5 bytes stored in 4"));
}

TEST(ZipRecordsTest, RefuseADamagedRecord) {
  std::string archive = Archive();
  archive[33] ^= 1;
  EXPECT_THAT(Refusal(archive), HasSubstr("record 'a' is damaged"));
}

TEST(ZipRecordsTest, RefuseTheSameNameTwice) {
  EXPECT_THAT(Refusal(WriteZip({{"a", "first"}, {"a", "second"}})), HasSubstr("record 'a' is there twice"));
}

TEST(ZipRecordsTest, RefuseHugeClaims) {
  const size_t directory = Directory();
  std::string huge = With<uint32_t>(With<uint32_t>(Archive(), directory + 20, 0xfffffff0), directory + 24, 0xfffffff0);
  EXPECT_THAT(Refusal(huge), HasSubstr("overlap"));
  std::string beyond = With<uint32_t>(With<uint32_t>(Archive(), directory + 20, 100), directory + 24, 100);
  EXPECT_THAT(Refusal(beyond), HasSubstr("record 'a' claims 100 bytes"));
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), directory + 42, 0xfffffff0)), HasSubstr("does not start at byte"));
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), End() + 12, 0xfffffff0)), HasSubstr("lies outside"));
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), End() + 16, 0xfffffff0)), HasSubstr("lies outside"));
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), End() + 16, 0xffffffff)), HasSubstr("4 GiB"));
  EXPECT_THAT(Refusal(With<uint16_t>(Archive(), End() + 10, 65535)), HasSubstr("damaged at its record 2 of 65535"));
}

TEST(ZipRecordsTest, RefuseADirectoryThatDisagreesWithTheRecords) {
  const size_t directory = Directory();
  EXPECT_THAT(Refusal(With<uint32_t>(Archive(), directory + 42, 36)), HasSubstr("record 'a' has another name"));
  EXPECT_THAT(Refusal(With<uint16_t>(Archive(), End() + 10, 1)), HasSubstr("behind its 1 records"));
  EXPECT_THAT(Refusal(With<uint16_t>(Archive(), directory + 28, 60000)), HasSubstr("damaged at its record 0"));
}

// Every record holds the next one's header and all that follows: reading n of them would cost n times the file.
TEST(ZipRecordsTest, RefuseRecordsThatShareBytes) {
  std::string records(10000, 'x');
  std::string directory;
  for (int i = 0; i < 3; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    const std::string archive = WriteZip({{name, records}});
    const size_t at = archive.find("PK\x01\x02");
    records = archive.substr(0, at);
    // Offsets count from the front, where headers are still to come.
    directory += With<uint32_t>(archive.substr(at, 47), 42, (2 - i) * 31);
  }
  const std::string empty = WriteZip({});
  std::string shared = records + directory + With<uint16_t>(empty, 10, 3);
  shared = With<uint32_t>(shared, shared.size() - 10, directory.size());
  shared = With<uint32_t>(shared, shared.size() - 6, records.size());
  EXPECT_THAT(Refusal(shared), HasSubstr("overlap: up to 'b' they claim 20031 bytes of"));
}

}  // namespace
}  // namespace hearwire
