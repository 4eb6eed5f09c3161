// Messages as no writer makes them.

#ifndef HEARWIRE_TESTS_SERVER_RPC_DAMAGED_BYTES_H_
#define HEARWIRE_TESTS_SERVER_RPC_DAMAGED_BYTES_H_

#include <random>
#include <string>

namespace hearwire {

// A message's bytes, once or, for odd numbers, twice in a row, with one to four of them changed.
inline std::string DamagedBytes(const std::string& whole, int number, std::mt19937* random) {
  std::string bytes = number % 2 == 0 ? whole : whole + whole;
  for (int damage = static_cast<int>((*random)() % 4); damage >= 0; --damage) {
    bytes[(*random)() % bytes.size()] = static_cast<char>((*random)());
  }
  return bytes;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_RPC_DAMAGED_BYTES_H_
