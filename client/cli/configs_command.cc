#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"
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
    std::fputs(absl::StrFormat("%s %-*s  %-*s  %-6s  %5s  %10s  %6s\n", cells...).c_str(), stdout);
  };
  print(" ", name_width, "CONFIG", network_width, "NETWORK", "LOADED", "SCENE", "TIMESTAMPS", "WINDOW");
  for (const client::ConfigInfo& config : configs) {
    print(config.is_default ? "*" : " ", name_width, config.name, network_width, config.network,
          config.loaded ? "yes" : "no", std::to_string(config.scene_embedding_size),
          std::to_string(config.timestamp_embedding_size), absl::StrFormat("%g ms", config.timestamp_window_ms));
  }
}

void PrintJson(const std::vector<client::ConfigInfo>& configs) {
  auto array = nlohmann::ordered_json::array();
  for (const client::ConfigInfo& config : configs) {
    nlohmann::ordered_json object = {
        {"name", config.name},
        {"network", config.network},
        {"loaded", config.loaded},
        {"default", config.is_default},
        {"sample_rate_hz", config.sample_rate_hz},
        {"scene_embedding_size", config.scene_embedding_size},
        {"timestamp_embedding_size", config.timestamp_embedding_size},
        {"timestamp_window_ms", config.timestamp_window_ms},
        {"timestamp_hop_ms", config.timestamp_hop_ms},
        {"min_scene_samples", config.min_scene_samples},
        {"min_timestamp_samples", config.min_timestamp_samples},
    };
    if (config.loaded) {
      object["weights_sha256"] = config.space.weights_sha256;
      object["frontend"] = config.space.frontend;
      object["precision"] = config.space.precision;
    }
    array.push_back(std::move(object));
  }
  std::fputs((array.dump(2) + "\n").c_str(), stdout);
}

int ListConfigs(const ConfigsOptions& options) {
  auto client = Connect(options.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;
  client::CallOptions call;
  call.cancellation = InterruptToken();
  auto configs = (*client)->ListConfigs(options.loaded, call);
  if (Interrupted()) return InterruptExitCode();
  if (!configs.ok()) return Complain(FailureText(configs.status(), options.connection)), 1;
  options.format == "json" ? PrintJson(*configs) : PrintText(*configs);
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
