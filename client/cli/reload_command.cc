#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"
#include "nlohmann/json.hpp"

namespace hearwire::cli {
namespace {

struct ReloadOptions {
  ConnectionOptions connection;
  std::string format = "text";
};

// A line for each thing that has changed.
std::string Describe(const client::ReloadChanges& changes) {
  std::string text;
  const auto add = [&](const std::string& what, const std::vector<std::string>& names, const char* how) {
    for (const std::string& name : names) absl::StrAppend(&text, what, " ", name, " ", how, "\n");
  };
  const auto add_all = [&](const std::string& what, const client::NameChanges& names) {
    add(what, names.added, "added");
    add(what, names.replaced, "replaced");
    add(what, names.removed, "removed");
  };
  add_all("network", changes.networks);
  add_all("head", changes.heads);
  if (changes.certificate_replaced) text += "certificate replaced\n";
  if (changes.tokens_replaced) text += "tokens replaced\n";
  return text.empty() ? "nothing has changed\n" : text;
}

// The reply of Reload, with the proto's names.
std::string ToJson(const client::ReloadChanges& changes) {
  const auto to_json = [](const client::NameChanges& names) -> nlohmann::ordered_json {
    return {{"added", names.added}, {"replaced", names.replaced}, {"removed", names.removed}};
  };
  const nlohmann::ordered_json reply = {{"networks", to_json(changes.networks)},
                                        {"heads", to_json(changes.heads)},
                                        {"certificate_replaced", changes.certificate_replaced},
                                        {"tokens_replaced", changes.tokens_replaced}};
  return reply.dump(2) + "\n";
}

int Reload(const ReloadOptions& options) {
  auto client = Connect(options.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;
  client::CallOptions call;
  call.cancellation = InterruptToken();
  const auto changes = (*client)->Reload(call);
  if (Interrupted()) return InterruptExitCode();
  if (!changes.ok()) return Complain(FailureText(changes.status(), options.connection)), 1;
  Print(options.format == "json" ? ToJson(*changes) : Describe(*changes));
  return 0;
}

}  // namespace

void AddReloadCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand(
      "reload", "Have a server read its checkpoints, heads, certificates and tokens again, and say what has changed");
  const auto options = std::make_shared<ReloadOptions>();
  AddConnectionOptions(command, options->connection, "5m");
  command.add_option("--format", options->format, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  command.footer(
      "For the server's operator: with --server unix:/path/to/socket as the server's user or root, or with a token for "
      "methods=Reload. One server at a time.");
  command.callback([options, &chosen] { chosen = [options] { return Reload(*options); }; });
}

}  // namespace hearwire::cli
