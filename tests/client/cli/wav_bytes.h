// WAV files, well-formed and as programs write them that do not know the length yet.

#ifndef HEARWIRE_TESTS_CLIENT_CLI_WAV_BYTES_H_
#define HEARWIRE_TESTS_CLIENT_CLI_WAV_BYTES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace hearwire::cli {

template <typename Value>
std::string LittleEndian(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline std::string Chunk(std::string_view name, const std::string& bytes) {
  return std::string(name) + LittleEndian(static_cast<uint32_t>(bytes.size())) + bytes +
         (bytes.size() % 2 == 1 ? std::string(1, '\0') : "");
}

inline std::string FormatChunk(uint16_t tag, uint16_t bits, int rate = 1000, uint16_t channels = 1) {
  const int frame = channels * bits / 8;
  std::string bytes = LittleEndian(tag) + LittleEndian(channels) + LittleEndian(static_cast<uint32_t>(rate)) +
                      LittleEndian(static_cast<uint32_t>(rate * frame)) + LittleEndian(static_cast<uint16_t>(frame)) +
                      LittleEndian(bits);
  return Chunk("fmt ", bytes);
}

// WAVE_EXTENSIBLE, whose sub-format begins with `tag`.
inline std::string ExtensibleChunk(uint16_t tag, uint16_t bits) {
  const std::string plain = FormatChunk(0xfffe, bits).substr(8);
  return Chunk("fmt ", plain + LittleEndian(uint16_t{22}) + LittleEndian(bits) + LittleEndian(uint32_t{4}) +
                           LittleEndian(tag) +
                           std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14));
}

// The samples with a header before them. size: what the header says of them.
inline std::string Wav(const std::string& format, const std::string& samples, uint32_t size) {
  return "RIFF" + LittleEndian(size == 0xffffffff ? size : size + 36) + "WAVE" + format + "data" + LittleEndian(size) +
         samples;
}

}  // namespace hearwire::cli

#endif  // HEARWIRE_TESTS_CLIENT_CLI_WAV_BYTES_H_
