// hearwire-server: embeddings and tags of audio over gRPC.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/backend.h"
#include "server/check_server.h"
#include "server/concurrency/border.h"
#include "server/last_words.h"
#include "server/parse_options.h"
#include "server/pipeline/self_test.h"
#include "server/run_server.h"

int main(int argc, char** argv) {
  hearwire::InstallLastWords(hearwire::LogFormat::kText);
  const absl::StatusOr<hearwire::ParsedOptions> parsed = hearwire::Contain([&] {
    return hearwire::ParseOptions(std::vector<std::string>(argv + 1, argv + argc),
                                  [](const std::string& name) -> const char* { return std::getenv(name.c_str()); });
  });
  if (!parsed.ok()) {
    std::fprintf(stderr, "hearwire-server: %s\n", std::string(parsed.status().message()).c_str());
    return hearwire::kExitCannotStart;
  }
  if (parsed->text.has_value()) {
    std::fputs(parsed->text->c_str(), stdout);
    return 0;
  }
  hearwire::ServerSeams seams;
  seams.make_backends = hearwire::MakeBackends;
  seams.make_reference = hearwire::MakeReferenceBackend;
  seams.self_test = [](const hearwire::NetworkCatalog& networks, std::string_view precision,
                       hearwire::Batcher* batcher) { return hearwire::RunSelfTest(networks, precision, batcher); };
  if (parsed->self_test) std::_Exit(hearwire::CheckServer(parsed->options, seams));
  std::_Exit(hearwire::RunServer(parsed->options, std::move(seams)));
}
