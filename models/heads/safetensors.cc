#include "models/heads/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/quote.h"

namespace hearwire {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the numbers are read as they stand in memory");

constexpr size_t kLengthBytes = 8;
constexpr int kMaxDepth = 2;  // {"name": {"shape": […]}}: the deepest value is in an array in an object in the header.
constexpr char kMetadata[] = "__metadata__";

template <typename... What>
absl::Status Wrong(const What&... what) {
  return absl::InvalidArgumentError(absl::StrCat(what...));
}

// The header's JSON. The library keeps the last of two equal names and parses any depth; both are refused here.
absl::StatusOr<Json> ParseHeader(std::string_view text) {
  std::string fault;
  std::vector<std::set<std::string>> names;  // Of the objects that are open.
  const auto look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth > kMaxDepth && fault.empty()) fault = "is nested deeper than any head's";
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second && fault.empty()) {
      fault = absl::StrCat("has the name ", Quote(parsed.get<std::string>()), " twice");
    }
    return fault.empty();  // False: the value is dropped at once.
  };
  // The one place where the library's exceptions are met.
  try {
    Json header = Json::parse(text.begin(), text.end(), look);
    if (!fault.empty()) return Wrong("the header ", fault);
    if (!header.is_object()) return Wrong("the header is no JSON object");
    return header;
  } catch (const Json::parse_error& error) {
    return Wrong("the header is no JSON: byte ", error.byte, " of it does not fit");
  } catch (const Json::exception&) {
    return Wrong("the header is no JSON that can be read: it holds a number out of range");
  }
}

// A tensor as the header describes it.
struct Entry {
  std::string name;
  std::vector<int64_t> shape;
  size_t begin = 0;  // In the data.
  size_t end = 0;
};

// [1, 2, …]: numbers that are not negative.
bool ReadNumbers(const Json& list, std::vector<int64_t>* numbers) {
  if (!list.is_array()) return false;
  for (const Json& number : list) {
    if (!number.is_number_unsigned() || !std::in_range<int64_t>(number.get<uint64_t>())) return false;
    numbers->push_back(number.get<int64_t>());
  }
  return true;
}

absl::StatusOr<Entry> ReadEntry(const std::string& name, const Json& described, size_t data_size) {
  const auto wrong = [&](const auto&... what) { return Wrong("tensor ", Quote(name), " ", what...); };
  Entry entry;
  entry.name = name;
  std::vector<int64_t> offsets;
  if (!described.is_object() || described.size() != 3 || !described.contains("dtype") || !described.contains("shape") ||
      !described.contains("data_offsets")) {
    return wrong("must have a dtype, a shape and data_offsets, and nothing else");
  }
  const Json& type = described["dtype"];
  if (type != "F32") {
    return wrong("has the type ", Quote(type.is_string() ? type.get<std::string>() : type.dump()),
                 "; only F32 is read");
  }
  if (!ReadNumbers(described["shape"], &entry.shape)) return wrong("has a shape that is no list of whole numbers");
  if (!ReadNumbers(described["data_offsets"], &offsets) || offsets.size() != 2) {
    return wrong("has data_offsets that are no two whole numbers");
  }
  if (offsets[0] > offsets[1]) return wrong("ends at byte ", offsets[1], ", before it begins at ", offsets[0]);
  entry.begin = static_cast<size_t>(offsets[0]);
  entry.end = static_cast<size_t>(offsets[1]);
  if (entry.end > data_size) {
    return wrong("ends at byte ", entry.end, " of the data, which has ", data_size,
                 ": the file is truncated, or its header wrong");
  }
  // No product overflows: a factor is compared with what is left before it is used.
  const size_t most = (entry.end - entry.begin) / sizeof(float);
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  size_t count = empty ? 0 : 1;
  bool fits = true;
  for (const int64_t axis : entry.shape) {
    const auto size = static_cast<size_t>(axis);
    fits = fits && (empty || count <= most / size);
    if (fits) count *= size;
  }
  if (!fits || count * sizeof(float) != entry.end - entry.begin) {
    return wrong("has the shape [", absl::StrJoin(entry.shape, ", "), "], which does not fit its ",
                 entry.end - entry.begin, " bytes of float32");
  }
  return entry;
}

// Every byte belongs to one tensor. entries: in the order of the data.
absl::Status CheckPlaces(const std::vector<Entry>& entries, size_t data_size) {
  size_t at = 0;
  const Entry* before = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin < at) return Wrong("tensors ", Quote(before->name), " and ", Quote(entry.name), " overlap");
    if (entry.begin > at) return Wrong("bytes ", at, " to ", entry.begin, " of the data belong to no tensor");
    at = entry.end;
    before = &entry;
  }
  if (at != data_size) return Wrong("bytes ", at, " to ", data_size, " of the data belong to no tensor");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Safetensors> ParseSafetensors(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return Wrong("has ", bytes.size(), " bytes; a safetensors file begins with the ", kLengthBytes,
                 " bytes of its header's length");
  }
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), kLengthBytes);
  if (header_size > kMaxSafetensorsHeaderBytes) {
    return Wrong("is no safetensors file, or no head: its header would have ", header_size, " bytes; at most ",
                 kMaxSafetensorsHeaderBytes, " are read");
  }
  if (header_size > bytes.size() - kLengthBytes) {
    return Wrong("ends within its header, of which ", bytes.size() - kLengthBytes, " of ", header_size,
                 " bytes are there: it is truncated");
  }
  const absl::StatusOr<Json> header = ParseHeader(bytes.substr(kLengthBytes, header_size));
  if (!header.ok()) return header.status();
  const std::string_view data = bytes.substr(kLengthBytes + header_size);

  Safetensors file;
  std::vector<Entry> entries;
  for (const auto& [name, described] : header->items()) {
    if (name != kMetadata) {
      absl::StatusOr<Entry> entry = ReadEntry(name, described, data.size());
      if (!entry.ok()) return entry.status();
      entries.push_back(*std::move(entry));
      continue;
    }
    if (!described.is_object()) return Wrong("the header's ", kMetadata, " is no object of strings");
    for (const auto& [key, value] : described.items()) {
      if (!value.is_string()) return Wrong("the metadata ", Quote(key), " is no string");
      file.metadata[key] = value.get<std::string>();
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  if (absl::Status status = CheckPlaces(entries, data.size()); !status.ok()) return status;
  for (Entry& entry : entries) {
    Tensor& tensor = file.tensors[entry.name];
    tensor.shape = std::move(entry.shape);
    tensor.values.resize((entry.end - entry.begin) / sizeof(float));
    if (!tensor.values.empty()) std::memcpy(tensor.values.data(), data.data() + entry.begin, entry.end - entry.begin);
  }
  return file;
}

}  // namespace hearwire
