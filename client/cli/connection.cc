#include "client/cli/connection.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/interrupt.h"
#include "client/cli/printable.h"
#include "client/error_details.h"

namespace hearwire::cli {
namespace {

// The server's own advice is about all that a request can hold.
std::string ReplyTooLarge(const absl::Status& status, const ConnectionOptions& options) {
  std::map<std::string, std::string> facts = client::ErrorMetadata(status);
  std::string text =
      absl::StrCat("the reply would be at least ", facts["reply_bytes"], " bytes, more than the server sends (",
                   facts["max_reply_bytes"], " bytes, its --max-reply-bytes)");
  if (!options.smaller_reply.empty()) absl::StrAppend(&text, ": ", options.smaller_reply);
  return text;
}

bool IsPort(std::string_view text) {
  int port = 0;
  return std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &port) && port > 0 && port < 65536;
}

// gRPC would take a port for a host, or a port of its own choice. What says its kind (unix:…, dns:…) is left to gRPC.
absl::Status CheckServer(const std::string& server) {
  for (const std::string_view kind : {"dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "vsock:", "xds:"}) {
    if (server.starts_with(kind)) return absl::OkStatus();
  }
  if (server.empty() || server.find("://") != std::string::npos || server.find(',') != std::string::npos)
    return absl::OkStatus();  // The client says more.
  const size_t colon = server.rfind(':');
  const std::string host = server.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const bool has_port = colon != std::string::npos && IsPort(std::string_view(server).substr(colon + 1));
  if (has_port && !host.empty() && (bracketed || host.find(':') == std::string::npos)) return absl::OkStatus();
  std::string example = "127.0.0.1:8001";
  if (IsPort(server)) {
    example = absl::StrCat("127.0.0.1:", server);
  } else if (server.find_first_of(":/") == std::string::npos) {
    example = absl::StrCat(server, ":8001");
  } else if (server.find("::") != std::string::npos) {
    example = "[::1]:8001";
  } else if (server.find('/') != std::string::npos) {
    example = "127.0.0.1:8001 or unix:/path/to/socket";
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the server's address ", server, ": HOST:PORT would be right, such as ", example));
}

}  // namespace

void AddServerOption(CLI::App& command, ConnectionOptions& options) {
  command
      .add_option("--server", options.server,
                  "The server: HOST:PORT, https://HOST:PORT or unix:/path/to/socket; several with commas between")
      ->envname("HEARWIRE_SERVER")
      ->capture_default_str()
      ->type_name("ADDRESS");
  AddSecurityOptions(command, options.security);
}

void AddConnectionOptions(CLI::App& command, ConnectionOptions& options, const std::string& deadline) {
  AddServerOption(command, options);
  options.deadline = deadline;
  command
      .add_option("--deadline", options.deadline, "How long a call may take, retries included: seconds, or 500ms, 2m")
      ->capture_default_str()
      ->type_name("TIME");
}

absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectionOptions& options) {
  const absl::StatusOr<absl::Duration> deadline = ParseTime("--deadline", options.deadline);
  if (!deadline.ok()) return deadline.status();
  if (absl::Status wrong = CheckServer(options.server); !wrong.ok()) return wrong;
  client::ClientOptions client_options;
  client_options.server = options.server;
  if (absl::Status wrong = ApplySecurity(options.security, &client_options); !wrong.ok()) return wrong;
  client_options.deadline = *deadline;
  client_options.max_message_bytes = options.max_message_bytes;
  const SignalsBlocked in_grpc_threads;
  return client::Client::Create(client_options);
}

absl::StatusOr<absl::Duration> ParseTime(const std::string& flag, const std::string& text) {
  absl::Duration deadline;
  if (double seconds = 0; absl::SimpleAtod(text, &seconds)) {
    deadline = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &deadline)) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " ", text, ": seconds, or a time such as 500ms, would be right"));
  }
  if (deadline > absl::ZeroDuration() && deadline < absl::InfiniteDuration()) return deadline;
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", text, ": it must be positive and finite"));
}

std::string FailureText(const absl::Status& status, const ConnectionOptions& options) {
  std::string text(status.message());
  if (client::IsUnreachable(status) && text.rfind("no server at ", 0) == 0) {
    return absl::StrCat("no server at ", options.server,
                        ": start one with hearwire-server, or name another with --server");
  }
  // The flags for what the message asks for.
  for (const auto& [words, flag] :
       {std::pair("(roots)", "(--roots)"), std::pair("(server name)", "(--server-name)"),
        std::pair("a certificate of yours too", "a certificate of yours too (--client-cert)")}) {
    if (const size_t found = text.find(words); client::IsUnreachable(status) && found != std::string::npos) {
      text.replace(found, std::string_view(words).size(), flag);
    }
  }
  const std::string reason = client::ErrorReason(status);
  if (reason == "TOKEN_MISSING" || reason == "TOKEN_UNKNOWN") {
    return absl::StrCat(text, " (--token-file, or HEARWIRE_TOKEN)");
  }
  if (reason == "REPLY_TOO_LARGE") return ReplyTooLarge(status, options);
  // Methods' names are for those who write programs.
  if (constexpr std::string_view kMethod = "; ListConfigs lists all"; text.ends_with(kMethod)) {
    text.replace(text.size() - kMethod.size(), kMethod.size(), "; hearwire configs lists all");
  }
  // The server counts a request's clips; a command sends one.
  if (text.rfind("clips[0]", 0) == 0 && text.find(": ") != std::string::npos) text.erase(0, text.find(": ") + 2);
  if (absl::IsUnimplemented(status) && text.empty()) {
    return absl::StrCat("what answers at ", options.server, " is not a Hearwire server: it has no such method");
  }
  return text.empty() ? absl::StatusCodeToString(status.code()) : text;
}

void Complain(const std::string& text) { std::fprintf(stderr, "hearwire: %s\n", Printable(text).c_str()); }

}  // namespace hearwire::cli
