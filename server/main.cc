// hearwire-server: embeddings and tags of audio over gRPC.

#include <unistd.h>

#include <csignal>
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

namespace {

std::vector<std::string> EnvironmentNames() {
  std::vector<std::string> names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  // Until there is a thread for signals: who asks for a reload so early must not end the process.
  std::signal(SIGHUP, SIG_IGN);
  hearwire::InstallLastWords(hearwire::LogFormat::kText);
  const absl::StatusOr<hearwire::ParsedOptions> parsed = hearwire::Contain([&] {
    return hearwire::ParseOptions(
        std::vector<std::string>(argv + 1, argv + argc),
        [](const std::string& name) -> const char* { return std::getenv(name.c_str()); }, EnvironmentNames());
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
  if (parsed->self_test) {
    for (const std::string& warning : parsed->warnings) std::fprintf(stderr, "hearwire-server: %s\n", warning.c_str());
    std::_Exit(hearwire::CheckServer(parsed->options, seams));
  }
  std::_Exit(hearwire::RunServer(parsed->options, std::move(seams), parsed->warnings));
}
