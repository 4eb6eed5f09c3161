#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/audio_source.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"
#include "client/cli/sample_format.h"
#include "client/cli/stream_writer.h"
#include "client/stream.h"

namespace hearwire::cli {
namespace {

// How long the last rows of an interrupted stream may take.
constexpr std::chrono::seconds kInterruptGrace(5);

struct StreamCommandOptions {
  ConnectionOptions connection;
  std::string idle_timeout = "30s";
  SourceOptions source;
  int rate = 0;
  std::string encoding = "s16";
  int channels = 1;
  client::StreamOptions stream;
  StreamOutput output;
};

constexpr char kFooter[] =
    R"(FILE is a WAV file, or raw samples where --rate says so; without it, or as -, standard input is read:
    arecord -f S16_LE -r 32000 -t wav | hearwire stream --tags 3
    ffmpeg -i concert.mp3 -f wav - | hearwire stream --output concert.csv
Without --timestamps, --scenes, --tags and --heads, rows every 50 ms are asked for. Without --output, a line about
each thing that comes is printed; on a terminal, tags are updated in place.
--output FILE.csv    a line for each row: its time in milliseconds and its values
--output FILE.jsonl  an object in a line for everything that comes, its "type" one of started, row, scene, labels
                     and summary
--output FILE.npy    the rows [rows, size] and, in FILE.timestamps.npy, their times in milliseconds [rows]
--output -           standard output, as jsonl unless --format says csv; pipes and devices likewise
csv and npy hold the rows of --timestamps or of --scenes; tags and heads are then printed. Ctrl-C ends the sound: the
last rows and the summary still come, and the exit code is 130. A stream that fails keeps the rows that have come; the
exit code is 1, as for every other failure.)";

// A descriptor that becomes readable when the stream has ended.
class EndSignal {
 public:
  EndSignal() { (void)!pipe2(fds_, O_CLOEXEC); }
  ~EndSignal() {
    close(fds_[0]);
    close(fds_[1]);
  }
  EndSignal(const EndSignal&) = delete;
  EndSignal& operator=(const EndSignal&) = delete;

  int fd() const { return fds_[0]; }
  void Raise() { (void)!write(fds_[1], "", 1); }

 private:
  int fds_[2] = {-1, -1};
};

// Cancels a stream that an interrupt has ended and that does not end soon by itself.
class InterruptedStream {
 public:
  explicit InterruptedStream(client::Stream& stream)
      : stream_(stream), on_interrupt_(InterruptToken(), [this] { WaitAndCancel(); }) {}

  void OnEnd() {
    const std::lock_guard lock(mu_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  void WaitAndCancel() {
    std::unique_lock lock(mu_);
    if (!changed_.wait_for(lock, kInterruptGrace, [this] { return ended_; })) stream_.Cancel();
  }

  client::Stream& stream_;
  std::mutex mu_;
  std::condition_variable changed_;
  bool ended_ = false;
  const std::stop_callback<std::function<void()>> on_interrupt_;  // Last: it uses the others.
};

// Gives the writer all that comes, until the stream ends.
absl::Status TakeEvents(client::Stream& stream, StreamWriter& writer, bool& output_failed) {
  while (true) {
    const absl::StatusOr<std::optional<client::StreamEvent>> event = stream.Read();
    if (!event.ok()) return event.status();
    if (!*event) return absl::OkStatus();
    if (absl::Status wrong = writer.Write(**event); !wrong.ok()) {
      output_failed = true;
      stream.Cancel();
      return wrong;
    }
  }
}

// Sends all samples. A failure of the stream is left to its reader.
absl::Status SendSamples(AudioSource& source, client::Stream& stream) {
  SampleConverter converter(source.format().encoding);
  while (true) {
    const absl::StatusOr<std::string_view> bytes = source.Next();
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) break;
    if (!stream.Write(converter.Convert(*bytes)).ok()) return absl::OkStatus();
  }
  stream.Finish();
  return Interrupted() ? absl::OkStatus() : source.CheckWhole();
}

int Fail(const absl::Status& wrong) {
  if (Interrupted()) return InterruptExitCode();
  return Complain(std::string(wrong.message())), 1;
}

int RunStream(const StreamCommandOptions& options) {
  client::StreamOptions stream_options = options.stream;
  const absl::StatusOr<absl::Duration> idle_timeout = ParseTime("--idle-timeout", options.idle_timeout);
  if (!idle_timeout.ok()) return Fail(idle_timeout.status());
  stream_options.idle_timeout = *idle_timeout;
  StreamOutput output = options.output;
  output.timestamps = stream_options.timestamps;
  output.scenes = stream_options.scenes;
  output.tags = stream_options.tags_top_k > 0;
  output.heads = !stream_options.heads.empty();
  if (!output.timestamps && !output.scenes && !output.tags && !output.heads) {
    output.timestamps = stream_options.timestamps = true;
  }
  const auto writer = NewStreamWriter(output);
  if (!writer.ok()) return Fail(writer.status());
  auto client = Connect(options.connection);
  if (!client.ok()) return Fail(client.status());
  EndSignal end;
  const auto source = AudioSource::Open(options.source, end.fd());
  if (!source.ok()) return Fail(source.status());
  const SampleFormat& format = (*source)->format();
  stream_options.encoding = WireEncoding(format.encoding);
  stream_options.sample_rate_hz = format.sample_rate_hz;
  stream_options.channels = format.channels;

  std::optional<SignalsBlocked> in_other_threads(std::in_place);
  auto stream = (*client)->OpenStream(stream_options);
  if (!stream.ok()) return Complain(FailureText(stream.status(), options.connection)), 1;
  absl::Status status;
  bool output_failed = false;
  {
    InterruptedStream interrupted(**stream);
    std::thread reader([&] {
      // A reader of the output that has gone away ends the program, whichever thread finds out.
      sigset_t pipe_signal;
      sigemptyset(&pipe_signal);
      sigaddset(&pipe_signal, SIGPIPE);
      pthread_sigmask(SIG_UNBLOCK, &pipe_signal, nullptr);
      status = TakeEvents(**stream, **writer, output_failed);
      interrupted.OnEnd();
      end.Raise();
    });
    in_other_threads.reset();
    const absl::Status input = SendSamples(**source, **stream);
    // Without its end, the sound is answered up to there.
    if (!input.ok()) (*stream)->Finish();
    reader.join();
    if (status.ok()) status = input;
  }
  if (output_failed) return Fail(status);
  const absl::Status finished = (*writer)->Finish();
  if (Interrupted()) return InterruptExitCode();
  if (!status.ok()) Complain(FailureText(status, options.connection));
  if (!finished.ok()) Complain(std::string(finished.message()));
  return status.ok() && finished.ok() ? 0 : 1;
}

}  // namespace

void AddStreamCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand("stream", "Turn sound into embeddings and tags while it comes");
  const auto options = std::make_shared<StreamCommandOptions>();
  client::StreamOptions& stream = options->stream;
  command.add_option("FILE", options->source.path, "A WAV file or raw samples; -, the default: standard input")
      ->type_name("");
  AddServerOption(command, options->connection);
  command
      .add_option("--idle-timeout", options->idle_timeout,
                  "How long the server may neither take sound nor answer: seconds, or 500ms, 2m")
      ->capture_default_str()
      ->type_name("TIME");
  CLI::Option* rate = command.add_option("--rate", options->rate, "The sound is raw samples, so many a second")
                          ->check(CLI::Range(1000, 384'000))
                          ->type_name("HERTZ");
  command
      .add_option("--encoding", options->encoding,
                  absl::StrCat("Of raw samples, little-endian: ", absl::StrJoin(EncodingNames(), ", ")))
      ->capture_default_str()
      ->needs(rate)
      ->check(CLI::IsMember(EncodingNames()))
      ->type_name("NAME");
  command.add_option("--channels", options->channels, "Of raw samples, interleaved")
      ->capture_default_str()
      ->needs(rate)
      ->check(CLI::Range(1, 32))
      ->type_name("N");
  command.add_flag("--real-time", options->source.real_time, "Send the sound no faster than it sounds");
  command.add_option("--config", stream.config, "A config's name (hearwire configs lists them); default: the server's")
      ->type_name("NAME");
  command.add_flag("--timestamps", stream.timestamps, "An embedding every 50 ms");
  command.add_flag("--scenes", stream.scenes, "An embedding every 2.5 s, of the 10 s around it");
  command.add_option("--tags", stream.tags_top_k, "The most probable tags every 2.5 s, and of all the sound")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  command.add_option("--heads", stream.heads, "Heads whose answers are wanted")->delimiter(',')->type_name("NAME,…");
  command.add_option("--top-k", stream.heads_top_k, "The best labels of a head's answer; 0: all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N");
  command.add_flag("--resume", stream.resume, "Go on at another server, or anew, where one ends the stream");
  command.add_option("--output", options->output.path, "Where what comes is written: see below")
      ->check([](const std::string& path) { return path.empty() ? "is empty: a file or - would be right" : ""; })
      ->type_name("PATH");
  command.add_option("--format", options->output.format, "csv, jsonl or npy; default: what --output's name says")
      ->check(CLI::IsMember({"csv", "jsonl", "npy"}))
      ->type_name("FORMAT");
  command.add_flag("--force", options->output.force, "Replace outputs that exist");
  command.footer(kFooter);
  command.callback([options, &chosen] {
    if (options->rate > 0) {
      options->source.raw = SampleFormat{*EncodingByName(options->encoding), options->rate, options->channels};
    }
    chosen = [options] { return RunStream(*options); };
  });
}

}  // namespace hearwire::cli
