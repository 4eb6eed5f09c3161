#include "models/checkpoint/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/in_parallel.h"
#include "models/checkpoint/pickle.h"
#include "models/checkpoint/quote.h"
#include "models/checkpoint/read_file.h"
#include "models/checkpoint/sha256.h"
#include "models/checkpoint/zip_records.h"

namespace hearwire {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints' numbers are read as they stand in memory");

constexpr std::string_view kPickleRecord = "/data.pkl";
constexpr std::string_view kBatchCounter = ".num_batches_tracked";
// The largest published checkpoint, mn40_as, has 274 MB.
constexpr int64_t kMaxFileBytes = int64_t{2} << 30;

// The folder that all records are in: that of the pickle.
absl::StatusOr<std::string_view> FindFolder(const ZipRecords& records) {
  std::optional<std::string_view> folder;
  for (const auto& [name, bytes] : records) {
    if (!name.ends_with(kPickleRecord)) continue;
    if (folder) return absl::InvalidArgumentError("it has two records FOLDER/data.pkl: not one checkpoint");
    folder = name.substr(0, name.size() - kPickleRecord.size());
  }
  if (!folder) return absl::InvalidArgumentError("a zip archive without a record FOLDER/data.pkl: not a checkpoint");
  return *folder;
}

// Whether the tensor's values lie within its storage. At most as many as that has: no value is there twice.
absl::Status CheckBounds(const PickledTensor& tensor) {
  const auto wrong = [&tensor](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(what..., " (shape [", absl::StrJoin(tensor.shape, ", "),
                                                   "], strides [", absl::StrJoin(tensor.strides, ", "), "], offset ",
                                                   tensor.offset, ")"));
  };
  // None of the sums and products overflows: storage_size fits 32 bits, and a factor is checked before it is used.
  const int64_t storage_size = tensor.storage_size;
  int64_t count = 1;
  int64_t last = tensor.offset;
  if (tensor.offset < 0) return wrong("has a negative offset");
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    const int64_t size = tensor.shape[i];
    const int64_t stride = tensor.strides[i];
    if (size < 0 || stride < 0) return wrong("has a negative size or stride");
    if (size > storage_size || (count *= size) > storage_size) {
      return wrong("has more values than the ", storage_size, " of its storage");
    }
    if (size > 1 && last < storage_size) last += (size - 1) * stride;
  }
  if (count > 0 && last >= storage_size) {
    return wrong("reaches beyond the ", storage_size, " values of its storage");
  }
  return absl::OkStatus();
}

bool IsContiguous(const PickledTensor& tensor) {
  int64_t stride = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != stride) return false;
    stride *= tensor.shape[i];
  }
  return true;
}

// The tensor has passed CheckBounds.
std::vector<float> ReadValues(const PickledTensor& tensor, std::string_view storage) {
  size_t count = 1;
  for (const int64_t size : tensor.shape) count *= size;
  std::vector<float> values;
  values.reserve(count);
  PreferHugePages(values.data(), count * sizeof(float));
  values.resize(count);
  if (count == 0) return values;
  if (IsContiguous(tensor)) {
    std::memcpy(values.data(), storage.data() + tensor.offset * sizeof(float), count * sizeof(float));
    return values;
  }
  std::vector<int64_t> index(tensor.shape.size());
  int64_t from = tensor.offset;
  for (float& value : values) {
    std::memcpy(&value, storage.data() + from * sizeof(float), sizeof(float));
    for (size_t axis = index.size(); axis-- > 0;) {
      from += tensor.strides[axis];
      if (++index[axis] < tensor.shape[axis]) break;
      from -= tensor.strides[axis] * tensor.shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

absl::StatusOr<std::map<std::string, Tensor, std::less<>>> ReadTensors(std::string_view bytes) {
  const absl::StatusOr<ZipRecords> records = ReadZipRecords(bytes);
  if (!records.ok()) return records.status();
  const absl::StatusOr<std::string_view> folder = FindFolder(*records);
  if (!folder.ok()) return folder.status();
  const std::string prefix(*folder);
  const auto byte_order = records->find(prefix + "/byteorder");
  if (byte_order != records->end() && byte_order->second != "little") {
    return absl::InvalidArgumentError(absl::StrCat("record ", Quote(prefix + "/byteorder"), " says ",
                                                   Quote(byte_order->second), "; only little-endian numbers are read"));
  }
  const std::string pickle_name = absl::StrCat(prefix, "/data.pkl");
  const absl::StatusOr<std::vector<PickledTensor>> pickled = ReadTensorPickle(records->at(pickle_name));
  if (!pickled.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("record ", Quote(pickle_name), ": ", pickled.status().message()));
  }

  std::map<std::string, Tensor, std::less<>> tensors;
  std::vector<std::function<void()>> copies;
  size_t value_bytes = 0;
  for (const PickledTensor& tensor : *pickled) {
    const std::string record_name = absl::StrCat(prefix, "/data/", std::string(tensor.storage_key));
    const auto wrong = [&](const auto&... what) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", Quote(tensor.name), " in record ", Quote(record_name), " ", what...));
    };
    const auto record = records->find(record_name);
    if (record == records->end()) return wrong("is missing: there is no record of that name");
    const size_t value_size = tensor.is_long ? sizeof(int64_t) : sizeof(float);
    if (tensor.storage_size < 0 || tensor.storage_size * value_size != record->second.size()) {
      return wrong("claims a storage of ", tensor.storage_size, " values of ", value_size, " bytes; the record has ",
                   record->second.size(), " bytes");
    }
    if (const absl::Status status = CheckBounds(tensor); !status.ok()) return wrong(status.message());
    if (tensor.is_long) {
      if (!tensor.name.ends_with(kBatchCounter)) return wrong("holds 64-bit integers instead of floats");
      continue;
    }
    Tensor& read = tensors[std::string(tensor.name)];
    read.shape = tensor.shape;
    // Tensors may share a storage, but not so often that they add up to more than the file.
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    value_bytes += count * sizeof(float);
    if (value_bytes > bytes.size()) return wrong("shares its storage with so many that they outgrow the file");
    copies.push_back([&read, &tensor, storage = record->second] { read.values = ReadValues(tensor, storage); });
  }
  InParallel(copies.size(), [&](size_t i) { copies[i](); });
  return tensors;
}

}  // namespace

absl::StatusOr<Checkpoint> ParseCheckpoint(std::string_view bytes, std::string_view name) {
  absl::StatusOr<std::map<std::string, Tensor, std::less<>>> tensors;
  std::string sha256;
  InParallel(2, [&](size_t part) { part == 0 ? void(sha256 = Sha256(bytes)) : void(tensors = ReadTensors(bytes)); });
  if (!tensors.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(name), ": ", tensors.status().message()));
  }
  return Checkpoint{.tensors = *std::move(tensors), .sha256 = std::move(sha256)};
}

absl::StatusOr<FileBytes> ReadCheckpoint(const std::string& path) {
  return ReadFile(path, kMaxFileBytes, "a checkpoint");
}

absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& path) {
  const absl::StatusOr<FileBytes> bytes = ReadCheckpoint(path);
  if (!bytes.ok()) return bytes.status();
  return ParseCheckpoint(bytes->view(), path);
}

}  // namespace hearwire
