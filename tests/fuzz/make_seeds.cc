// Writes what the fuzz targets begin with: small files of every kind, made by code.
//
//   make_seeds FOLDER   makes FOLDER/audio, FOLDER/checkpoints and FOLDER/requests

#include <sndfile.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "models/configs/config.h"
#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/head_file.h"
#include "tests/fuzz/request_bytes.h"

namespace hearwire {
namespace {

class Seeds {
 public:
  explicit Seeds(std::string folder) : folder_(std::move(folder)) { std::filesystem::create_directories(folder_); }
  void Add(const std::string& bytes) {
    std::ofstream(folder_ + "/seed" + std::to_string(count_++), std::ios::binary) << bytes;
  }

 private:
  const std::string folder_;
  int count_ = 0;
};

void AddAudio(Seeds seeds) {
  const Sound sound = MakeNoise(16000, 2, 0.02);
  for (const int container :
       std::initializer_list<int>{SF_FORMAT_WAV, SF_FORMAT_WAV | SF_ENDIAN_BIG, SF_FORMAT_WAVEX, SF_FORMAT_RF64,
                                  SF_FORMAT_W64, SF_FORMAT_AIFF, SF_FORMAT_AU, SF_FORMAT_CAF}) {
    for (const int form : {SF_FORMAT_PCM_16, SF_FORMAT_PCM_24, SF_FORMAT_FLOAT, SF_FORMAT_ULAW}) {
      seeds.Add(MakeFile(sound, container | form));
    }
  }
  seeds.Add(MakeFile(sound, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM));
  seeds.Add(MakeFile(sound, SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM));
  seeds.Add(MakeFile(MakeNoise(8000, 1, 0.05), SF_FORMAT_WAV | SF_FORMAT_GSM610));
  seeds.Add(MakeFlac(sound));
  seeds.Add(MakeOggFlac(sound, SF_FORMAT_PCM_16));
  seeds.Add(MakeOgg(sound));
  seeds.Add(MakeOgg(sound) + MakeOgg(sound));
  seeds.Add(WithoutOggEnd(MakeOgg(sound)));
  seeds.Add(MakeOpus(MakeNoise(48000, 1, 0.05)));
  seeds.Add(MakeOpus(MakeNoise(48000, 6, 0.05)));
  const std::string mp3 = MakeMp3(MakeNoise(44100, 2, 0.1));
  seeds.Add(mp3);
  seeds.Add(MakeVariableMp3(MakeNoise(16000, 1, 0.1)));
  seeds.Add("text before" + WithoutMp3InfoTag(mp3));
  seeds.Add(std::string("ID3\x04\0\0\0\0\0\x08", 10) + std::string(8, 'x') + mp3);
  seeds.Add(WavFromChunks(RiffChunk("fmt ", WavFmt(0x55, 2, 44100, 1, 0)) + RiffChunk("data", mp3)));
}

void AddCheckpoints(Seeds seeds) {
  const std::vector<NamedTensor> tensors = {{"a.weight", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                            {"a.num_batches_tracked", {}, {1}}};
  for (const PickledDict dict : {PickledDict::kPlain, PickledDict::kOrdered}) {
    const std::vector<ZipRecord> records = CheckpointRecords(tensors, dict);
    seeds.Add(std::string(1, '\0') + WriteZip(records));
    seeds.Add("\x01" + records.front().bytes);
  }
  seeds.Add("\x02" + MakeHeadFile("hearwire_mn01", {8, 3}).Bytes());
  seeds.Add("\x02" + MakeHeadFile("hearwire_mn01", {4, 3, 2}).Bytes());
}

v1::Audio PcmClip(v1::Pcm::Encoding encoding, uint32_t rate_hz, uint32_t channels, size_t bytes) {
  v1::Audio clip;
  clip.mutable_pcm()->set_encoding(encoding);
  clip.mutable_pcm()->set_sample_rate_hertz(rate_hz);
  clip.mutable_pcm()->set_channel_count(channels);
  clip.mutable_pcm()->set_samples(std::string(bytes, '\0'));
  return clip;
}

template <typename Request>
Request WithClips() {
  Request request;
  *request.add_clips() = PcmClip(v1::Pcm::ENCODING_LINEAR16, 1000, 1, 1000);
  *request.add_clips() = PcmClip(v1::Pcm::ENCODING_FLOAT32, 4000, 2, 4000);
  request.add_clips()->set_encoded(MakeFile(MakeNoise(2000, 1, 0.2), SF_FORMAT_WAV | SF_FORMAT_PCM_16));
  return request;
}

void AddRequests(Seeds seeds) {
  const auto add = [&seeds](int method, const std::string& bytes) {
    seeds.Add(std::string(1, static_cast<char>(method)) + bytes);
  };
  auto scenes = WithClips<v1::GetSceneEmbeddingsRequest>();
  add(0, scenes.SerializeAsString());
  scenes.set_config(std::string(kEmbeddedConfigName));
  scenes.set_element_type(v1::ELEMENT_TYPE_FLOAT16);
  add(0, scenes.SerializeAsString());
  add(1, WithClips<v1::GetTimestampEmbeddingsRequest>().SerializeAsString());
  auto tags = WithClips<v1::GetTagsRequest>();
  tags.set_network(std::string(kEmbeddedNetworkName));
  tags.set_top_k(5);
  add(2, tags.SerializeAsString());
  auto classify = WithClips<v1::ClassifyRequest>();
  classify.add_heads("scenes");
  classify.add_heads("rows");
  classify.set_top_k(1);
  add(3, classify.SerializeAsString());
  add(4, "");
  add(5, "");

  // Of 8 s at 1 kHz and of 12 s, which has scene windows.
  for (const int pieces : {4, 6}) {
    v1::StreamEmbeddingsRequest start, samples;
    start.mutable_start()->set_encoding(v1::Pcm::ENCODING_LINEAR16);
    start.mutable_start()->set_sample_rate_hertz(1000);
    start.mutable_start()->set_timestamps(true);
    start.mutable_start()->set_scenes(pieces == 6);
    start.mutable_start()->set_tags_top_k(2);
    start.mutable_start()->add_heads(pieces == 6 ? "scenes" : "rows");
    samples.set_samples(std::string(4000, '\0'));
    std::vector<std::string> messages(1 + pieces, samples.SerializeAsString());
    messages[0] = start.SerializeAsString();
    add(kStreamMethod, JoinStream(messages));
  }
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_seeds FOLDER\n", stderr);
    return 2;
  }
  const std::string folder = argv[1];
  hearwire::AddAudio(hearwire::Seeds(folder + "/audio"));
  hearwire::AddCheckpoints(hearwire::Seeds(folder + "/checkpoints"));
  hearwire::AddRequests(hearwire::Seeds(folder + "/requests"));
  return 0;
}
