// Numbers in the headers of files.

#ifndef HEARWIRE_SERVER_AUDIO_READ_NUMBER_H_
#define HEARWIRE_SERVER_AUDIO_READ_NUMBER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace hearwire {

// A number at `offset`, which must be there.
template <typename Number>
Number ReadNumber(std::string_view bytes, size_t offset, std::endian order) {
  using Bits = std::conditional_t<
      sizeof(Number) == 8, uint64_t,
      std::conditional_t<sizeof(Number) == 4, uint32_t, std::conditional_t<sizeof(Number) == 2, uint16_t, uint8_t>>>;
  Bits bits = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    const size_t place = order == std::endian::big ? i : sizeof(Number) - 1 - i;
    bits = static_cast<Bits>(uint64_t{bits} << 8 | static_cast<uint8_t>(bytes[offset + place]));
  }
  return std::bit_cast<Number>(bits);
}

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_READ_NUMBER_H_
