#include "client/cli/stream_writer.h"

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/npy.h"
#include "client/cli/output_file.h"
#include "client/cli/stream_text.h"

namespace hearwire::cli {
namespace {

using client::ClipTimestampEmbeddings;
using client::HeadRows;
using client::SceneWindow;
using client::StreamEvent;
using client::StreamSummary;

// Lines for people on standard output. On a terminal one line of tags is written over and over.
class LinePrinter final : public StreamWriter {
 public:
  // embeddings: those are printed too.
  explicit LinePrinter(bool embeddings) : embeddings_(embeddings), terminal_(isatty(STDOUT_FILENO) == 1) {}

  absl::Status Write(const StreamEvent& event) override {
    if (const auto* rows = std::get_if<ClipTimestampEmbeddings>(&event); rows != nullptr && embeddings_) {
      for (size_t i = 0; i < rows->timestamps_ms.size(); ++i) {
        PrintLines(ValuesLine(rows->timestamps_ms[i], "row:  ", rows->embeddings.row(static_cast<int64_t>(i))));
      }
    } else if (const auto* head_rows = std::get_if<HeadRows>(&event)) {
      for (const client::HeadAnswer& head : head_rows->heads) {
        for (const client::LabelRow& row : head.rows) {
          PrintLines(LabelsLine(row.timestamp_ms, head.head, row.labels) + "\n");
        }
      }
    } else if (const auto* scene = std::get_if<SceneWindow>(&event)) {
      if (embeddings_ && scene->embedding.rows > 0) {
        PrintLines(ValuesLine(scene->centre_ms, "scene:", scene->embedding.row(0)));
      }
      for (const client::HeadAnswer& head : scene->heads) {
        PrintLines(LabelsLine(scene->centre_ms, head.head, head.labels) + "\n");
      }
      if (!scene->tags.empty()) PrintTags(TagsLine(scene->centre_ms, scene->tags));
    } else if (const auto* summary = std::get_if<StreamSummary>(&event)) {
      PrintLines(SummaryText(*summary));
    }
    return FlushStandardOutput();
  }

  absl::Status Finish() override {
    if (live_) Print("\n");
    return FlushStandardOutput();
  }

 private:
  // What the cursor stands behind is removed first.
  void PrintLines(const std::string& lines) {
    if (std::exchange(live_, false)) Print("\r\033[K");
    Print(lines);
  }

  void PrintTags(const std::string& line) {
    if (!terminal_) return Print(line + "\n");
    Print(absl::StrCat("\r\033[K", line));
    live_ = true;
  }

  const bool embeddings_;
  const bool terminal_;
  bool live_ = false;  // A line of tags stands on the terminal, not ended.
};

class JsonLinesWriter final : public StreamWriter {
 public:
  explicit JsonLinesWriter(std::unique_ptr<OutputFile> file) : file_(std::move(file)) {}

  absl::Status Write(const StreamEvent& event) override {
    absl::Status status = file_->Write(StreamJsonLines(event));
    status.Update(file_->Flush());
    return status;
  }
  absl::Status Finish() override { return file_->Commit(); }

 private:
  const std::unique_ptr<OutputFile> file_;
};

// The rows that are wanted, whichever event has them: timestamps', or scene windows'.
class RowWriter : public StreamWriter {
 public:
  absl::Status Write(const StreamEvent& event) final {
    absl::Status status;
    if (const auto* rows = std::get_if<ClipTimestampEmbeddings>(&event)) {
      for (size_t i = 0; i < rows->timestamps_ms.size() && status.ok(); ++i) {
        status = WriteRow(rows->timestamps_ms[i], rows->embeddings.row(static_cast<int64_t>(i)));
      }
      if (status.ok()) status = Flush();
    } else if (const auto* scene = std::get_if<SceneWindow>(&event); scene != nullptr && scene->embedding.rows > 0) {
      status = WriteRow(scene->centre_ms, scene->embedding.row(0));
      if (status.ok()) status = Flush();
    }
    return status;
  }

 protected:
  virtual absl::Status WriteRow(double ms, absl::Span<const float> values) = 0;
  virtual absl::Status Flush() = 0;
};

class CsvWriter final : public RowWriter {
 public:
  CsvWriter(std::unique_ptr<OutputFile> file, std::string time) : file_(std::move(file)), time_(std::move(time)) {}

  absl::Status WriteRow(double ms, absl::Span<const float> values) override {
    std::string text;
    if (!std::exchange(has_header_, true)) text = StreamCsvHeader(time_, static_cast<int64_t>(values.size()));
    return file_->Write(text + StreamCsvLine(ms, values));
  }
  absl::Status Flush() override { return file_->Flush(); }
  absl::Status Finish() override { return file_->Commit(); }

 private:
  const std::unique_ptr<OutputFile> file_;
  const std::string time_;  // What its column is called.
  bool has_header_ = false;
};

// [rows, size], and the times beside it [rows]. The header is written again when the number of rows is known.
class NpyStreamWriter final : public RowWriter {
 public:
  NpyStreamWriter(std::unique_ptr<OutputFile> file, std::unique_ptr<OutputFile> times)
      : file_(std::move(file)), times_(std::move(times)) {}

  absl::Status WriteRow(double ms, absl::Span<const float> values) override {
    absl::Status status;
    if (rows_++ == 0) {
      columns_ = static_cast<int64_t>(values.size());
      status = WriteHeaders(&OutputFile::Write);
    }
    status.Update(file_->Write(ValueBytes(values)));
    status.Update(times_->Write(ValueBytes(absl::MakeConstSpan(&ms, 1))));
    return status;
  }
  absl::Status Flush() override { return absl::OkStatus(); }

  absl::Status Finish() override {
    absl::Status status = WriteHeaders(&OutputFile::Rewrite);
    if (status.ok()) status = times_->Commit();
    if (status.ok()) status = file_->Commit();
    return status;
  }

 private:
  absl::Status WriteHeaders(absl::Status (OutputFile::*write)(std::string_view)) {
    absl::Status status = (*file_.*write)(NpyHeader(kNpyFloat32, {rows_, columns_}));
    status.Update((*times_.*write)(NpyHeader(kNpyFloat64, {rows_})));
    return status;
  }

  const std::unique_ptr<OutputFile> file_;
  const std::unique_ptr<OutputFile> times_;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
};

// Both get all.
class TwoWriters final : public StreamWriter {
 public:
  TwoWriters(std::unique_ptr<StreamWriter> one, std::unique_ptr<StreamWriter> other)
      : one_(std::move(one)), other_(std::move(other)) {}

  absl::Status Write(const StreamEvent& event) override {
    absl::Status status = one_->Write(event);
    status.Update(other_->Write(event));
    return status;
  }
  absl::Status Finish() override {
    absl::Status status = one_->Finish();
    status.Update(other_->Finish());
    return status;
  }

 private:
  const std::unique_ptr<StreamWriter> one_;
  const std::unique_ptr<StreamWriter> other_;
};

absl::StatusOr<std::string> FormatOf(const StreamOutput& output) {
  std::string extension = std::filesystem::path(output.path).extension().string();
  if (extension != ".csv" && extension != ".jsonl" && extension != ".npy") extension.clear();
  if (!extension.empty() && !output.format.empty() && "." + output.format != extension) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output ", output.path, " and --format ", output.format, " contradict each other"));
  }
  if (!output.format.empty()) return output.format;
  if (!extension.empty()) return extension.substr(1);
  if (output.path == "-") return std::string("jsonl");
  return absl::InvalidArgumentError(absl::StrCat(
      "--output ", output.path, ": its name does not say what to write there (.csv, .jsonl or .npy); --format does"));
}

absl::StatusOr<std::unique_ptr<StreamWriter>> NewFileWriter(const StreamOutput& output, const std::string& format) {
  if (format == "npy") {
    // The header says how many rows follow.
    if (IsStream(output.path)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--format npy says first how many rows there are, which a stream does not know: name an --output FILE.npy, "
          "or use csv or jsonl"));
    }
    if (!output.path.ends_with(".npy")) {
      return absl::InvalidArgumentError(absl::StrCat("--output ", output.path,
                                                     ": the times go to a file beside it, so that a name that ends in "
                                                     ".npy would be right"));
    }
  }
  auto file = OutputFile::Create(output.path, output.force);
  if (!file.ok()) return file.status();
  if (format == "jsonl") return std::make_unique<JsonLinesWriter>(*std::move(file));
  if (format == "csv") {
    return std::make_unique<CsvWriter>(*std::move(file), output.timestamps ? "timestamp_ms" : "centre_ms");
  }
  const std::string stem = output.path.substr(0, output.path.size() - std::string_view(".npy").size());
  auto times = OutputFile::Create(stem + ".timestamps.npy", output.force);
  if (!times.ok()) return times.status();
  return std::make_unique<NpyStreamWriter>(*std::move(file), *std::move(times));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamWriter>> NewStreamWriter(const StreamOutput& given) {
  StreamOutput output = given;
  if (output.path.empty()) {
    if (output.format.empty()) return std::make_unique<LinePrinter>(/*embeddings=*/true);
    output.path = std::string("-");
  }
  const absl::StatusOr<std::string> format = FormatOf(output);
  if (!format.ok()) return format.status();
  if (*format == "jsonl") return NewFileWriter(output, *format);
  if (output.timestamps == output.scenes) {
    return absl::InvalidArgumentError(absl::StrCat(
        *format,
        output.scenes ? " holds the rows of timestamps or of scenes, not both" : " holds rows, and none are asked for",
        ": --format jsonl holds whatever comes"));
  }
  const bool prints = output.tags || output.heads;
  if (prints && IsStream(output.path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(*format, " has no place for tags and heads: name a file as --output, or use --format jsonl"));
  }
  absl::StatusOr<std::unique_ptr<StreamWriter>> file = NewFileWriter(output, *format);
  if (!file.ok() || !prints) return file;
  return std::make_unique<TwoWriters>(*std::move(file), std::make_unique<LinePrinter>(/*embeddings=*/false));
}

}  // namespace hearwire::cli
