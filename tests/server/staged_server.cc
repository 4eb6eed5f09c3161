// hearwire-server with a backend that a test directs, for tests of the program's life.
//
// Where the environment names a FIFO, the step of that name waits until somebody writes a word into it: "ok", or
// something else, with which the step fails. Without a FIFO it goes on.
//   STAGED_BACKEND    making the backend
//   STAGED_SELF_TEST  the self-test
//   STAGED_EMBED      every batch; fails as a lost device does

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "server/parse_options.h"
#include "server/run_server.h"
#include "tests/fixtures/fake_embedder.h"

namespace hearwire {
namespace {

absl::Status WaitForWord(const char* variable) {
  const char* fifo = std::getenv(variable);
  if (fifo == nullptr) return absl::OkStatus();
  std::string word;
  std::ifstream(fifo) >> word;
  return word == "ok" ? absl::OkStatus() : absl::UnavailableError(word);
}

int Run(int argc, char** argv) {
  const absl::StatusOr<ParsedOptions> parsed =
      ParseOptions(std::vector<std::string>(argv + 1, argv + argc),
                   [](const std::string& name) -> const char* { return std::getenv(name.c_str()); });
  if (!parsed.ok()) {
    std::fprintf(stderr, "%s\n", std::string(parsed.status().message()).c_str());
    return kExitCannotStart;
  }
  ServerSeams seams;
  seams.make_backends = [](const ServerOptions&) -> absl::StatusOr<std::vector<std::unique_ptr<Backend>>> {
    if (absl::Status status = WaitForWord("STAGED_BACKEND"); !status.ok()) return status;
    auto backend = std::make_unique<FakeBackend>();
    backend->set_before_embed([](int, absl::Span<const WindowRequest>) { return WaitForWord("STAGED_EMBED"); });
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(std::move(backend));
    return backends;
  };
  seams.self_test = [](const NetworkCatalog&, std::string_view, Batcher*) -> absl::StatusOr<SelfTestReport> {
    if (absl::Status status = WaitForWord("STAGED_SELF_TEST"); !status.ok()) return status;
    return SelfTestReport{};
  };
  return RunServer(parsed->options, std::move(seams));
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) { std::_Exit(hearwire::Run(argc, argv)); }
