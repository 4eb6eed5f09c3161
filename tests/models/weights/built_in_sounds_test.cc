#include "models/weights/built_in_sounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/fixtures/npy.h"
#include "tests/fixtures/shared_data.h"
#include "tests/fixtures/sounds.h"

namespace hearwire {
namespace {

// Of rising zero crossings, between two samples.
int CountCycles(const std::vector<float>& samples, size_t from, size_t to) {
  int cycles = 0;
  for (size_t n = from + 1; n < to; ++n) cycles += samples[n - 1] < 0 && samples[n] >= 0;
  return cycles;
}

TEST(BuiltInSoundsTest, AChirpRisesFromLowToHigh) {
  const std::vector<float> chirp = MakeChirp(1);
  ASSERT_EQ(chirp.size(), 32000u);
  EXPECT_EQ(chirp[0], 0.0f);
  EXPECT_NEAR(*std::max_element(chirp.begin(), chirp.end()), 0.5f, 1e-3f);
  EXPECT_NEAR(CountCycles(chirp, 0, 3200), 10, 1);        // 80 to 132 Hz.
  EXPECT_NEAR(CountCycles(chirp, 31360, 32000), 229, 2);  // 10.9 to 12 kHz.
  EXPECT_EQ(MakeChirp(11).size(), 352000u);
}

TEST(BuiltInSoundsTest, ANoiseBurstSwellsAndFades) {
  const std::vector<float> noise = MakeNoiseBurst();
  ASSERT_EQ(noise.size(), 12800u);
  EXPECT_EQ(noise.front(), 0.0f);
  EXPECT_NEAR(noise.back(), 0.0f, 1e-12f);
  EXPECT_NEAR(std::abs(*std::max_element(noise.begin(), noise.end())), 0.25f, 1e-2f);
  // (1664525 state + 1013904223) / 2^31 - 1 of the second state, under the window's second value.
  const double state = std::fmod(1664525.0 * (1664525.0 + 1013904223.0) + 1013904223.0, 4294967296.0);
  const double window = 0.5 - 0.5 * std::cos(2 * 3.14159265358979323846 / 12799);
  EXPECT_FLOAT_EQ(noise[1], 0.25 * (state / 2147483648.0 - 1) * window);
}

TEST(GoldenSoundsTest, EqualTheReferencesBitForBit) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  int compared = 0;
  for (const Sound& sound : GoldenSounds()) {
    const auto audio = ReadNpy(SharedDataDir() + "/default_model/golden/" + sound.name + ".audio.npy");
    if (sound.name == "chirp_11s") continue;  // Not stored.
    ASSERT_TRUE(audio.ok()) << audio.status();
    ASSERT_EQ(sound.clip.size(), audio->values.size()) << sound.name;
    for (size_t n = 0; n < sound.clip.size(); ++n) {
      ASSERT_EQ(sound.clip[n], audio->values[n]) << sound.name << " sample " << n;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 3);
}

}  // namespace
}  // namespace hearwire
