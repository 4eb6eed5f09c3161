// Decodes one audio file as the server does, without resampling, for comparisons with other programs.
//
//   decode_file FILE RATE >MONO   32-bit floats at RATE, on standard output; a refusal on standard error, exit status 1

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: decode_file FILE RATE\n";
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto result = hearwire::DecodeAudio(hearwire::EncodedAudio{bytes}, {}, std::atoi(argv[2]));
  if (const auto* error = std::get_if<hearwire::AudioError>(&result)) {
    std::cerr << error->status.message() << "\n";
    return 1;
  }
  const auto& clip = std::get<std::vector<float>>(result);
  const bool is_written = std::fwrite(clip.data(), sizeof(float), clip.size(), stdout) == clip.size();
  return is_written && std::fflush(stdout) == 0 ? 0 : 3;
}
