#include "models/checkpoint/zip_records.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/in_parallel.h"
#include "models/checkpoint/quote.h"

// Layout of the headers: APPNOTE.TXT of the zip format, sections 4.3.7, 4.3.12 and 4.3.16.

namespace hearwire {
namespace {

static_assert(std::endian::native == std::endian::little, "zip's numbers are read as they stand in memory");

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kCentralHeaderSize = 46;
constexpr size_t kEndHeaderSize = 22;
constexpr size_t kMaxCommentSize = 65535;
constexpr uint16_t kEncrypted = 1;
constexpr uint32_t kSeeZip64 = 0xffffffff;

// The caller has checked that the number lies within `bytes`.
template <typename Number>
Number Read(std::string_view bytes, size_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

struct Directory {
  size_t offset;
  size_t size;
  size_t records;
};

absl::StatusOr<Directory> FindDirectory(std::string_view bytes) {
  const size_t first = bytes.size() - std::min(bytes.size(), kEndHeaderSize + kMaxCommentSize);
  for (size_t end = bytes.size(); end >= first + kEndHeaderSize; --end) {
    const size_t at = end - kEndHeaderSize;
    if (Read<uint32_t>(bytes, at) != kEndSignature) continue;
    if (Read<uint16_t>(bytes, at + 20) != bytes.size() - end) continue;  // The comment reaches to the archive's end.
    const Directory directory = {.offset = Read<uint32_t>(bytes, at + 16),
                                 .size = Read<uint32_t>(bytes, at + 12),
                                 .records = Read<uint16_t>(bytes, at + 10)};
    if (directory.offset == kSeeZip64 || directory.size == kSeeZip64) {
      return absl::InvalidArgumentError("the zip archive is one of 4 GiB or more");
    }
    if (directory.offset > at || directory.size > at - directory.offset) {
      return absl::InvalidArgumentError(absl::StrCat("the zip archive's directory (", directory.size,
                                                     " bytes from byte ", directory.offset, ") lies outside it"));
    }
    return directory;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "not a zip archive, or a truncated one: no end record in its last bytes (", bytes.size(), " in all)"));
}

// A record whose central header starts at `at`; `wrong` says what is wrong with it.
class CentralHeader {
 public:
  CentralHeader(std::string_view bytes, size_t at) : bytes_(bytes), at_(at) {}

  uint16_t flags() const { return Read<uint16_t>(bytes_, at_ + 8); }
  uint16_t method() const { return Read<uint16_t>(bytes_, at_ + 10); }
  uint32_t crc() const { return Read<uint32_t>(bytes_, at_ + 16); }
  uint32_t packed_size() const { return Read<uint32_t>(bytes_, at_ + 20); }
  uint32_t size() const { return Read<uint32_t>(bytes_, at_ + 24); }
  uint32_t local_offset() const { return Read<uint32_t>(bytes_, at_ + 42); }
  size_t name_size() const { return Read<uint16_t>(bytes_, at_ + 28); }
  size_t total_size() const {
    return kCentralHeaderSize + name_size() + Read<uint16_t>(bytes_, at_ + 30) + Read<uint16_t>(bytes_, at_ + 32);
  }
  std::string_view name() const { return bytes_.substr(at_ + kCentralHeaderSize, name_size()); }

 private:
  std::string_view bytes_;
  size_t at_;
};

// The record's bytes, which must end before `limit`.
absl::StatusOr<std::string_view> ReadRecord(std::string_view bytes, const CentralHeader& header, size_t limit) {
  const auto wrong = [&header](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("record ", Quote(header.name()), " ", what...));
  };
  if (header.flags() & kEncrypted) return wrong("is encrypted");
  if (header.method() != 0) return wrong("is compressed (method ", header.method(), "); records must be stored");
  if (header.packed_size() != header.size()) {
    return wrong("claims ", header.size(), " bytes stored in ", header.packed_size());
  }
  const size_t local = header.local_offset();
  if (local > limit || limit - local < kLocalHeaderSize || Read<uint32_t>(bytes, local) != kLocalSignature) {
    return wrong("does not start at byte ", local, ", where the directory says");
  }
  const size_t name_size = Read<uint16_t>(bytes, local + 26);
  const size_t data = local + kLocalHeaderSize + name_size + Read<uint16_t>(bytes, local + 28);
  if (bytes.substr(local + kLocalHeaderSize, name_size) != header.name()) {
    return wrong("has another name at byte ", local);
  }
  if (data > limit || limit - data < header.size()) {
    return wrong("claims ", header.size(), " bytes from byte ", data, ", but the records end at byte ", limit);
  }
  return bytes.substr(data, header.size());
}

struct StatedRecord {
  std::string_view name;
  std::string_view bytes;
  uint32_t crc = 0;
};

// The first that is damaged.
absl::Status CheckSums(const std::vector<StatedRecord>& records) {
  std::vector<uint8_t> damaged(records.size());
  InParallel(records.size(), [&](size_t i) {
    const auto& [name, bytes, crc] = records[i];
    damaged[i] = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) != crc;
  });
  const size_t first = static_cast<size_t>(std::find(damaged.begin(), damaged.end(), 1) - damaged.begin());
  if (first == records.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("record ", Quote(records[first].name), " is damaged: its CRC-32 is not the one the archive states"));
}

}  // namespace

absl::StatusOr<ZipRecords> ReadZipRecords(std::string_view bytes) {
  const absl::StatusOr<Directory> directory = FindDirectory(bytes);
  if (!directory.ok()) return directory.status();
  const size_t directory_end = directory->offset + directory->size;
  ZipRecords records;
  std::vector<StatedRecord> stated;
  size_t record_bytes = 0;
  size_t at = directory->offset;
  for (size_t i = 0; i < directory->records; ++i) {
    const CentralHeader header(bytes, at);
    if (directory_end - at < kCentralHeaderSize || Read<uint32_t>(bytes, at) != kCentralSignature ||
        directory_end - at < header.total_size()) {
      return absl::InvalidArgumentError(absl::StrCat("the zip archive's directory is damaged at its record ", i, " of ",
                                                     directory->records, ", byte ", at));
    }
    // Bounds the work: records that share bytes could otherwise add up to any number of them.
    record_bytes += header.size();
    if (record_bytes > bytes.size()) {
      return absl::InvalidArgumentError(absl::StrCat("the zip archive's records overlap: up to ", Quote(header.name()),
                                                     " they claim ", record_bytes, " bytes of ", bytes.size()));
    }
    const absl::StatusOr<std::string_view> record = ReadRecord(bytes, header, directory->offset);
    if (!record.ok()) return record.status();
    stated.push_back({header.name(), *record, header.crc()});
    if (!records.emplace(header.name(), *record).second) {
      return absl::InvalidArgumentError(absl::StrCat("record ", Quote(header.name()), " is there twice"));
    }
    at += header.total_size();
  }
  if (at != directory_end) {
    return absl::InvalidArgumentError(absl::StrCat("the zip archive's directory has ", directory_end - at,
                                                   " bytes behind its ", directory->records, " records"));
  }
  if (absl::Status status = CheckSums(stated); !status.ok()) return status;
  return records;
}

}  // namespace hearwire
