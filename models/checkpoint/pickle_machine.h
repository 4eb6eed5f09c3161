// The machine behind ReadTensorPickle: a stack, a memo and the values that a pickle's opcodes make.

#ifndef HEARWIRE_MODELS_CHECKPOINT_PICKLE_MACHINE_H_
#define HEARWIRE_MODELS_CHECKPOINT_PICKLE_MACHINE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/pickle.h"

namespace hearwire {

// Runs one pickle, once. pickle_machine.cc has the opcodes, torch_objects.cc what the allowed globals make.
class PickleMachine {
 public:
  explicit PickleMachine(std::string_view pickle) : pickle_(pickle) {}

  // As ReadTensorPickle.
  absl::StatusOr<std::vector<PickledTensor>> Run();

 private:
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kText,
    kTuple,
    kDict,
    kOrderedDict,
    kTensor,
    // Storages, by the type of their values.
    kFloatStorage,
    kLongStorage,
    // Globals.
    kOrderedDictType,
    kRebuildTensor,
    kFloatStorageType,
    kLongStorageType,
  };
  static const char* Describe(Kind kind);

  // Values refer to each other by their place in values_: shared and cyclic references cost nothing, nothing recurses.
  using Ref = uint32_t;

  struct Value {
    Kind kind = Kind::kNone;
    int64_t number = 0;           // Of a bool or integer; a storage's size; a tensor's place in tensors_.
    std::string_view text = {};   // Of a text; a storage's key.
    std::vector<Ref> items = {};  // Of a tuple; of a dict, key and value by turns.
  };

  // Executes one opcode.
  absl::Status Step();

  // Read what follows an opcode.
  absl::StatusOr<std::string_view> ReadBytes(size_t size);
  absl::StatusOr<std::string_view> ReadLine();
  template <typename Number>
  absl::StatusOr<Number> ReadNumber();

  // The stack. Nothing is popped from below the last mark.
  absl::Status Push(Value value);
  size_t Depth() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  absl::StatusOr<std::vector<Ref>> Pop(size_t count);  // First pushed first.
  absl::StatusOr<std::vector<Ref>> PopToMark();

  // Opcodes of more than a line.
  template <typename Number>
  absl::Status PushInt();
  template <typename Index>
  absl::Status Memoize();
  template <typename Index>
  absl::Status PushMemoized();
  absl::Status PushText();
  absl::Status PushGlobal();
  absl::Status PushTuple(absl::StatusOr<std::vector<Ref>> items);
  absl::Status SetItems(absl::StatusOr<std::vector<Ref>> items);

  // Objects.
  absl::Status PushStorage();
  absl::Status Reduce();
  absl::Status RebuildTensor(const std::vector<Ref>& arguments);
  absl::StatusOr<std::vector<int64_t>> ReadInts(const char* what, Ref tuple) const;
  absl::Status Build();
  absl::StatusOr<std::vector<PickledTensor>> TakeTensors() const;

  template <typename... What>
  absl::Status Wrong(const What&... what) const {
    return absl::InvalidArgumentError(absl::StrCat("byte ", opcode_at_, ": ", what...));
  }
  absl::Status WrongKind(const char* what, Ref found) const;

  static constexpr Ref kNoValue = ~Ref{0};

  const std::string_view pickle_;
  size_t at_ = 0;         // Of the next byte.
  size_t opcode_at_ = 0;  // Where the opcode in execution starts.
  bool stopped_ = false;
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;           // Depths of the stack.
  std::vector<Ref> memo_;               // kNoValue where nothing was put.
  std::vector<PickledTensor> tensors_;  // Without names: those are in the dict.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_PICKLE_MACHINE_H_
