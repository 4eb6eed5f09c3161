#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"

namespace hearwire::cli {
namespace {

struct HealthOptions {
  ConnectionOptions connection;
  std::string service;
};

int CheckHealth(const HealthOptions& options) {
  auto client = Connect(options.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;
  client::CallOptions call;
  call.cancellation = InterruptToken();
  const auto status = (*client)->CheckHealth(options.service, call);
  if (Interrupted()) return InterruptExitCode();
  if (absl::IsNotFound(status.status())) {
    return Complain("the server has no service called " + options.service), 1;
  }
  if (!status.ok()) return Complain(FailureText(status.status(), options.connection)), 1;
  switch (*status) {
    case client::ServingStatus::kServing:
      std::puts("SERVING");
      return 0;
    case client::ServingStatus::kNotServing:
      std::puts("NOT_SERVING");
      return 1;
    case client::ServingStatus::kUnknown:
      break;
  }
  std::puts("UNKNOWN");
  return 1;
}

}  // namespace

void AddHealthCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand("health", "Ask whether the server serves: exit code 0 only when it does");
  const auto options = std::make_shared<HealthOptions>();
  AddConnectionOptions(command, options->connection, "5s");
  command.add_option("--service", options->service, "Such as hearwire.v1.EmbeddingService; default: the whole server")
      ->type_name("NAME");
  command.footer("Suits a container's health check: HEALTHCHECK CMD [\"hearwire\", \"health\"]");
  command.callback([options, &chosen] { chosen = [options] { return CheckHealth(*options); }; });
}

}  // namespace hearwire::cli
