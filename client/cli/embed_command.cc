#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/embedding_writer.h"
#include "client/cli/file_calls.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"

namespace hearwire::cli {
namespace {

struct EmbedOptions {
  FileCallOptions calls;
  std::string config;
  std::string kind = "scene";
  OutputOptions output;
};

constexpr char kFooter[] = R"(Without --output, a line about each file is printed.
--output FILE.npy   one file:  its embedding [size], or its timestamps' [timestamps, size] and, in
                    FILE.timestamps.npy, their times in milliseconds [timestamps]
                    several:   scenes [files, size] and, in FILE.files.json, the files' names in that order
--output FILE.csv   a line for each file or timestamp, with the file's name and the time
--output FILE.json  an array of objects with file, config, weights and values
--output -          the same on standard output: json unless --format says otherwise; a pipe or a device is
                    written into likewise, in the format that its name or --format says
--output FOLDER     any other name: a file for each input, named as the input is (below the folder that was
                    searched) and .npy, .csv or .json added: dog.wav.npy
Files that fail are reported and left out; the others are done, and the exit code is 1. It is 1 for every other
failure too, and 128 and the signal's number after Ctrl-C (130) and other signals. What was done until then is
kept, and with a folder as --output the same command with --skip-existing does the rest.
A file whose name begins with - goes after --: hearwire embed -- -dog.wav)";

int Embed(EmbedOptions& options) {
  absl::StatusOr<Inputs> inputs = FindInputs(options.calls.files);
  if (!inputs.ok()) return Complain(std::string(inputs.status().message())), 1;
  options.output.kind = options.kind == "scene" ? EmbeddingKind::kScene : EmbeddingKind::kTimestamps;
  const size_t found = inputs->files.size();
  auto writer = NewEmbeddingWriter(options.output, &*inputs);
  if (Interrupted()) return InterruptExitCode();  // While a named pipe waited for its reader.
  if (!writer.ok()) return Complain(std::string(writer.status().message())), 1;
  ReportLeftOut(*inputs);
  if (const size_t done = found - inputs->files.size(); done > 0) {
    Complain(absl::StrCat(done, " of ", found, " files were done before"));
    if (inputs->files.empty()) return inputs->left_out.empty() ? 0 : 1;
  }
  auto client = Connect(options.calls.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;

  const bool prints = options.output.output.empty() || IsStream(options.output.output);
  FileCallsOutcome outcome;
  if (options.output.kind == EmbeddingKind::kScene) {
    outcome = RunFileCalls<client::SceneEmbeddings>(
        options.calls, *inputs, prints,
        [&](client::Audio audio, const client::CallOptions& call, Done<client::SceneEmbeddings> done) {
          client::EmbedRequest request{{}, options.config};
          request.clips.push_back(std::move(audio));
          (*client)->GetSceneEmbeddingsAsync(std::move(request), call, std::move(done));
        },
        [&](const Input& input, const client::SceneEmbeddings& reply) {
          return (*writer)->Write(input, {reply.embeddings, {}, reply.space});
        });
  } else {
    outcome = RunFileCalls<client::TimestampEmbeddings>(
        options.calls, *inputs, prints,
        [&](client::Audio audio, const client::CallOptions& call, Done<client::TimestampEmbeddings> done) {
          client::EmbedRequest request{{}, options.config};
          request.clips.push_back(std::move(audio));
          (*client)->GetTimestampEmbeddingsAsync(std::move(request), call, std::move(done));
        },
        [&](const Input& input, const client::TimestampEmbeddings& reply) {
          const client::ClipTimestampEmbeddings& clip = reply.clips.front();
          return (*writer)->Write(input, {clip.embeddings, clip.timestamps_ms, reply.space});
        });
  }
  // A stream that stopped half-way would pass for whole. A file is kept, and is said to hold some of the inputs.
  const std::string kept = (*writer)->kept();
  if (outcome.succeeded > 0 && (outcome.finished || !kept.empty())) {
    const absl::Status wrong = (*writer)->Finish();
    if (Interrupted() && kept.empty()) return InterruptExitCode();
    if (!wrong.ok()) return Complain(std::string(wrong.message())), Interrupted() ? InterruptExitCode() : 1;
  }
  return ReportOutcome(outcome, *inputs, kept);
}

}  // namespace

void AddEmbedCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand("embed", "Turn sounds into embeddings");
  const auto options = std::make_shared<EmbedOptions>();
  AddFileCallOptions(command, options->calls);
  options->calls.connection.smaller_reply =
      "cut the file into shorter pieces, or use a --config with smaller embeddings";
  command
      .add_option("--config", options->config, "A config's name (hearwire configs lists them); default: the server's")
      ->type_name("NAME");
  command.add_option("--kind", options->kind, "scene: one embedding a file; timestamps: one every 50 ms")
      ->capture_default_str()
      ->check(CLI::IsMember({"scene", "timestamps"}))
      ->type_name("KIND");
  command.add_option("--output", options->output.output, "Where the embeddings go: see below")
      ->check(
          [](const std::string& path) { return path.empty() ? "is empty: a file, a folder or - would be right" : ""; })
      ->type_name("PATH");
  command
      .add_option("--format", options->output.format, "npy, csv or json; default: what --output's name says, else npy")
      ->check(CLI::IsMember({"npy", "csv", "json", "parquet"}).description(""))
      ->type_name("FORMAT");
  command.add_flag("--force", options->output.force, "Replace outputs that exist");
  command.add_flag("--skip-existing", options->output.skip_existing,
                   "Leave out the files whose outputs in the folder exist: goes on where a run has ended");
  command.footer(kFooter);
  command.callback([options, &chosen] { chosen = [options] { return Embed(*options); }; });
}

}  // namespace hearwire::cli
