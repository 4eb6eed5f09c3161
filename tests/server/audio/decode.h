// Decodes files in tests.

#ifndef HEARWIRE_TESTS_SERVER_AUDIO_DECODE_H_
#define HEARWIRE_TESTS_SERVER_AUDIO_DECODE_H_

#include <string>
#include <vector>

namespace hearwire {

// The samples that DecodeAudio makes of a file, mixed down, at rate_hz. None, and a failure of the test, where it is
// refused.
std::vector<float> Decode(const std::string& bytes, int rate_hz = 32000);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_AUDIO_DECODE_H_
