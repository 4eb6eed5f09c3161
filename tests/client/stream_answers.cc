#include "tests/client/stream_answers.h"

#include <thread>

#include "client/client.h"
#include "gtest/gtest.h"

namespace hearwire::client {

std::vector<int16_t> Sound(int seconds) {
  std::vector<int16_t> samples(static_cast<size_t>(seconds) * 1000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<int16_t>(i * 7919 % 601);
  return samples;
}

StreamOptions RowOptions() {
  StreamOptions options;
  options.encoding = Audio::Encoding::kLinear16;
  options.sample_rate_hz = 1000;
  options.timestamps = true;
  return options;
}

Answers ReadAll(Stream& stream) {
  Answers answers;
  while (true) {
    const absl::StatusOr<std::optional<StreamEvent>> event = stream.Read();
    answers.status = event.status();
    if (!event.ok() || !*event) return answers;
    if (std::holds_alternative<StreamStarted>(**event)) ++answers.starts;
    if (const auto* rows = std::get_if<ClipTimestampEmbeddings>(&**event)) {
      EXPECT_EQ(rows->embeddings.rows, static_cast<int64_t>(rows->timestamps_ms.size()));
      answers.times_ms.insert(answers.times_ms.end(), rows->timestamps_ms.begin(), rows->timestamps_ms.end());
      const std::vector<float>& values = rows->embeddings.values;
      answers.values.insert(answers.values.end(), values.begin(), values.end());
    }
    if (const auto* scene = std::get_if<SceneWindow>(&**event)) {
      answers.scene_times_ms.push_back(scene->centre_ms);
      const std::vector<float>& values = scene->embedding.values;
      answers.scene_values.insert(answers.scene_values.end(), values.begin(), values.end());
    }
    if (const auto* heads = std::get_if<HeadRows>(&**event)) {
      for (const LabelRow& row : heads->heads.at(0).rows) {
        answers.label_times_ms.push_back(row.timestamp_ms);
        answers.label_names.push_back(row.labels.at(0).name);
      }
    }
    if (const auto* summary = std::get_if<StreamSummary>(&**event)) answers.summary = *summary;
  }
}

Answers RunStream(const std::string& server, const StreamOptions& options, const std::vector<int16_t>& sound,
                  size_t piece) {
  auto client = Client::Create({.server = server});
  EXPECT_TRUE(client.ok()) << client.status();
  if (!client.ok()) return {};
  auto stream = (*client)->OpenStream(options);
  EXPECT_TRUE(stream.ok()) << stream.status();
  if (!stream.ok()) return {};
  std::thread writer([&] {
    for (size_t i = 0; i < sound.size(); i += piece) {
      if (!(*stream)->Write(absl::MakeConstSpan(sound).subspan(i, piece)).ok()) return;
    }
    (*stream)->Finish();
  });
  Answers answers = ReadAll(**stream);
  writer.join();
  return answers;
}

}  // namespace hearwire::client
