// Thousands of damaged files: each is refused or decoded, quickly, within bounds of memory, and nothing crashes.
// HEARWIRE_MUTATIONS sets how many of each kind.

#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "server/audio/decode_audio.h"
#include "server/audio/non_finite.h"
#include "tests/fixtures/audio_files.h"

namespace hearwire {
namespace {

constexpr int kRateHz = 32000;
constexpr double kMaxSeconds = 1;
// More than before. AddressSanitizer keeps what was freed.
#ifdef __SANITIZE_ADDRESS__
constexpr int64_t kMaxKibibytes = 1024 * 1024;
#else
constexpr int64_t kMaxKibibytes = 64 * 1024;
#endif
const AudioLimits kLimits = {.max_decoded = absl::Seconds(5)};

int MutationCount() {
  const char* count = std::getenv("HEARWIRE_MUTATIONS");
  return count != nullptr ? std::atoi(count) : 500;
}

double CpuSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int64_t PeakKibibytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  std::string Mutate(std::string bytes) {
    const uint32_t changes = 1 + Below(4);
    for (uint32_t i = 0; i < changes && !bytes.empty(); ++i) Change(&bytes);
    return bytes;
  }

  // Changes the content of pages and repairs their checksums, so that the decoder sees it.
  std::string MutateOggPages(std::string ogg) {
    const std::vector<size_t> pages = OggPageOffsets(ogg);
    const uint32_t changes = 1 + Below(3);
    for (uint32_t i = 0; i < changes; ++i) {
      const size_t page = Below(static_cast<uint32_t>(pages.size()) - 1);
      const size_t body = pages[page] + 27 + static_cast<uint8_t>(ogg[pages[page] + 26]);
      if (body < pages[page + 1]) {
        ogg[body + Below(static_cast<uint32_t>(pages[page + 1] - body))] = static_cast<char>(random_());
      }
      int64_t position = 0;
      std::memcpy(&position, ogg.data() + pages[page] + 6, sizeof(position));
      if (Below(4) == 0) position = static_cast<int64_t>(uint64_t{random_()} << 32 | random_()) >> Below(64);
      ogg = WithOggPosition(ogg, pages[page], position);
    }
    return ogg;
  }

 private:
  uint32_t Below(uint32_t end) { return random_() % end; }

  // Half of the changes are in the header.
  size_t Place(const std::string& bytes) {
    const auto size = static_cast<uint32_t>(bytes.size());
    return Below(Below(2) == 0 ? std::min(size, 120U) : size);
  }

  void Change(std::string* bytes) {
    const size_t place = Place(*bytes);
    constexpr uint32_t kExtremes[] = {0,      1,      0x7f,       0x80,       0xff,       0x7fff,
                                      0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    switch (Below(8)) {
      case 0:
        (*bytes)[place] ^= static_cast<char>(1 << Below(8));
        break;
      case 1:
        (*bytes)[place] = static_cast<char>(random_());
        break;
      case 2:
      case 3: {
        const uint32_t value = kExtremes[Below(std::size(kExtremes))];
        const size_t width = Below(2) == 0 ? 2 : 4;
        if (place + width <= bytes->size()) std::memcpy(bytes->data() + place, &value, width);
        break;
      }
      case 4:
        bytes->resize(place);
        break;
      case 5:
        bytes->erase(place, 1 + Below(16));
        break;
      case 6:
        bytes->insert(place, 1 + Below(16), static_cast<char>(random_()));
        break;
      case 7:
        bytes->insert(place, *bytes, Place(*bytes), 1 + Below(1000));
        break;
    }
  }

  std::mt19937 random_;
};

struct Kind {
  std::string name;
  std::string bytes;
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

std::vector<Kind> Kinds() {
  const Sound noise = MakeNoise(16000, 2, 0.4);
  Sound mixed = MakeSine(500, 44100, 2, 0.6);
  std::copy_n(MakeNoise(44100, 2, 0.2).values.begin(), 17640, mixed.values.begin());
  const std::string id3 = std::string("ID3\x03\0\0\0\0\0\x20", 10) + std::string(32, 'x');
  return {{"Wav", MakeWav(noise)},
          {"WavExtensibleFloat", MakeFile(noise, SF_FORMAT_WAVEX | SF_FORMAT_FLOAT)},
          {"Aiff", MakeFile(noise, SF_FORMAT_AIFF | SF_FORMAT_PCM_16)},
          {"AiffFloat", MakeFile(noise, SF_FORMAT_AIFF | SF_FORMAT_FLOAT)},
          {"Au", MakeFile(noise, SF_FORMAT_AU | SF_FORMAT_PCM_24)},
          {"Caf", MakeFile(noise, SF_FORMAT_CAF | SF_FORMAT_PCM_16)},
          {"W64", MakeFile(noise, SF_FORMAT_W64 | SF_FORMAT_PCM_16)},
          {"Rf64", MakeFile(noise, SF_FORMAT_RF64 | SF_FORMAT_PCM_16)},
          {"Rifx", MakeFile(noise, SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16)},
          {"WavMuLaw", MakeFile(noise, SF_FORMAT_WAV | SF_FORMAT_ULAW)},
          {"WavImaAdpcm", MakeFile(noise, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM)},
          {"WavMsAdpcm", MakeFile(noise, SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM)},
          {"WavGsm", MakeFile(MakeNoise(8000, 1, 0.4), SF_FORMAT_WAV | SF_FORMAT_GSM610)},
          {"Flac", MakeFlac(mixed)},
          {"Flac24", MakeFile(mixed, SF_FORMAT_FLAC | SF_FORMAT_PCM_24)},
          {"Ogg", MakeOgg(mixed)},
          {"Opus", MakeOpus(MakeNoise(48000, 1, 0.4))},
          {"OggFlac", MakeOggFlac(MakeNoise(16000, 2, 0.4), SF_FORMAT_PCM_16)},
          {"OggChain", MakeOgg(mixed) + MakeOgg(mixed)},
          {"Mp3", MakeMp3(mixed)},
          {"VariableMp3", id3 + MakeVariableMp3(mixed)},
          {"UntaggedMp3", WithoutMp3InfoTag(MakeMp3(mixed))}};
}

class MutationTest : public testing::TestWithParam<Kind> {
 protected:
  // Says whether it was decoded.
  bool DecodeAndCheck(const std::string& bytes) {
    // Exactly as many bytes as there are, so that a read past the end is seen by sanitizers.
    const std::vector<char> copy(bytes.begin(), bytes.end());
    const double begin = CpuSeconds();
    const auto result = DecodeAudio(EncodedAudio{{copy.data(), copy.size()}}, kLimits, kRateHz);
    EXPECT_LT(CpuSeconds() - begin, kMaxSeconds);
    if (const auto* clip = std::get_if<std::vector<float>>(&result)) {
      EXPECT_LE(clip->size(), size_t{5 * kRateHz + 1});
      EXPECT_EQ(FindNonFinite(*clip), -1);
      return true;
    }
    const absl::StatusCode code = std::get<AudioError>(result).status.code();
    EXPECT_TRUE(code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kResourceExhausted)
        << std::get<AudioError>(result).status;
    return false;
  }
};

TEST_P(MutationTest, IsRefusedOrDecodedWithinBounds) {
  const Kind& kind = GetParam();
  ASSERT_TRUE(DecodeAndCheck(kind.bytes));
  const int64_t before = PeakKibibytes();
  const bool is_ogg = kind.bytes.starts_with("OggS");
  Mutator mutator(1);
  int decoded = 0;
  const int count = MutationCount();
  for (int i = 0; i < count; ++i) {
    const std::string bytes = is_ogg && i % 2 == 0 ? mutator.MutateOggPages(kind.bytes) : mutator.Mutate(kind.bytes);
    decoded += DecodeAndCheck(bytes) ? 1 : 0;
    if (HasFailure()) FAIL() << "mutation " << i;
  }
  EXPECT_LT(PeakKibibytes() - before, kMaxKibibytes);
  // Otherwise the mutations are too harsh, or too mild, to be worth anything.
  EXPECT_GT(decoded, count / 500);
  EXPECT_LT(decoded, count);
}

INSTANTIATE_TEST_SUITE_P(Kinds, MutationTest, testing::ValuesIn(Kinds()),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

}  // namespace
}  // namespace hearwire
