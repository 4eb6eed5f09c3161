#include "server/pipeline/head_catalog.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/quote.h"
#include "models/log_mel/clip_windows.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;

constexpr int kSuggestions = 3;

struct HeadFile {
  std::string name;    // Of the head.
  std::string path;    // As an operator knows it.
  std::string target;  // Where links lead: what is read.
};

template <typename... What>
absl::Status Invalid(const What&... what) {
  return absl::InvalidArgumentError(absl::StrCat(what...));
}

// The folder's files that are meant as heads, by name.
absl::StatusOr<std::vector<HeadFile>> ListFiles(const std::string& folder) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error || !fs::is_directory(root, error)) {
    return absl::NotFoundError(
        absl::StrCat("--heads: ", folder, " is not a folder", error ? ": " + error.message() : ""));
  }
  std::vector<HeadFile> files;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (!absl::EndsWithIgnoreCase(file, absl::string_view(kHeadFileEnding.data(), kHeadFileEnding.size()))) continue;
    files.push_back({.name = file.substr(0, file.size() - kHeadFileEnding.size()),
                     .path = (fs::path(folder) / file).string(),
                     .target = {}});
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("--heads: ", folder, " cannot be listed"));
  std::sort(files.begin(), files.end(),
            [](const HeadFile& a, const HeadFile& b) { return std::tie(a.name, a.path) < std::tie(b.name, b.path); });

  std::map<std::string, const HeadFile*> seen;
  for (HeadFile& file : files) {
    if (!IsHeadName(file.name)) {
      return Invalid("the head ", Quote(file.path),
                     " needs another name: letters, digits, dots, dashes and underscores, ", "and no dot first");
    }
    // Files that differ by case alone are one file on other systems, and one name to whoever says it.
    const auto [same, is_new] = seen.emplace(absl::AsciiStrToLower(file.name), &file);
    if (!is_new) {
      return Invalid("the heads ", same->second->path, " and ", file.path,
                     " have one name but for the case of letters: rename one");
    }
    // A link within the folder is fine, as in a mounted Kubernetes volume. One out of it could show any file's bytes.
    const fs::path target = fs::canonical(file.path, error);
    if (error == std::errc::no_such_file_or_directory) {
      return absl::NotFoundError(absl::StrCat(file.path, " is a link to a file that is not there"));
    }
    if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(file.path, " cannot be looked at"));
    const auto inside = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
    if (inside.first != root.end()) {
      return Invalid(file.path, " is a link that leads out of the folder, to ", target.string(),
                     ": put the file itself there");
    }
    file.target = target.string();
  }
  return files;
}

std::string LoadedNames(const NetworkCatalog& networks) {
  return absl::StrJoin(networks.networks(), ", ",
                       [](std::string* out, const auto& network) { out->append(network->info->name); });
}

// Ties a head to what it reads.
absl::Status FindEmbeddings(const NetworkCatalog& networks, LoadedHead* loaded) {
  const std::string& name = loaded->head.config;
  loaded->config = networks.known()->FindConfig(name);
  if (loaded->config == nullptr) {
    std::string message = absl::StrCat(loaded->source, " reads embeddings of the config ", Quoted(name),
                                       ", which is none of this server's");
    std::string_view separator = "; did you mean ";
    for (const std::string_view near : NearestNames(name, networks.known()->ConfigNames(), kSuggestions)) {
      message.append(std::exchange(separator, ", ")).append(near);
    }
    return absl::NotFoundError(message);
  }
  const NetworkInfo& info = *loaded->config->network;
  loaded->network = networks.Find(info.name);
  if (loaded->network == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(loaded->source, " reads embeddings of the config ", name, ", whose network ",
                     std::string(info.name), " is not loaded (loaded: ", LoadedNames(networks), "); ",
                     HowToGetNetwork(info, "DIR"), ", and start with --model-repository DIR"));
  }
  if (loaded->head.embedding_size() != loaded->config->embedding_size()) {
    return Invalid(loaded->source, " takes embeddings of ", loaded->head.embedding_size(),
                   " values; those of the config ", name, " have ", loaded->config->embedding_size());
  }
  return absl::OkStatus();
}

// What of the space that the head was trained on is not this server's; empty: nothing.
std::string DescribeMismatch(const LoadedHead& loaded, const std::string& precision) {
  std::vector<std::string> differences;
  const auto compare = [&](const char* what, const std::string& heads, std::string_view servers) {
    if (!heads.empty() && heads != servers) {
      differences.push_back(absl::StrCat(what, " ", Quote(heads), ", this server's is '", std::string(servers), "'"));
    }
  };
  compare("weights_sha256", loaded.head.weights_sha256, loaded.network->sha256);
  compare("frontend", loaded.head.frontend, kFrontendVersion);
  compare("precision", loaded.head.precision, precision);
  if (differences.empty()) return "";
  return absl::StrCat(loaded.source, " was trained in another embedding space than that of the loaded network ",
                      std::string(loaded.network->info->name), " (", loaded.network->source,
                      "): ", absl::StrJoin(differences, "; "));
}

}  // namespace

absl::StatusOr<HeadCatalog> HeadCatalog::Load(const HeadCatalogOptions& options, const NetworkCatalog& networks) {
  HeadCatalog catalog;
  if (options.folder.empty()) return catalog;
  const absl::StatusOr<std::vector<HeadFile>> files = ListFiles(options.folder);
  if (!files.ok()) return files.status();
  for (const HeadFile& file : *files) {
    absl::StatusOr<Head> head = LoadHead(file.target, file.name);
    if (!head.ok()) {
      const std::string link = file.target == file.path ? "" : file.path + " -> ";
      return absl::Status(head.status().code(), absl::StrCat(link, head.status().message()));
    }
    LoadedHead loaded{.head = *std::move(head), .source = file.path};
    if (absl::Status status = FindEmbeddings(networks, &loaded); !status.ok()) return status;
    const std::string mismatch = DescribeMismatch(loaded, options.precision);
    catalog.heads_.push_back(std::make_shared<const LoadedHead>(std::move(loaded)));
    if (mismatch.empty()) continue;
    if (!options.allow_mismatch) {
      return absl::FailedPreconditionError(
          absl::StrCat(mismatch, ". Train it again on this server's embeddings, or load that checkpoint; ",
                       "--head-mismatch=warn takes it as it is"));
    }
    catalog.warnings_.push_back(mismatch);
  }
  if (catalog.heads_.empty()) {
    catalog.warnings_.push_back(
        absl::StrCat("no head was found in ", options.folder, ": a head is a file NAME", std::string(kHeadFileEnding)));
  }
  return catalog;
}

std::shared_ptr<const LoadedHead> HeadCatalog::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(heads_.begin(), heads_.end(), name,
                       [](const auto& loaded, std::string_view wanted) { return loaded->head.name < wanted; });
  return found == heads_.end() || (*found)->head.name != name ? nullptr : *found;
}

}  // namespace hearwire
