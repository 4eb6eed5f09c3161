#include "server/parse_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/configuration_file.h"
#include "server/names/nearest_names.h"
#include "server/option_names.h"
#include "server/parse_values.h"

namespace hearwire {
namespace {

constexpr int64_t kMaxFrames = int64_t{1} << 40;
constexpr int64_t kMaxMessageBytes = int64_t{2047} << 20;  // protobuf's limit is 2 GiB less one.
constexpr int64_t kMinMessageBytes = 1 << 10;
constexpr int kMaxWorkers = 1024;
constexpr int kMaxPort = 65535;
constexpr int64_t kMostOfALimit = int64_t{1} << 50;

constexpr char kConfigFile[] = "config-file";  // Once --config, which means something else to `hearwire embed`.

// The flags of hearwire-server, each bound to its field.
class Flags {
 public:
  Flags(const std::vector<std::string>& arguments, const GetEnvironment& environment,
        const std::vector<std::string>& variables);

  absl::StatusOr<ParsedOptions> Parse();

 private:
  using Set = std::function<absl::Status(const std::string&)>;

  CLI::Option* Add(const std::string& flag, const std::string& type, const std::string& default_text,
                   const std::string& help, Set set);
  template <typename Value>
  Set Store(Value* field, std::function<absl::StatusOr<Value>(const std::string&)> parse);
  template <typename Integer>
  void AddWhole(const std::string& flag, int64_t least, int64_t most, const std::string& default_text,
                const std::string& help, Integer* field);
  void AddBytes(const std::string& flag, const std::string& help, int64_t* field);
  void AddTime(const std::string& flag, absl::Duration least, const std::string& help, absl::Duration* field);
  template <typename Choice>
  void AddChoice(const std::string& flag, std::vector<Choice> choices, const std::string& help, Choice* field);
  void AddText(const std::string& flag, const std::string& type, const std::string& help, std::string* field);
  // Adds up where the flag is given several times.
  void AddList(const std::string& flag, const std::string& type, const std::string& default_text,
               const std::string& help, const std::string& would_be_right, std::vector<std::string>* field);

  void AddNetworkFlags();
  void AddComputeFlags();
  void AddServingFlags();
  void AddConnectionFlags();
  void AddSecurityFlags();

  std::string Environment(const std::string& flag) const {
    const char* value = environment_(EnvironmentName(flag));
    return value == nullptr ? "" : value;
  }
  std::string ConfigurationFileName() const { return app_.get_config_ptr()->as<std::string>(); }
  // Where a flag's value came from, for messages.
  std::string SourceOf(const std::string& flag) const;
  absl::Status UnknownArgument(const std::string& argument) const;

  std::vector<std::string> arguments_;
  const GetEnvironment environment_;
  const std::vector<std::string> variables_;
  std::vector<std::string> warnings_;
  ServerOptions options_;
  bool self_test_ = false;
  std::vector<std::string> names_;
  std::vector<std::string> lists_;  // Those that may have several values in the configuration file.
  CLI::App app_{"Embeddings and tags of audio over gRPC."};
};

CLI::Option* Flags::Add(const std::string& flag, const std::string& type, const std::string& default_text,
                        const std::string& help, Set set) {
  names_.push_back(flag);
  const auto callback = [this, flag, set = std::move(set)](const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      const absl::Status status = set(value);
      if (!status.ok()) {
        throw CLI::ValidationError(absl::StrCat(SourceOf(flag), ": \"", value, "\" will not do: ", status.message()),
                                   1);
      }
    }
  };
  const std::string text = default_text.empty() ? help : absl::StrCat(help, " [", default_text, "]");
  return app_.add_option_function<std::vector<std::string>>("--" + flag, callback, text)
      ->type_name(type)
      ->envname(EnvironmentName(flag))
      ->expected(1)
      ->allow_extra_args(false)  // CLI11 would take the words that follow a value too.
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

template <typename Value>
Flags::Set Flags::Store(Value* field, std::function<absl::StatusOr<Value>(const std::string&)> parse) {
  return [field, parse = std::move(parse)](const std::string& text) -> absl::Status {
    absl::StatusOr<Value> value = parse(text);
    if (!value.ok()) return value.status();
    *field = *std::move(value);
    return absl::OkStatus();
  };
}

template <typename Integer>
void Flags::AddWhole(const std::string& flag, int64_t least, int64_t most, const std::string& default_text,
                     const std::string& help, Integer* field) {
  Add(flag, "NUMBER", default_text, help,
      Store<Integer>(field, [=](const std::string& text) -> absl::StatusOr<Integer> {
        const absl::StatusOr<int64_t> value = ParseWhole(text, least, most);
        if (!value.ok()) return value.status();
        return static_cast<Integer>(*value);
      }));
}

void Flags::AddBytes(const std::string& flag, const std::string& help, int64_t* field) {
  Add(flag, "BYTES", FormatBytes(*field), help, Store<int64_t>(field, [](const std::string& text) {
        return ParseBytes(text, kMinMessageBytes, kMaxMessageBytes);
      }));
}

void Flags::AddTime(const std::string& flag, absl::Duration least, const std::string& help, absl::Duration* field) {
  Add(flag, "TIME", absl::FormatDuration(*field), help, Store<absl::Duration>(field, [least](const std::string& text) {
        return ParseTime(text, least, absl::Hours(24));
      }));
}

template <typename Choice>
void Flags::AddChoice(const std::string& flag, std::vector<Choice> choices, const std::string& help, Choice* field) {
  std::string all;
  for (const Choice choice : choices) absl::StrAppend(&all, all.empty() ? "" : "|", std::string(ToText(choice)));
  Add(flag, all, std::string(ToText(*field)), help,
      Store<Choice>(field, [choices, all](const std::string& text) -> absl::StatusOr<Choice> {
        for (const Choice choice : choices) {
          if (ToText(choice) == text) return choice;
        }
        return absl::InvalidArgumentError("it must be one of " + all);
      }));
}

void Flags::AddText(const std::string& flag, const std::string& type, const std::string& help, std::string* field) {
  Add(flag, type, *field, help, Store<std::string>(field, [](const std::string& text) -> absl::StatusOr<std::string> {
        if (text.empty()) return absl::InvalidArgumentError("it must not be empty");
        return text;
      }));
}

void Flags::AddList(const std::string& flag, const std::string& type, const std::string& default_text,
                    const std::string& help, const std::string& would_be_right, std::vector<std::string>* field) {
  Add(flag, type, default_text, help, [would_be_right, field](const std::string& text) {
    for (const auto& item : absl::StrSplit(text, ',')) {
      const std::string trimmed(absl::StripAsciiWhitespace(item));
      if (trimmed.empty()) return absl::InvalidArgumentError(would_be_right);
      field->push_back(trimmed);
    }
    return absl::OkStatus();
  })->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  lists_.push_back(flag);
}

Flags::Flags(const std::vector<std::string>& arguments, const GetEnvironment& environment,
             const std::vector<std::string>& variables)
    : arguments_(arguments), environment_(environment), variables_(variables) {
  warnings_ = TakeOldNames(environment_, &arguments_);
  app_.name("hearwire-server");
  app_.set_help_flag("--help,-h", "Print this and end");
  app_.set_version_flag("--version", "hearwire-server " HEARWIRE_VERSION, "Print the version and end");
  app_.set_config("--config-file", "", "File of lines like max-clips=256")
      ->type_name("FILE")
      ->envname("HEARWIRE_CONFIG_FILE");
  app_.config_formatter(std::make_shared<ConfigurationFile>(&names_, &lists_));
  app_.add_flag("--self-test", self_test_,
                "Load the networks, print how far they are from the expected numbers, and end: 0 when all is well");
  names_ = {"help", "version", "self-test", kConfigFile};
  app_.allow_config_extras(CLI::config_extras_mode::error);
  app_.footer(
      "A flag goes before its variable in the environment, that before the configuration file; an empty variable "
      "counts "
      "as not set.\nTIME has a unit: 5ms, 2s, 1m30s. BYTES are a number, or one with KiB, MiB or GiB.\n"
      "Signals: SIGTERM and SIGINT end it once calls in flight are answered, a second one at once; SIGHUP does "
      "nothing.\n"
      "Exit codes: 0 ended as asked, 1 wrong options or cannot start, 70 the device was lost, 128+n a second signal "
      "n.");
  app_.get_formatter()->column_width(44);
  AddNetworkFlags();
  AddComputeFlags();
  AddServingFlags();
  AddConnectionFlags();
  AddSecurityFlags();
}

void Flags::AddNetworkFlags() {
  AddText("model-repository", "FOLDER", "Folder of checkpoints; without it only the embedded network is served",
          &options_.model_repository);
  AddList("networks", "NAME,…", "every checkpoint found",
          "Networks to load from the model repository, such as mn04_as,mn10_as",
          "it must be names with commas between, mn04_as,mn10_as", &options_.networks);
  AddText("default-config", "NAME", "Config of requests that name none", &options_.default_config);
  AddText("heads", "FOLDER", "Folder of heads, NAME.safetensors each; without it Classify answers nothing",
          &options_.heads);
  AddChoice<HeadMismatch>("head-mismatch", {HeadMismatch::kRefuse, HeadMismatch::kWarn},
                          "What to do with a head that was trained in another embedding space",
                          &options_.head_mismatch);
}

void Flags::AddComputeFlags() {
  AddChoice<DeviceChoice>("device", {DeviceChoice::kAuto, DeviceChoice::kCpu, DeviceChoice::kCuda},
                          "Where networks run; auto: each on CUDA where that is there and faster", &options_.device);
  AddChoice<BackendChoice>(
      "backend", {BackendChoice::kAuto, BackendChoice::kNative, BackendChoice::kCuda, BackendChoice::kTorch},
      "What runs them; auto: native on the CPU, on CUDA cuda, for float16 torch", &options_.backend);
  AddChoice<Precision>("precision", {Precision::kFloat32, Precision::kBfloat16, Precision::kFloat16, Precision::kAuto},
                       "What they compute in; bfloat16: the native backend on CPUs with AVX512-BF16 only; float16: the "
                       "torch backend on CUDA only; auto: bfloat16 where the CPU runs all and has it, else float32",
                       &options_.precision);
  AddWhole("workers", 1, kMaxWorkers, "the usable CPUs; on CUDA 2",
           "Threads that run batches; those of CUDA only with --device=cuda", &options_.workers);
  AddChoice<PinWorkers>("pin-workers", {PinWorkers::kAuto, PinWorkers::kOff},
                        "auto: to a CPU each, where there are as many workers as CPUs and no quota",
                        &options_.pin_workers);
  AddWhole("max-batch-frames", 1, kMaxFrames, "4096; on CUDA 32768", "Spectrogram frames in one batch; 10 s are 1001",
           &options_.max_batch_frames);
  AddTime("max-queue-delay", absl::ZeroDuration(), "Longest wait of a window for company", &options_.max_queue_delay);
  AddTime("max-queue-time", absl::ZeroDuration(), "Work that may run before a call; with more, it is refused",
          &options_.max_queue_time);
  AddTime("batch-timeout", absl::ZeroDuration(),
          "A batch that runs for longer hangs, and ends the server (code 72); 0: none", &options_.batch_timeout);
  Add("max-queued-frames", "NUMBER", "what a quarter of the memory holds",
      "Spectrogram frames that wait; more are refused",
      Store<int64_t>(&options_.max_queued_frames, [](const std::string& text) -> absl::StatusOr<int64_t> {
        absl::StatusOr<int64_t> frames = ParseWhole(text, 1, kMaxFrames);
        if (!frames.ok() || *frames >= kLeastQueuedFrames) return frames;
        return absl::InvalidArgumentError(absl::StrCat("the self-test's longest window has ", kLeastQueuedFrames,
                                                       " frames and must fit: ", kLeastQueuedFrames, " is the least"));
      }));
}

void Flags::AddServingFlags() {
  AddText("host", "ADDRESS", "Address to listen on; 0.0.0.0 or :: for all. Metrics are on IPv4 even then",
          &options_.host);
  AddWhole("grpc-port", 0, kMaxPort, absl::StrCat(options_.grpc_port), "Port of gRPC; 0 takes a free one",
           &options_.grpc_port);
  AddWhole("metrics-port", 0, kMaxPort, absl::StrCat(options_.metrics_port),
           "Port of /metrics over HTTP; 0 takes a free one", &options_.metrics_port);
  AddBytes("max-message-bytes", "Largest request", &options_.max_message_bytes);
  AddBytes("max-reply-bytes", "Largest reply; clients take 4MiB unless they raise it", &options_.max_reply_bytes);
  Add("max-decoded-seconds", "SECONDS", absl::StrCat(absl::ToDoubleSeconds(options_.max_decoded)),
      "Longest clip once decoded", Store<absl::Duration>(&options_.max_decoded, [](const std::string& text) {
        return ParseSeconds(text, absl::Seconds(1), absl::Hours(24));
      }));
  AddTime("max-deadline", absl::Milliseconds(1), "Deadline of calls that bring none, and the longest that counts",
          &options_.max_deadline);
  AddWhole("max-clips", 1, 1 << 20, absl::StrCat(options_.max_clips), "Clips in one call", &options_.max_clips);
  AddWhole("max-streams", 0, 1 << 20, absl::StrCat(options_.max_streams), "Streams that are open at a time; 0: none",
           &options_.max_streams);
  AddWhole("max-streams-per-caller", 1, 1 << 20, "half of them",
           "Likewise of one caller, unless its token says otherwise", &options_.max_streams_per_caller);
  AddBytes("max-piece-bytes", "Largest piece of a stream's audio", &options_.max_piece_bytes);
  AddTime("stream-idle-timeout", absl::Milliseconds(1),
          "After that a stream ends whose client sends no audio or does not read", &options_.stream_idle_timeout);
  AddTime("max-stream-duration", absl::ZeroDuration(),
          "After that a stream ends, and tells where another goes on; 0: never", &options_.max_stream_duration);
  AddTime("lame-duck", absl::ZeroDuration(), "After SIGTERM: health says NOT_SERVING, calls are still taken",
          &options_.lame_duck);
  AddTime("drain-deadline", absl::ZeroDuration(), "After that: for calls in flight, then they fail",
          &options_.drain_deadline);
  AddChoice<LogFormat>("log-format", {LogFormat::kText, LogFormat::kJson}, "Of the lines on standard error",
                       &options_.log_format);
  AddChoice<LogLevel>("log-level", {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError},
                      "Least level that is written; debug has a line for each call", &options_.log_level);
  AddText("access-log", "FILE",
          "A line of JSON for each call; - is standard output. A file may be moved away to rotate it",
          &options_.access_log);
  AddTime("slow-call", absl::ZeroDuration(), "Calls that take longer are logged at info; 0: none", &options_.slow_call);
}

void Flags::AddConnectionFlags() {
  AddWhole("max-connections", 1, 1 << 20, "as many as there are file descriptors for",
           "Connections of gRPC; for more, those go that are silent for longest", &options_.max_connections);
  AddWhole("max-connections-per-address", 1, 1 << 20, "a quarter of them",
           "Likewise of one address, those of --trusted-proxies apart", &options_.max_connections_per_address);
  AddTime("connection-idle-timeout", absl::ZeroDuration(), "After that a connection without calls ends; 0: never",
          &options_.connection_idle_timeout);
  AddTime("max-connection-age", absl::ZeroDuration(), "After that a connection takes no new calls; 0: never",
          &options_.max_connection_age);
  AddTime("connection-age-grace", absl::ZeroDuration(), "After that: for its calls, then they end",
          &options_.connection_age_grace);
  AddTime("request-timeout", absl::ZeroDuration(),
          "After that a connection ends whose requests have begun and do not arrive; 0: never",
          &options_.request_timeout);
}

void Flags::AddSecurityFlags() {
  AddText("tls-cert", "FILE", "Certificate for TLS, PEM, with those between it and the root; followed when it changes",
          &options_.tls_cert);
  AddText("tls-key", "FILE", "Private key of --tls-cert, PEM without a password", &options_.tls_key);
  AddText("tls-client-ca", "FILE", "Clients must show a certificate that one of these has signed, PEM",
          &options_.tls_client_ca);
  AddText("tokens-file", "FILE", "Calls must bring a token whose SHA-256 is there; followed when it changes",
          &options_.tokens_file);
  AddChoice<PlaintextTokens>("plaintext-tokens", {PlaintextTokens::kRefuse, PlaintextTokens::kAllow},
                             "Whether tokens may travel without TLS beyond this machine", &options_.plaintext_tokens);
  AddChoice<HealthAccess>("health-access", {HealthAccess::kOpen, HealthAccess::kToken},
                          "Whether health needs a token too, with --tokens-file", &options_.health_access);
  AddChoice<Reflection>("reflection", {Reflection::kAuto, Reflection::kOn, Reflection::kOff},
                        "Whether anybody may ask which methods there are; auto: on without --tokens-file",
                        &options_.reflection);
  AddWhole("caller-calls-per-minute", 0, kMostOfALimit, "0", "Calls that each caller may make; 0: any number",
           &options_.caller_calls_per_minute);
  AddWhole("caller-bytes-per-minute", 0, kMostOfALimit, "0",
           "Bytes of requests that each caller may send; 0: any number", &options_.caller_bytes_per_minute);
  AddWhole("caller-audio-seconds-per-minute", 0, kMostOfALimit, "0",
           "Seconds of audio that each caller may have computed; 0: any number",
           &options_.caller_audio_seconds_per_minute);
  AddList("trusted-proxies", "ADDRESS,…", "none", "From there --caller-header is believed, such as 10.0.0.0/8,::1",
          "it must be addresses with commas between, 10.0.0.7,192.168.0.0/16", &options_.trusted_proxies);
  Add("caller-header", "NAME", options_.caller_header, "Metadata by which a trusted proxy names the caller",
      Store<std::string>(&options_.caller_header, [](const std::string& text) -> absl::StatusOr<std::string> {
        const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
          return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
        });
        if (!text.empty() && plain && !absl::EndsWith(text, "-bin")) return text;
        return absl::InvalidArgumentError("it must be the name of metadata, in lower case, such as x-hearwire-caller");
      }));
  AddText("unix-socket", "FILE", "Listens on this socket of the machine too, without TLS", &options_.unix_socket);
  Add("unix-socket-mode", "MODE", FormatMode(options_.unix_socket_mode), "Its permissions: who may connect",
      Store<int>(&options_.unix_socket_mode, ParseMode));
}

std::string Flags::SourceOf(const std::string& flag) const {
  if (IsGiven(arguments_, flag)) return "--" + flag;
  if (!Environment(flag).empty()) return EnvironmentName(flag);
  return absl::StrCat(flag, " in ", ConfigurationFileName());
}

absl::Status Flags::UnknownArgument(const std::string& argument) const {
  if (argument.empty() || argument[0] != '-') {
    return absl::InvalidArgumentError(absl::StrCat("what is \"", argument, "\"? Only flags are taken, see --help"));
  }
  const std::string name(absl::StripPrefix(absl::StripPrefix(argument, "-"), "-"));
  const std::string word = name.substr(0, name.find('='));
  const std::vector<std::string_view> flags(names_.begin(), names_.end());
  const std::vector<std::string_view> nearest = NearestNames(word, flags, 1);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown flag ", argument.substr(0, argument.find('=')),
                   nearest.empty() ? ", see --help" : absl::StrCat(": did you mean --", std::string(nearest[0]), "?")));
}

absl::StatusOr<ParsedOptions> Flags::Parse() {
  // CLI11 would put the file before the environment, so the environment's values come as flags of their own.
  std::vector<std::string> all;
  for (const std::string& flag : names_) {
    if (flag == "help" || flag == "version" || flag == "self-test" || IsGiven(arguments_, flag)) continue;
    if (const std::string value = Environment(flag); !value.empty())
      all.push_back(absl::StrCat("--", flag, "=", value));
  }
  all.insert(all.end(), arguments_.begin(), arguments_.end());
  std::reverse(all.begin(), all.end());  // As CLI11 takes them.
  std::vector<std::string> known = {"HEARWIRE_CONFIG"};
  for (const std::string& flag : names_) known.push_back(EnvironmentName(flag));
  for (std::string& warning : UnknownVariables(variables_, known)) warnings_.push_back(std::move(warning));
  try {
    app_.parse(all);
  } catch (const CLI::CallForHelp&) {
    return ParsedOptions{options_, app_.help(), false};
  } catch (const CLI::CallForVersion& version) {
    return ParsedOptions{options_, absl::StrCat(version.what(), "\n"), false};
  } catch (const CLI::ExtrasError&) {
    return UnknownArgument(app_.remaining().front());
  } catch (const CLI::ConfigError& error) {
    return absl::InvalidArgumentError(absl::StrCat(ConfigurationFileName(), ": ", error.what()));
  } catch (const CLI::FileError&) {
    return absl::InvalidArgumentError(
        absl::StrCat("--config-file: the file ", ConfigurationFileName(), " cannot be read"));
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(std::string(error.what()).substr(0, std::string(error.what()).find('\n')));
  }
  return ParsedOptions{options_, std::nullopt, self_test_, warnings_};
}

}  // namespace

absl::StatusOr<ParsedOptions> ParseOptions(const std::vector<std::string>& arguments, const GetEnvironment& environment,
                                           const std::vector<std::string>& variables) {
  return Flags(arguments, environment, variables).Parse();
}

}  // namespace hearwire
