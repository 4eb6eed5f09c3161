// What the globals that a checkpoint may ask for make: storages, tensors, OrderedDicts. See torch/_utils.py.

#include <unordered_set>
#include <utility>

#include "models/checkpoint/pickle_machine.h"
#include "models/checkpoint/quote.h"

namespace hearwire {
namespace {

constexpr size_t kMaxAxes = 8;

}  // namespace

// ('storage', type, key, device, size)
absl::Status PickleMachine::PushStorage() {
  const absl::StatusOr<std::vector<Ref>> id = Pop(1);
  if (!id.ok()) return id.status();
  const std::vector<Ref>& items = values_[(*id)[0]].items;
  if (values_[(*id)[0]].kind != Kind::kTuple || items.size() != 5) return Wrong("a storage is no tuple of 5");
  const auto is = [&](size_t i, Kind kind) { return values_[items[i]].kind == kind; };
  if (!is(0, Kind::kText) || values_[items[0]].text != "storage") return WrongKind("a storage's first word", items[0]);
  if (!is(1, Kind::kFloatStorageType) && !is(1, Kind::kLongStorageType)) return WrongKind("a storage's type", items[1]);
  if (!is(2, Kind::kText)) return WrongKind("a storage's key", items[2]);
  if (!is(3, Kind::kText)) return WrongKind("a storage's device", items[3]);
  if (!is(4, Kind::kInt)) return WrongKind("a storage's size", items[4]);
  return Push({.kind = is(1, Kind::kFloatStorageType) ? Kind::kFloatStorage : Kind::kLongStorage,
               .number = values_[items[4]].number,
               .text = values_[items[2]].text});
}

// An OrderedDict's attribute _metadata: module versions, which nobody here needs.
absl::Status PickleMachine::Build() {
  const absl::StatusOr<std::vector<Ref>> state = Pop(1);
  if (!state.ok()) return state.status();
  if (Depth() == 0 || values_[stack_.back()].kind != Kind::kOrderedDict) {
    return Wrong("only an OrderedDict may be given attributes");
  }
  const Value& attributes = values_[(*state)[0]];
  if (attributes.kind != Kind::kDict) return WrongKind("what holds attributes", (*state)[0]);
  for (size_t i = 0; i < attributes.items.size(); i += 2) {
    const Value& name = values_[attributes.items[i]];
    if (name.kind != Kind::kText || name.text != "_metadata") {
      return Wrong("an OrderedDict may be given no attribute but _metadata");
    }
  }
  return absl::OkStatus();
}

absl::Status PickleMachine::Reduce() {
  const absl::StatusOr<std::vector<Ref>> call = Pop(2);
  if (!call.ok()) return call.status();
  const Kind function = values_[(*call)[0]].kind;
  const Value& arguments = values_[(*call)[1]];
  if (arguments.kind != Kind::kTuple) return WrongKind("what holds arguments", (*call)[1]);
  if (function == Kind::kRebuildTensor) return RebuildTensor(arguments.items);
  if (function != Kind::kOrderedDictType) return WrongKind("what is called", (*call)[0]);
  if (!arguments.items.empty()) return Wrong("an OrderedDict is made with ", arguments.items.size(), " arguments");
  return Push({.kind = Kind::kOrderedDict});
}

// (storage, offset, shape, strides, requires_grad, backward_hooks)
absl::Status PickleMachine::RebuildTensor(const std::vector<Ref>& arguments) {
  if (arguments.size() != 6) return Wrong("a tensor is made with ", arguments.size(), " arguments instead of 6");
  const Value& storage = values_[arguments[0]];
  if (storage.kind != Kind::kFloatStorage && storage.kind != Kind::kLongStorage) {
    return WrongKind("a tensor's storage", arguments[0]);
  }
  if (values_[arguments[1]].kind != Kind::kInt) return WrongKind("a tensor's offset", arguments[1]);
  absl::StatusOr<std::vector<int64_t>> shape = ReadInts("a tensor's shape", arguments[2]);
  if (!shape.ok()) return shape.status();
  absl::StatusOr<std::vector<int64_t>> strides = ReadInts("a tensor's strides", arguments[3]);
  if (!strides.ok()) return strides.status();
  if (shape->size() != strides->size()) {
    return Wrong("a tensor has ", shape->size(), " axes and ", strides->size(), " strides");
  }
  if (values_[arguments[4]].kind != Kind::kBool) return WrongKind("a tensor's requires_grad", arguments[4]);
  const Value& hooks = values_[arguments[5]];
  if (hooks.kind != Kind::kOrderedDict || !hooks.items.empty()) return Wrong("a tensor has hooks");
  tensors_.push_back({.storage_key = storage.text,
                      .storage_size = storage.number,
                      .is_long = storage.kind == Kind::kLongStorage,
                      .offset = values_[arguments[1]].number,
                      .shape = *std::move(shape),
                      .strides = *std::move(strides)});
  return Push({.kind = Kind::kTensor, .number = static_cast<int64_t>(tensors_.size()) - 1});
}

absl::StatusOr<std::vector<int64_t>> PickleMachine::ReadInts(const char* what, Ref tuple) const {
  const Value& value = values_[tuple];
  if (value.kind != Kind::kTuple) return WrongKind(what, tuple);
  if (value.items.size() > kMaxAxes) return Wrong(what, " has ", value.items.size(), " axes");
  std::vector<int64_t> ints;
  for (const Ref item : value.items) {
    if (values_[item].kind != Kind::kInt) return WrongKind(what, item);
    ints.push_back(values_[item].number);
  }
  return ints;
}

absl::StatusOr<std::vector<PickledTensor>> PickleMachine::TakeTensors() const {
  if (stack_.size() != 1 || !marks_.empty())
    return Wrong("the pickle ends with ", stack_.size(), " values instead of 1");
  const Value& dict = values_[stack_[0]];
  if (dict.kind != Kind::kDict && dict.kind != Kind::kOrderedDict) return WrongKind("the checkpoint", stack_[0]);
  std::vector<PickledTensor> named;
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const Value& name = values_[dict.items[i]];
    const Value& tensor = values_[dict.items[i + 1]];
    if (name.kind != Kind::kText) return WrongKind("a tensor's name", dict.items[i]);
    if (tensor.kind != Kind::kTensor) {
      return Wrong("the value of ", Quote(name.text), " is ", Describe(tensor.kind), " instead of a tensor");
    }
    if (!names.insert(name.text).second) return Wrong("tensor ", Quote(name.text), " is there twice");
    named.push_back(tensors_[tensor.number]);
    named.back().name = name.text;
  }
  return named;
}

}  // namespace hearwire
