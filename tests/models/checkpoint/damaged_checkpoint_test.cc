// The committed default network, damaged in many places: it is refused or read unchanged, and nothing else happens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/network_weights.h"
#include "models/checkpoint/zip_records.h"
#include "tests/fixtures/checkpoint_writer.h"

namespace hearwire {
namespace {

const std::string& DefaultNetwork() {
  static const std::string bytes = [] {
    std::ifstream in(HEARWIRE_SOURCE_DIR "/models/weights/hearwire_mn01.pt", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  return bytes;
}

bool Equal(const Checkpoint& a, const Checkpoint& b) {
  return a.tensors.size() == b.tensors.size() &&
         std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && x.second.shape == y.second.shape && x.second.values == y.second.values;
         });
}

TEST(DamagedCheckpointTest, IsFineWithoutDamage) {
  const auto checkpoint = ParseCheckpoint(DefaultNetwork(), "hearwire_mn01.pt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto weights = MakeNetworkWeights(*checkpoint, "hearwire_mn01.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->width, 0.1);
  EXPECT_EQ(weights->sha256, FindNetwork(kEmbeddedNetworkName)->sha256);
}

TEST(DamagedCheckpointTest, IsRefusedWhereverItIsTruncated) {
  const std::string_view whole = DefaultNetwork();
  for (size_t size = 0; size < whole.size(); size += 499) {
    EXPECT_FALSE(ParseCheckpoint(whole.substr(0, size), "cut.pt").ok()) << size;
  }
  for (size_t cut = 1; cut < 300; ++cut) {
    EXPECT_FALSE(ParseCheckpoint(whole.substr(0, whole.size() - cut), "cut.pt").ok()) << cut;
    EXPECT_FALSE(ParseCheckpoint(whole.substr(cut), "cut.pt").ok()) << cut;
  }
}

TEST(DamagedCheckpointTest, IsRefusedOrUnchangedWhenAByteIsFlipped) {
  const auto original = ParseCheckpoint(DefaultNetwork(), "whole.pt");
  ASSERT_TRUE(original.ok());
  std::string flipped = DefaultNetwork();
  std::mt19937 random(11);
  int refused = 0;
  const auto flip = [&](size_t at) {
    const char mask = static_cast<char>(1 + random() % 255);
    flipped[at] ^= mask;
    const auto checkpoint = ParseCheckpoint(flipped, "flipped.pt");
    refused += !checkpoint.ok();
    EXPECT_TRUE(!checkpoint.ok() || Equal(*checkpoint, *original)) << "byte " << at << " xor " << int(mask);
    flipped[at] ^= mask;
  };
  for (size_t at = 0; at < flipped.size(); at += 811) flip(at);
  for (size_t at = 0; at < 200; ++at) flip(at);                                         // The first local header.
  for (size_t at = flipped.size() - 22; at < flipped.size(); ++at) flip(at);            // The end record.
  for (size_t at = flipped.size() - 2000; at < flipped.size() - 22; at += 3) flip(at);  // Some of the directory.
  EXPECT_GT(refused, 1000);
}

// With the archive's checksums made right again, so that the damage reaches what is behind them.
TEST(DamagedCheckpointTest, IsRefusedOrSoundWhenItsPickleIsChanged) {
  const auto original = ReadZipRecords(DefaultNetwork());
  ASSERT_TRUE(original.ok());
  std::vector<ZipRecord> records;
  size_t pickle = 0;
  for (const auto& [name, bytes] : *original) {
    if (name.ends_with("/data.pkl")) pickle = records.size();
    records.push_back({std::string(name), std::string(bytes)});
  }
  ASSERT_TRUE(ParseCheckpoint(WriteZip(records), "again.pt").ok());
  std::mt19937 random(12);
  int refused = 0;
  const std::string intact = records[pickle].bytes;
  for (int round = 0; round < 1500; ++round) {
    std::string& bytes = records[pickle].bytes;
    bytes = intact;
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] ^= static_cast<char>(1 + random() % 255);
        break;
      case 1:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 2:
        bytes.insert(at, bytes.substr(random() % bytes.size(), 1 + random() % 64));
        break;
      case 3:
        bytes.replace(at, 4, "\xff\xff\xff\x7f");
        break;
    }
    const auto checkpoint = ParseCheckpoint(WriteZip(records), "changed.pt");
    if (!checkpoint.ok()) {
      ++refused;
      continue;
    }
    const auto weights = MakeNetworkWeights(*checkpoint, "changed.pt");
    EXPECT_TRUE(!weights.ok() || weights->width == 0.1);
    refused += !weights.ok();
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace hearwire
