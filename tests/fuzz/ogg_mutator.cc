// Changes audio files as libFuzzer does, and mends the checksums of Ogg pages, or nothing behind them would ever be
// seen.

#include <ogg/ogg.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

void MendOggChecksums(uint8_t* data, size_t size) {
  constexpr size_t kHeaderBytes = 27;
  for (size_t begin = 0; begin + kHeaderBytes <= size;) {
    uint8_t* page = data + begin;
    if (std::memcmp(page, "OggS", 4) != 0) return;
    const size_t head = kHeaderBytes + page[26];
    if (begin + head > size) return;
    size_t body = 0;
    for (size_t i = kHeaderBytes; i < head; ++i) body += page[i];
    if (begin + head + body > size) return;
    ogg_page whole = {page, static_cast<long>(head), page + head, static_cast<long>(body)};  // NOLINT: libogg's types.
    ogg_page_checksum_set(&whole);
    begin += head + body;
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) MendOggChecksums(data, size);
  return size;
}
