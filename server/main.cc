// hearwire-server: embeddings and tags of audio over gRPC.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/backend.h"
#include "server/parse_options.h"
#include "server/run_server.h"

int main(int argc, char** argv) {
  const absl::StatusOr<hearwire::ParsedOptions> parsed =
      hearwire::ParseOptions(std::vector<std::string>(argv + 1, argv + argc),
                             [](const std::string& name) -> const char* { return std::getenv(name.c_str()); });
  if (!parsed.ok()) {
    std::fprintf(stderr, "hearwire-server: %s\n", std::string(parsed.status().message()).c_str());
    return hearwire::kExitCannotStart;
  }
  if (parsed->text.has_value()) {
    std::fputs(parsed->text->c_str(), stdout);
    return 0;
  }
  std::_Exit(hearwire::RunServer(parsed->options, hearwire::MakeBackend));
}
