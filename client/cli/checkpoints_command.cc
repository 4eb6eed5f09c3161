#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/checkpoint_file.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/fetch_file.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"
#include "client/cli/printable.h"
#include "client/cli/progress_bar.h"
#include "curl/curl.h"
#include "models/configs/checkpoint_names.h"
#include "models/configs/config.h"
#include "models/configs/other_checkpoints.h"

namespace hearwire::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kPublisher[] = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1";

struct CheckpointsOptions {
  std::string into;
  std::string from = kPublisher;
  std::vector<std::string> networks;
  bool force = false;
};

// Where a network's file is in a folder: the one that a server would read.
std::optional<std::string> FindFile(const NetworkInfo& network, const std::string& folder) {
  for (const std::string& name : CheckpointNames(network)) {
    std::error_code ignored;
    const fs::path path = fs::path(folder) / name;
    if (fs::is_regular_file(path, ignored)) return path.string();
  }
  return std::nullopt;
}

// All that can be fetched, and the embedded network.
std::vector<const NetworkInfo*> Listed() {
  std::vector<const NetworkInfo*> listed;
  for (const absl::Span<const NetworkInfo> some : {Networks(), OtherCheckpoints()}) {
    for (const NetworkInfo& network : some) listed.push_back(&network);
  }
  return listed;
}

const NetworkInfo* FindListed(std::string_view name) {
  for (const NetworkInfo* network : Listed()) {
    if (network->name == name) return network;
  }
  return nullptr;
}

int List(const CheckpointsOptions& options) {
  const auto print = [&](const auto&... cells) { Print(absl::StrFormat("%-22s %5s  %-34s %s\n", cells...)); };
  print("NETWORK", "WIDTH", "FILE", options.into.empty() ? "SHA-256" : "IN " + Printable(options.into));
  for (const NetworkInfo* listed : Listed()) {
    const NetworkInfo& network = *listed;
    const std::string width = absl::StrFormat("%.1f", network.width);
    std::string last(network.sha256.empty() ? "-" : network.sha256);
    if (network.published_file.empty()) {
      last = "embedded in the server";
    } else if (!options.into.empty()) {
      const std::optional<std::string> path = FindFile(network, options.into);
      std::error_code ignored;
      last = path ? absl::StrFormat("%s, %.1f MB", fs::path(*path).filename().string(),
                                    static_cast<double>(fs::file_size(*path, ignored)) / 1e6)
                  : "-";
    }
    print(std::string(network.name), width, network.published_file.empty() ? "-" : std::string(network.published_file),
          last);
  }
  return 0;
}

absl::Status CheckCheckpoint(const NetworkInfo& network, const std::string& path, const FileSummary& summary) {
  const std::string expected(network.sha256);
  if (absl::Status wrong = CheckLooksLikeCheckpoint(path); !wrong.ok()) return wrong;
  if (expected.empty() || expected == summary.sha256) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("not the published file: its SHA-256 is ", summary.sha256, ", ", expected, " would be right"));
}

void PrintCheckpoint(const NetworkInfo& network, const std::string& path, const FileSummary& summary,
                     const std::string& remark) {
  Print(absl::StrFormat("%s: %s, %.1f MB, SHA-256 %s (%s)%s\n", std::string(network.name), Printable(path),
                        static_cast<double>(summary.bytes) / 1e6, summary.sha256,
                        network.sha256.empty() ? "its right value is not known here" : "verified", remark));
  std::fflush(stdout);
}

// The line that was printed says what became of it.
absl::Status FetchNetwork(const NetworkInfo& network, const CheckpointsOptions& options) {
  const std::string name(network.name);
  if (network.published_file.empty()) {
    Print(name + ": embedded in the server, nothing to fetch\n");
    return absl::OkStatus();
  }
  const std::string file(network.published_file);
  const std::optional<std::string> path = FindFile(network, options.into);
  if (path && !options.force) {
    const absl::StatusOr<FileSummary> summary = SummariseFile(*path);
    if (!summary.ok()) return summary.status();
    if (absl::Status wrong = CheckCheckpoint(network, *path, *summary); !wrong.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(*path, ": ", std::string(wrong.message()), "; --force fetches it anew"));
    }
    PrintCheckpoint(network, *path, *summary, ", there already");
    return absl::OkStatus();
  }
  ProgressBar progress(file, ProgressUnit::kBytes);
  FetchRequest request;
  request.url = absl::StrCat(options.from, options.from.ends_with('/') ? "" : "/", file);
  // In the place of the one that is there, which a server would go on to prefer.
  request.path = path.value_or((fs::path(options.into) / file).string());
  request.stop = InterruptToken();
  request.check = [&](const std::string& path, const FileSummary& summary) {
    return CheckCheckpoint(network, path, summary);
  };
  request.on_progress = [&](int64_t done, int64_t total) { progress.Update(done, total); };
  const absl::StatusOr<FetchedFile> fetched = FetchFile(request);
  progress.Clear();
  if (!fetched.ok()) return fetched.status();
  PrintCheckpoint(network, request.path, fetched->summary,
                  fetched->resumed_bytes == 0 ? "" : absl::StrCat(", resumed at ", fetched->resumed_bytes, " bytes"));
  return absl::OkStatus();
}

int Fetch(const CheckpointsOptions& options) {
  std::vector<const NetworkInfo*> networks;
  for (const std::string& name : options.networks) {
    networks.push_back(FindListed(name));
    if (networks.back() == nullptr) {
      return Complain("no network is called " + name + ": hearwire checkpoints list names them"), 1;
    }
  }
  if (options.from.rfind("http://", 0) != 0 && options.from.rfind("https://", 0) != 0) {
    return Complain("--from " + options.from + ": a URL that starts with http:// or https:// would be right"), 1;
  }
  std::error_code error;
  fs::create_directories(options.into, error);
  if (error) return Complain(std::string(FileError(options.into, error.value()).message())), 1;

  curl_global_init(CURL_GLOBAL_DEFAULT);
  int failed = 0;
  for (const NetworkInfo* network : networks) {
    const absl::Status status = FetchNetwork(*network, options);
    if (Interrupted()) {
      Complain("interrupted; the same command goes on where it stopped");
      return InterruptExitCode();
    }
    if (!status.ok()) {
      Complain(absl::StrCat(std::string(network->name), ": ", std::string(status.message())));
      ++failed;
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

void AddCheckpointsCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand("checkpoints", "List and fetch the published networks' weights");
  command.require_subcommand(1);
  const auto options = std::make_shared<CheckpointsOptions>();

  CLI::App& list = *command.add_subcommand("list", "List the networks and their checkpoint files");
  list.add_option("--into", options->into, "Also say which of them are in this folder")->type_name("FOLDER");
  list.callback([options, &chosen] { chosen = [options] { return List(*options); }; });

  CLI::App& fetch = *command.add_subcommand("fetch", "Fetch networks' checkpoint files into a folder");
  fetch.add_option("NETWORK", options->networks, "Such as mn10_as; hearwire checkpoints list names them")
      ->required()
      ->type_name("");
  fetch.add_option("--into", options->into, "Where they go: the server's --model-repository")
      ->required()
      ->type_name("FOLDER");
  fetch.add_option("--from", options->from, "Where they are, http or https: a mirror holds the same file names")
      ->capture_default_str()
      ->type_name("URL");
  fetch.add_flag("--force", options->force, "Fetch also what is there already");
  fetch.footer("A fetch that was cut off is resumed by the same command.");
  fetch.callback([options, &chosen] { chosen = [options] { return Fetch(*options); }; });
}

}  // namespace hearwire::cli
