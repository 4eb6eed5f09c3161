#include "client/cli/stream_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/embedding_text.h"
#include "client/cli/printable.h"

namespace hearwire::cli {
namespace {

using client::HeadAnswer;
using client::Label;
using client::Tag;

void AppendJsonNumber(const char* name, double value, std::string& text) {
  absl::StrAppend(&text, ",\"", name, "\":");
  AppendNumber(value, text);
}

void AppendJsonTags(const std::vector<Tag>& tags, std::string& text) {
  text += ",\"tags\":[";
  for (const Tag& tag : tags) {
    absl::StrAppend(&text, text.back() == '[' ? "" : ",", "{\"index\":", tag.index, ",\"name\":", JsonString(tag.name),
                    ",\"probability\":");
    AppendNumber(tag.probability, text);
    text += '}';
  }
  text += ']';
}

void AppendJsonLabels(const std::vector<Label>& labels, std::string& text) {
  text += '[';
  for (const Label& label : labels) {
    absl::StrAppend(&text, text.back() == '[' ? "" : ",", "{\"index\":", label.index,
                    ",\"name\":", JsonString(label.name), ",\"score\":");
    AppendNumber(label.score, text);
    text += '}';
  }
  text += ']';
}

void AppendJsonHeads(const std::vector<HeadAnswer>& heads, std::string& text) {
  text += ",\"heads\":{";
  for (const HeadAnswer& head : heads) {
    absl::StrAppend(&text, text.back() == '{' ? "" : ",", JsonString(head.head), ":");
    AppendJsonLabels(head.labels, text);
  }
  text += '}';
}

// What a scene window and a summary may have. A list that is empty was not asked for.
void AppendJsonScene(const client::Matrix& embedding, const std::vector<Tag>& tags,
                     const std::vector<HeadAnswer>& heads, std::string& text) {
  if (embedding.rows > 0) {
    text += ",\"embedding\":";
    AppendJsonArray(embedding.row(0), text);
  }
  if (!tags.empty()) AppendJsonTags(tags, text);
  if (!heads.empty()) AppendJsonHeads(heads, text);
  text += "}\n";
}

struct JsonLines {
  std::string operator()(const client::StreamStarted& started) const {
    return absl::StrCat("{\"type\":\"started\",\"config\":", JsonString(started.space.config),
                        ",\"weights_sha256\":", JsonString(started.space.weights_sha256),
                        ",\"frontend\":", JsonString(started.space.frontend),
                        ",\"precision\":", JsonString(started.space.precision), "}\n");
  }
  std::string operator()(const client::ClipTimestampEmbeddings& rows) const {
    std::string text;
    for (size_t i = 0; i < rows.timestamps_ms.size(); ++i) {
      text += R"({"type":"row")";
      AppendJsonNumber("timestamp_ms", rows.timestamps_ms[i], text);
      text += ",\"embedding\":";
      AppendJsonArray(rows.embeddings.row(static_cast<int64_t>(i)), text);
      text += "}\n";
    }
    return text;
  }
  std::string operator()(const client::SceneWindow& scene) const {
    std::string text = R"({"type":"scene")";
    AppendJsonNumber("centre_ms", scene.centre_ms, text);
    AppendJsonScene(scene.embedding, scene.tags, scene.heads, text);
    return text;
  }
  std::string operator()(const client::HeadRows& rows) const {
    std::string text;
    for (const HeadAnswer& head : rows.heads) {
      for (const client::LabelRow& row : head.rows) {
        text += R"({"type":"labels")";
        AppendJsonNumber("timestamp_ms", row.timestamp_ms, text);
        absl::StrAppend(&text, ",\"head\":", JsonString(head.head), ",\"labels\":");
        AppendJsonLabels(row.labels, text);
        text += "}\n";
      }
    }
    return text;
  }
  std::string operator()(const client::StreamSummary& summary) const {
    std::string text = R"({"type":"summary")";
    AppendJsonNumber("audio_ms", summary.audio_ms, text);
    absl::StrAppend(&text, ",\"timestamp_rows\":", summary.timestamp_rows, ",\"scene_windows\":", summary.scene_windows,
                    ",\"resumes\":", summary.resumes);
    AppendJsonScene(summary.scene, summary.tags, summary.heads, text);
    return text;
  }
};

// Of a label that has no name, its place in the head's list.
std::string NameOf(const Label& label) {
  return label.name.empty() ? absl::StrCat("#", label.index) : Printable(label.name);
}

std::string Seconds(double ms) { return absl::StrFormat("%9.3f s", ms / 1000); }

}  // namespace

std::string StreamJsonLines(const client::StreamEvent& event) { return std::visit(JsonLines(), event); }

std::string StreamCsvHeader(const std::string& time, int64_t columns) {
  std::string text = time;
  for (int64_t column = 0; column < columns; ++column) absl::StrAppend(&text, ",e", column);
  return text + '\n';
}

std::string StreamCsvLine(double ms, absl::Span<const float> values) {
  std::string text;
  AppendNumber(ms, text);
  for (const float value : values) {
    text += ',';
    AppendNumber(value, text);
  }
  return text + '\n';
}

std::string ValuesLine(double ms, const std::string& what, absl::Span<const float> values) {
  std::string text = absl::StrCat(Seconds(ms), "  ", what);
  for (const float value : values.subspan(0, 6)) absl::StrAppend(&text, absl::StrFormat(" %.4g", value));
  return absl::StrCat(text, values.size() > 6 ? " …\n" : "\n");
}

std::string TagsLine(double ms, const std::vector<Tag>& tags) {
  std::string text = Seconds(ms);
  for (const Tag& tag : tags)
    absl::StrAppend(&text, absl::StrFormat("  %.3f %s", tag.probability, Printable(tag.name)));
  return text;
}

std::string LabelsLine(double ms, const std::string& head, const std::vector<Label>& labels) {
  std::string text = absl::StrCat(Seconds(ms), "  ", Printable(head), ":");
  for (const Label& label : labels) absl::StrAppend(&text, absl::StrFormat("  %.3f %s", label.score, NameOf(label)));
  return text;
}

std::string SummaryText(const client::StreamSummary& summary) {
  std::string text = absl::StrFormat("%.3f s in all", summary.audio_ms / 1000);
  if (summary.timestamp_rows > 0) absl::StrAppend(&text, ", ", summary.timestamp_rows, " rows");
  if (summary.scene_windows > 0) absl::StrAppend(&text, ", ", summary.scene_windows, " scene windows");
  if (summary.resumes > 0)
    absl::StrAppend(&text, ", resumed ", summary.resumes, summary.resumes == 1 ? " time" : " times");
  text += '\n';
  for (const Tag& tag : summary.tags)
    absl::StrAppend(&text, absl::StrFormat("  %.3f  %s\n", tag.probability, Printable(tag.name)));
  for (const HeadAnswer& head : summary.heads) {
    absl::StrAppend(&text, Printable(head.head), "\n");
    for (const Label& label : head.labels)
      absl::StrAppend(&text, absl::StrFormat("  %.3f  %s\n", label.score, NameOf(label)));
  }
  return text;
}

}  // namespace hearwire::cli
