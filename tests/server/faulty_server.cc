// hearwire-server with backends that fail on request (tests/fixtures/faulty_backend.h), as the file says that
// FAULT_FILE names. Everything else is the program's own.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/backend.h"
#include "server/parse_options.h"
#include "server/pipeline/self_test.h"
#include "server/run_server.h"
#include "tests/fixtures/faulty_backend.h"

namespace hearwire {
namespace {

int Run(int argc, char** argv) {
  const absl::StatusOr<ParsedOptions> parsed =
      ParseOptions(std::vector<std::string>(argv + 1, argv + argc),
                   [](const std::string& name) -> const char* { return std::getenv(name.c_str()); });
  if (!parsed.ok()) {
    std::fprintf(stderr, "%s\n", std::string(parsed.status().message()).c_str());
    return kExitCannotStart;
  }
  const char* const file = std::getenv("FAULT_FILE");
  ServerSeams seams;
  seams.make_backends = [file](const ServerOptions& options) -> absl::StatusOr<std::vector<std::unique_ptr<Backend>>> {
    absl::StatusOr<std::vector<std::unique_ptr<Backend>>> backends = MakeBackends(options);
    if (!backends.ok()) return backends;
    for (auto& backend : *backends) backend = MakeFaultyBackend(std::move(backend), file != nullptr ? file : "");
    return backends;
  };
  seams.make_reference = MakeReferenceBackend;
  seams.self_test = [](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
    return RunSelfTest(networks, precision, batcher);
  };
  return RunServer(parsed->options, std::move(seams));
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) { std::_Exit(hearwire::Run(argc, argv)); }
