#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"
#include "nlohmann/json.hpp"

namespace hearwire::cli {
namespace {

struct ConfigsOptions {
  ConnectionOptions connection;
  bool loaded = false;
  std::string format = "text";
};

void PrintText(const std::vector<client::ConfigInfo>& configs) {
  size_t name_width = 6;
  size_t network_width = 7;
  for (const client::ConfigInfo& config : configs) {
    name_width = std::max(name_width, config.name.size());
    network_width = std::max(network_width, config.network.size());
  }
  const auto print = [&](const auto&... cells) {
    Print(absl::StrFormat("%s %-*s  %-*s  %-6s  %5s  %10s  %6s\n", cells...));
  };
  print(" ", name_width, "CONFIG", network_width, "NETWORK", "LOADED", "SCENE", "TIMESTAMPS", "WINDOW");
  for (const client::ConfigInfo& config : configs) {
    print(config.is_default ? "*" : " ", name_width, config.name, network_width, config.network,
          config.loaded ? "yes" : "no", std::to_string(config.scene_embedding_size),
          std::to_string(config.timestamp_embedding_size), absl::StrFormat("%g ms", config.timestamp_window_ms));
  }
}

// The reply of ListConfigs, with the proto's names.
void PrintJson(const std::vector<client::ConfigInfo>& configs, const client::ServerLimits& limits) {
  auto array = nlohmann::ordered_json::array();
  for (const client::ConfigInfo& config : configs) {
    nlohmann::ordered_json object = {
        {"name", config.name},
        {"network", config.network},
        {"loaded", config.loaded},
        {"is_default", config.is_default},
        {"sample_rate", config.sample_rate_hz},
        {"scene_embedding_size", config.scene_embedding_size},
        {"timestamp_embedding_size", config.timestamp_embedding_size},
        {"timestamp_window_ms", config.timestamp_window_ms},
        {"timestamp_hop_ms", config.timestamp_hop_ms},
        {"min_scene_samples", config.min_scene_samples},
        {"min_timestamp_samples", config.min_timestamp_samples},
    };
    if (config.loaded) {
      object["space"] = {{"config", config.space.config},
                         {"weights_sha256", config.space.weights_sha256},
                         {"frontend", config.space.frontend},
                         {"precision", config.space.precision}};
    }
    array.push_back(std::move(object));
  }
  const nlohmann::ordered_json reply = {{"configs", std::move(array)},
                                        {"limits",
                                         {{"max_message_bytes", limits.max_message_bytes},
                                          {"max_reply_bytes", limits.max_reply_bytes},
                                          {"max_clips", limits.max_clips},
                                          {"max_decoded_seconds", limits.max_decoded_seconds},
                                          {"max_deadline_seconds", limits.max_deadline_seconds},
                                          {"max_piece_bytes", limits.max_piece_bytes}}}};
  Print(reply.dump(2) + "\n");
}

int ListConfigs(const ConfigsOptions& options) {
  auto client = Connect(options.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;
  client::CallOptions call;
  call.cancellation = InterruptToken();
  auto configs = (*client)->ListConfigs(options.loaded, call);
  if (Interrupted()) return InterruptExitCode();
  if (!configs.ok()) return Complain(FailureText(configs.status(), options.connection)), 1;
  if (options.format != "json") return PrintText(*configs), 0;
  const auto limits = (*client)->GetLimits(call);
  if (Interrupted()) return InterruptExitCode();
  if (!limits.ok()) return Complain(FailureText(limits.status(), options.connection)), 1;
  PrintJson(*configs, *limits);
  return 0;
}

}  // namespace

void AddConfigsCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand("configs", "List what the server can compute; * marks its default");
  const auto options = std::make_shared<ConfigsOptions>();
  AddConnectionOptions(command, options->connection, "30s");
  command.add_flag("--loaded", options->loaded, "Only configs whose checkpoint is loaded");
  command.add_option("--format", options->format, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  command.callback([options, &chosen] { chosen = [options] { return ListConfigs(*options); }; });
}

}  // namespace hearwire::cli
