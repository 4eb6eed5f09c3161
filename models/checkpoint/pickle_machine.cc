#include "models/checkpoint/pickle_machine.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "models/checkpoint/quote.h"

// Opcodes: Python's Lib/pickletools.py.

namespace hearwire {

static_assert(std::endian::native == std::endian::little, "pickle's numbers are read as they stand in memory");

const char* PickleMachine::Describe(Kind kind) {
  constexpr const char* kDescriptions[] = {"None",
                                           "a bool",
                                           "an integer",
                                           "text",
                                           "a tuple",
                                           "a dict",
                                           "an OrderedDict",
                                           "a tensor",
                                           "a float storage",
                                           "a long storage",
                                           "the type OrderedDict",
                                           "the function _rebuild_tensor_v2",
                                           "the type FloatStorage",
                                           "the type LongStorage"};
  return kDescriptions[static_cast<int>(kind)];
}

absl::StatusOr<std::vector<PickledTensor>> PickleMachine::Run() {
  while (!stopped_) {
    opcode_at_ = at_;
    absl::Status status = Step();
    if (!status.ok()) return status;
  }
  if (at_ != pickle_.size()) return Wrong("the pickle ends, but its record goes on");
  return TakeTensors();
}

absl::Status PickleMachine::WrongKind(const char* what, Ref found) const {
  return Wrong(what, " is ", Describe(values_[found].kind));
}

absl::StatusOr<std::string_view> PickleMachine::ReadBytes(size_t size) {
  if (pickle_.size() - at_ < size) return Wrong("the pickle ends in the middle of an opcode: it is truncated");
  at_ += size;
  return pickle_.substr(at_ - size, size);
}

absl::StatusOr<std::string_view> PickleMachine::ReadLine() {
  const size_t end = pickle_.find('\n', at_);
  if (end == std::string_view::npos) return Wrong("the name of a global has no end");
  const std::string_view line = pickle_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

template <typename Number>
absl::StatusOr<Number> PickleMachine::ReadNumber() {
  const absl::StatusOr<std::string_view> bytes = ReadBytes(sizeof(Number));
  if (!bytes.ok()) return bytes.status();
  Number number;
  std::memcpy(&number, bytes->data(), sizeof(number));
  return number;
}

absl::Status PickleMachine::Push(Value value) {
  stack_.push_back(static_cast<Ref>(values_.size()));
  values_.push_back(std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PickleMachine::Ref>> PickleMachine::Pop(size_t count) {
  if (Depth() < count) return Wrong("an opcode needs ", count, " values and finds ", Depth());
  std::vector<Ref> popped(stack_.end() - count, stack_.end());
  stack_.resize(stack_.size() - count);
  return popped;
}

absl::StatusOr<std::vector<PickleMachine::Ref>> PickleMachine::PopToMark() {
  if (marks_.empty()) return Wrong("an opcode needs a mark and finds none");
  std::vector<Ref> popped(stack_.begin() + marks_.back(), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return popped;
}

template <typename Number>
absl::Status PickleMachine::PushInt() {
  const absl::StatusOr<Number> number = ReadNumber<Number>();
  if (!number.ok()) return number.status();
  return Push({.kind = Kind::kInt, .number = *number});
}

template <typename Index>
absl::Status PickleMachine::Memoize() {
  const absl::StatusOr<Index> index = ReadNumber<Index>();
  if (!index.ok()) return index.status();
  if (Depth() == 0) return Wrong("there is no value to remember");
  // Writers count from 0: an index beyond the pickle's size is no honest one.
  if (*index >= pickle_.size()) return Wrong("memo index ", *index, " in a pickle of ", pickle_.size(), " bytes");
  if (*index >= memo_.size()) memo_.resize(*index + 1, kNoValue);
  memo_[*index] = stack_.back();
  return absl::OkStatus();
}

template <typename Index>
absl::Status PickleMachine::PushMemoized() {
  const absl::StatusOr<Index> index = ReadNumber<Index>();
  if (!index.ok()) return index.status();
  if (*index >= memo_.size() || memo_[*index] == kNoValue) return Wrong("nothing was remembered as ", *index);
  stack_.push_back(memo_[*index]);
  return absl::OkStatus();
}

absl::Status PickleMachine::PushText() {
  const absl::StatusOr<uint32_t> size = ReadNumber<uint32_t>();
  if (!size.ok()) return size.status();
  const absl::StatusOr<std::string_view> text = ReadBytes(*size);
  if (!text.ok()) return text.status();
  return Push({.kind = Kind::kText, .text = *text});
}

absl::Status PickleMachine::PushGlobal() {
  const absl::StatusOr<std::string_view> module = ReadLine();
  if (!module.ok()) return module.status();
  const absl::StatusOr<std::string_view> name = ReadLine();
  if (!name.ok()) return name.status();
  if (*module == "collections" && *name == "OrderedDict") return Push({.kind = Kind::kOrderedDictType});
  if (*module == "torch._utils" && *name == "_rebuild_tensor_v2") return Push({.kind = Kind::kRebuildTensor});
  if (*module == "torch" && *name == "FloatStorage") return Push({.kind = Kind::kFloatStorageType});
  if (*module == "torch" && *name == "LongStorage") return Push({.kind = Kind::kLongStorageType});
  return Wrong("the pickle asks for ", Quote(*name), " of ", Quote(*module),
               "; a checkpoint may ask only for collections.OrderedDict, torch._utils._rebuild_tensor_v2, "
               "torch.FloatStorage and torch.LongStorage");
}

absl::Status PickleMachine::PushTuple(absl::StatusOr<std::vector<Ref>> items) {
  if (!items.ok()) return items.status();
  return Push({.kind = Kind::kTuple, .items = *std::move(items)});
}

absl::Status PickleMachine::SetItems(absl::StatusOr<std::vector<Ref>> items) {
  if (!items.ok()) return items.status();
  if (items->size() % 2 != 0) return Wrong("a dict is given a key without a value");
  if (Depth() == 0) return Wrong("there is no dict to put items into");
  Value& dict = values_[stack_.back()];
  if (dict.kind != Kind::kDict && dict.kind != Kind::kOrderedDict) {
    return WrongKind("what items are put into", stack_.back());
  }
  dict.items.insert(dict.items.end(), items->begin(), items->end());
  return absl::OkStatus();
}

absl::Status PickleMachine::Step() {
  const absl::StatusOr<uint8_t> opcode = ReadNumber<uint8_t>();
  if (!opcode.ok()) return opcode.status();
  switch (*opcode) {
    case 0x80: {  // PROTO
      const absl::StatusOr<uint8_t> protocol = ReadNumber<uint8_t>();
      if (!protocol.ok()) return protocol.status();
      if (*protocol != 2) return Wrong("the pickle's protocol is ", *protocol, "; checkpoints have 2");
      return absl::OkStatus();
    }
    case '(':  // MARK
      marks_.push_back(stack_.size());
      return absl::OkStatus();
    case '.':  // STOP
      stopped_ = true;
      return absl::OkStatus();
    case 'N':  // NONE
      return Push({.kind = Kind::kNone});
    case 0x88:  // NEWTRUE
      return Push({.kind = Kind::kBool, .number = 1});
    case 0x89:  // NEWFALSE
      return Push({.kind = Kind::kBool, .number = 0});
    case 'J':  // BININT
      return PushInt<int32_t>();
    case 'K':  // BININT1
      return PushInt<uint8_t>();
    case 'M':  // BININT2
      return PushInt<uint16_t>();
    case 'X':  // BINUNICODE
      return PushText();
    case 'c':  // GLOBAL
      return PushGlobal();
    case 'Q':  // BINPERSID
      return PushStorage();
    case ')':  // EMPTY_TUPLE
      return Push({.kind = Kind::kTuple});
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      return PushTuple(Pop(*opcode - 0x84));
    case 't':  // TUPLE
      return PushTuple(PopToMark());
    case '}':  // EMPTY_DICT
      return Push({.kind = Kind::kDict});
    case 's':  // SETITEM
      return SetItems(Pop(2));
    case 'u':  // SETITEMS
      return SetItems(PopToMark());
    case 'R':  // REDUCE
      return Reduce();
    case 'b':  // BUILD
      return Build();
    case 'q':  // BINPUT
      return Memoize<uint8_t>();
    case 'r':  // LONG_BINPUT
      return Memoize<uint32_t>();
    case 'h':  // BINGET
      return PushMemoized<uint8_t>();
    case 'j':  // LONG_BINGET
      return PushMemoized<uint32_t>();
    default:
      return Wrong("opcode ", absl::StrFormat("0x%02x", *opcode), " is none that checkpoints use");
  }
}

}  // namespace hearwire
