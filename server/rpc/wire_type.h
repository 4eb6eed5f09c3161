// Protobuf's wire format (https://protobuf.dev/programming-guides/encoding): a tag is a field's number and how its
// value is written.

#ifndef HEARWIRE_SERVER_RPC_WIRE_TYPE_H_
#define HEARWIRE_SERVER_RPC_WIRE_TYPE_H_

#include <cstdint>

namespace hearwire {

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kGroup = 3, kGroupEnd = 4, kFixed32 = 5 };
inline constexpr uint32_t kWireTypeBits = 3;

// May be none of these.
constexpr WireType WireTypeOf(uint32_t tag) { return static_cast<WireType>(tag & ((1U << kWireTypeBits) - 1)); }

constexpr uint32_t BytesTag(int field) {
  return (static_cast<uint32_t>(field) << kWireTypeBits) | static_cast<uint32_t>(WireType::kBytes);
}

// The tag that ends the group which a tag begins.
constexpr uint32_t EndOfGroup(uint32_t begin) {
  return begin - static_cast<uint32_t>(WireType::kGroup) + static_cast<uint32_t>(WireType::kGroupEnd);
}

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WIRE_TYPE_H_
