#include "client/cli/checkpoint_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/output_file.h"
#include "openssl/evp.h"

namespace hearwire::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

absl::StatusOr<FileSummary> SummariseFile(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return FileError(path, errno);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  FileSummary summary;
  std::string buffer(size_t{1} << 20, '\0');
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    EVP_DigestUpdate(hash.get(), buffer.data(), count);
    summary.bytes += static_cast<int64_t>(count);
  }
  if (std::ferror(file.get()) != 0) return FileError(path, errno);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  EVP_DigestFinal_ex(hash.get(), digest.data(), &size);
  summary.sha256 = absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), size});
  return summary;
}

absl::Status CheckLooksLikeCheckpoint(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return FileError(path, errno);
  std::array<char, 4> start = {};
  if (std::fread(start.data(), 1, start.size(), file.get()) != start.size() ||
      std::string_view(start.data(), start.size()) != "PK\x03\x04") {
    return absl::InvalidArgumentError("not a checkpoint: it does not start as a zip archive does");
  }
  // The directory is at the end: names of records, then the mark of the end.
  std::fseek(file.get(), 0, SEEK_END);
  const long size = std::ftell(file.get());
  const long tail_size = std::min(size, 1L << 20);
  std::string tail(static_cast<size_t>(tail_size), '\0');
  std::fseek(file.get(), size - tail_size, SEEK_SET);
  if (std::fread(tail.data(), 1, tail.size(), file.get()) != tail.size()) return FileError(path, errno);
  if (tail.rfind("PK\x05\x06") == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a whole checkpoint: a zip archive of ", size, " bytes without its end"));
  }
  if (tail.find("/data.pkl") == std::string::npos) {
    return absl::InvalidArgumentError("not a checkpoint: a zip archive without a data.pkl");
  }
  return absl::OkStatus();
}

}  // namespace hearwire::cli
