#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/embedding_text.h"
#include "client/cli/file_calls.h"
#include "client/cli/output_file.h"
#include "client/cli/printable.h"

namespace hearwire::cli {
namespace {

struct TagOptions {
  FileCallOptions calls;
  std::string network;
  int top_k = 5;
  std::string format = "text";
};

constexpr int kBarWidth = 30;

// A probability as a bar, padded to kBarWidth columns: what is left of it is dots.
std::string Bar(float probability) {
  const int filled = std::clamp(static_cast<int>(std::lround(probability * kBarWidth)), 0, kBarWidth);
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < filled ? "█" : "·";
  return bar;
}

std::string TagsText(const std::string& name, const std::vector<client::Tag>& tags, const std::string& format) {
  std::string text;
  if (format == "csv") {
    for (size_t i = 0; i < tags.size(); ++i) {
      absl::StrAppend(&text, CsvField(name), ",", i + 1, ",", tags[i].index, ",", CsvField(tags[i].name), ",",
                      tags[i].probability, "\n");
    }
  } else if (format == "json") {
    for (const client::Tag& tag : tags) {
      absl::StrAppend(&text, text.empty() ? "" : ",", "{\"index\":", tag.index, ",\"name\":", JsonString(tag.name),
                      ",\"probability\":", tag.probability, "}");
    }
    text = absl::StrCat("{\"file\":", JsonString(name), ",\"tags\":[", text, "]}\n");
  } else {
    text = absl::StrCat(Printable(name), "\n");
    for (const client::Tag& tag : tags) {
      const std::string bar = format == "bars" ? Bar(tag.probability) + "  " : "";
      absl::StrAppend(&text, absl::StrFormat("  %.3f  %s%s\n", tag.probability, bar, Printable(tag.name)));
    }
  }
  return text;
}

int TagFiles(const TagOptions& options) {
  const absl::StatusOr<Inputs> inputs = FindInputs(options.calls.files);
  if (!inputs.ok()) return Complain(std::string(inputs.status().message())), 1;
  ReportLeftOut(*inputs);
  auto client = Connect(options.calls.connection);
  if (!client.ok()) return Complain(std::string(client.status().message())), 1;

  bool first = true;
  const FileCallsOutcome outcome = RunFileCalls<client::Tags>(
      options.calls, *inputs, /*prints=*/true,
      [&](client::Audio audio, const client::CallOptions& call, Done<client::Tags> done) {
        client::TagRequest request{{}, options.network, options.top_k};
        request.clips.push_back(std::move(audio));
        (*client)->GetTagsAsync(std::move(request), call, std::move(done));
      },
      [&](const Input& input, const client::Tags& reply) {
        // Every line is whole, so that what is said about other files stands on lines of its own.
        if (options.format == "json") Print(first ? "[\n" : ",");
        if (options.format == "csv" && first) Print("file,rank,index,name,probability\n");
        first = false;
        Print(TagsText(input.path, reply.clips.front(), options.format));
        return FlushStandardOutput();
      });
  if (options.format == "json" && !first) Print("]\n");
  return ReportOutcome(outcome, *inputs);
}

}  // namespace

void AddTagCommand(CLI::App& program, Command& chosen) {
  CLI::App& command = *program.add_subcommand(
      "tag", "Name what is heard: a network's classes, mostly AudioSet's, and their probabilities");
  const auto options = std::make_shared<TagOptions>();
  AddFileCallOptions(command, options->calls);
  options->calls.connection.smaller_reply = "ask for fewer tags with --top-k";
  constexpr int kMostTags = 1'000'000;  // Of any network: a server answers as many as it has.
  command.add_option("--top-k", options->top_k, "The most probable tags; 0: all, 527 of most networks")
      ->capture_default_str()
      ->check(CLI::Range(0, kMostTags))
      ->type_name("N");
  command.add_option("--network", options->network, "Such as mn10_as; default: the server's default config's")
      ->type_name("NAME");
  command
      .add_option("--format", options->format,
                  "text, bars (text with bars), csv (a line for each tag) or json (an array of files)")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "bars", "csv", "json"}))
      ->type_name("FORMAT");
  command.footer("Files that fail are reported; the others are done, and the exit code is 1.");
  command.callback([options, &chosen] { chosen = [options] { return TagFiles(*options); }; });
}

}  // namespace hearwire::cli
