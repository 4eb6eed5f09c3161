// Writes what the fuzz targets begin with: small files of every kind, made by code.
//
//   make_seeds FOLDER   makes FOLDER/audio and FOLDER/checkpoints

#include <sndfile.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>

#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/head_file.h"

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
  return 0;
}
