// A whole stream: what was written, and all that was answered.

#ifndef HEARWIRE_TESTS_CLIENT_STREAM_ANSWERS_H_
#define HEARWIRE_TESTS_CLIENT_STREAM_ANSWERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/stream.h"

namespace hearwire::client {

// Noise of 1000 samples a second: few samples make long recordings.
std::vector<int16_t> Sound(int seconds);

// For such sounds: rows every 50 ms.
StreamOptions RowOptions();

struct Answers {
  std::vector<double> times_ms;
  std::vector<float> values;
  std::vector<double> scene_times_ms;
  std::vector<float> scene_values;
  std::vector<double> label_times_ms;  // Of the first timestamp head.
  std::vector<std::string> label_names;
  int starts = 0;
  std::optional<StreamSummary> summary;
  absl::Status status;
};

Answers ReadAll(Stream& stream);

// Writes the sound in pieces of so many samples, while another thread reads.
Answers RunStream(const std::string& server, const StreamOptions& options, const std::vector<int16_t>& sound,
                  size_t piece = 100);

}  // namespace hearwire::client

#endif  // HEARWIRE_TESTS_CLIENT_STREAM_ANSWERS_H_
