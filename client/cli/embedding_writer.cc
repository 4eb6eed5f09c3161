#include "client/cli/embedding_writer.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/embedding_text.h"
#include "client/cli/npy.h"
#include "client/cli/output_file.h"

namespace hearwire::cli {
namespace {

namespace fs = std::filesystem;

// "x.npy" -> "x.timestamps.npy".
std::string Beside(const std::string& path, std::string_view ending) {
  return absl::StrCat(path.substr(0, path.size() - std::string_view(".npy").size()), std::string(ending));
}
constexpr std::string_view kTimestampsEnding = ".timestamps.npy";
constexpr std::string_view kFilesEnding = ".files.json";

constexpr char kNoParquet[] =
    "Parquet is written in Python, with pandas or pyarrow (docs/python.md, Many clips); here .npy, .csv and .json are";

absl::Status SkipsOnlyInFolders() {
  return absl::InvalidArgumentError(
      "--skip-existing goes with a folder as --output: there each input has its own file");
}

class SummaryWriter final : public EmbeddingWriter {
 public:
  explicit SummaryWriter(EmbeddingKind kind) : kind_(kind) {}

  absl::Status Write(const Input& input, const Embedded& result) override {
    Print(EmbeddedSummary(input.path, result, kind_));
    return FlushStandardOutput();
  }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  const EmbeddingKind kind_;
};

// JSON: an array with a line for each input, its comma at the start, so that what was written always ends a line. CSV:
// a header and a line for each row.
class TextWriter final : public EmbeddingWriter {
 public:
  TextWriter(std::unique_ptr<OutputFile> file, bool json, EmbeddingKind kind)
      : file_(std::move(file)), json_(json), kind_(kind) {}

  absl::Status Write(const Input& input, const Embedded& result) override {
    const int64_t columns = result.embeddings.columns;
    if (!json_ && columns_ && *columns_ != columns) {
      return absl::InvalidArgumentError(absl::StrCat(columns, " values; the files before it have ", *columns_));
    }
    std::string text;
    if (json_) {
      text = absl::StrCat(columns_ ? "," : "[\n", EmbeddedJson(input.path, result, kind_), "\n");
    } else {
      text = absl::StrCat(columns_ ? "" : EmbeddedCsvHeader(columns, kind_), EmbeddedCsv(input.path, result, kind_));
    }
    columns_ = columns;
    return file_->Write(text);
  }

  std::string kept() const override { return columns_ ? file_->kept() : ""; }

  absl::Status Finish() override {
    if (json_) {
      if (absl::Status wrong = file_->Write(columns_ ? "]\n" : "[]\n"); !wrong.ok()) return wrong;
    }
    return file_->Commit();
  }

 private:
  const std::unique_ptr<OutputFile> file_;
  const bool json_;
  const EmbeddingKind kind_;
  std::optional<int64_t> columns_;  // Of the results so far; absent before the first.
};

// One input's array: [size], or [timestamps, size] with the times in a second file where there can be one.
class NpyWriter final : public EmbeddingWriter {
 public:
  NpyWriter(std::unique_ptr<OutputFile> file, std::unique_ptr<OutputFile> timestamps, EmbeddingKind kind)
      : file_(std::move(file)), timestamps_(std::move(timestamps)), kind_(kind) {}

  absl::Status Write(const Input& /*input*/, const Embedded& result) override {
    const client::Matrix& matrix = result.embeddings;
    std::vector<int64_t> shape = {matrix.columns};
    if (kind_ == EmbeddingKind::kTimestamps) shape.insert(shape.begin(), matrix.rows);
    absl::Status status = file_->Write(NpyHeader(kNpyFloat32, shape));
    status.Update(file_->Write(ValueBytes(absl::MakeConstSpan(matrix.values))));
    if (timestamps_ != nullptr) {
      status.Update(timestamps_->Write(NpyHeader(kNpyFloat64, {matrix.rows})));
      status.Update(timestamps_->Write(ValueBytes(absl::MakeConstSpan(result.timestamps_ms))));
    }
    return status;
  }

  absl::Status Finish() override {
    absl::Status status = timestamps_ == nullptr ? absl::OkStatus() : timestamps_->Commit();
    if (status.ok()) status = file_->Commit();
    return status;
  }

 private:
  const std::unique_ptr<OutputFile> file_;
  const std::unique_ptr<OutputFile> timestamps_;  // May be null.
  const EmbeddingKind kind_;
};

// Scenes of many inputs in one array [files, size], and the files' names beside it.
class NpyStackWriter final : public EmbeddingWriter {
 public:
  NpyStackWriter(std::unique_ptr<OutputFile> file, std::unique_ptr<OutputFile> names)
      : file_(std::move(file)), names_(std::move(names)) {}

  absl::Status Write(const Input& input, const Embedded& result) override {
    const client::Matrix& matrix = result.embeddings;
    if (rows_ > 0 && matrix.columns != columns_) {
      return absl::InvalidArgumentError(absl::StrCat(matrix.columns, " values; the files before it have ", columns_));
    }
    columns_ = matrix.columns;
    absl::Status status;
    if (rows_ == 0) status.Update(file_->Write(NpyHeader(kNpyFloat32, {0, columns_})));
    status.Update(names_->Write(absl::StrCat(rows_ == 0 ? "[\n" : ",\n", JsonString(input.path))));
    ++rows_;
    status.Update(file_->Write(ValueBytes(matrix.row(0))));
    return status;
  }

  std::string kept() const override { return rows_ > 0 ? file_->kept() : ""; }

  absl::Status Finish() override {
    absl::Status status = file_->Rewrite(NpyHeader(kNpyFloat32, {rows_, columns_}));
    status.Update(names_->Write(rows_ == 0 ? "[]\n" : "\n]\n"));
    if (status.ok()) status = names_->Commit();
    if (status.ok()) status = file_->Commit();
    return status;
  }

 private:
  const std::unique_ptr<OutputFile> file_;
  const std::unique_ptr<OutputFile> names_;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
};

// A writer for one file, by its format. single: an array stands for one input, else for all of them.
absl::StatusOr<std::unique_ptr<EmbeddingWriter>> NewFileWriter(const std::string& path, const OutputOptions& options,
                                                               bool single) {
  auto file = OutputFile::Create(path, options.force);
  if (!file.ok()) return file.status();
  if (options.format != "npy") {
    return std::make_unique<TextWriter>(*std::move(file), options.format == "json", options.kind);
  }
  const bool timestamps = options.kind == EmbeddingKind::kTimestamps;
  // Beside a name that is no .npy (standard output's, a device's) there is no place.
  if (!path.ends_with(".npy") || (single && !timestamps))
    return std::make_unique<NpyWriter>(*std::move(file), nullptr, options.kind);
  auto beside = OutputFile::Create(Beside(path, single ? kTimestampsEnding : kFilesEnding), options.force);
  if (!beside.ok()) return beside.status();
  if (single) return std::make_unique<NpyWriter>(*std::move(file), *std::move(beside), options.kind);
  return std::make_unique<NpyStackWriter>(*std::move(file), *std::move(beside));
}

// A file for each input, below a folder.
class FolderWriter final : public EmbeddingWriter {
 public:
  explicit FolderWriter(OutputOptions options) : options_(std::move(options)) {}

  // Takes out those whose outputs exist, all of them. What exists of the others was left by a run that was killed.
  void SkipExisting(Inputs* inputs) const {
    std::erase_if(inputs->files, [this](const Input& input) {
      const std::vector<std::string> paths = PathsOf(input);
      std::error_code ignored;
      return std::all_of(paths.begin(), paths.end(),
                         [&](const std::string& path) { return fs::is_regular_file(path, ignored); });
    });
  }

  // What Write would find in its way.
  absl::Status Check(const Inputs& inputs) const {
    std::map<std::string, std::string> owners;  // Of each file that will be written.
    int existing = 0;
    absl::Status first;
    for (const Input& input : inputs.files) {
      for (const std::string& path : PathsOf(input)) {
        const auto [owner, is_new] = owners.emplace(path, input.path);
        if (!is_new) {
          return absl::InvalidArgumentError(absl::StrCat(owner->second, " and ", input.path,
                                                         " would both be written to ", path,
                                                         "; give them folders of their own"));
        }
        if (absl::Status wrong = CheckMayWrite(path, options_.force); !wrong.ok()) {
          if (existing++ == 0) first = wrong;
        }
      }
    }
    if (existing < 2) return first;
    return absl::AlreadyExistsError(
        absl::StrCat(std::string(first.message()), " (and ", existing - 1, " more like it)"));
  }

  std::string kept() const override { return absl::StrCat("they are in ", options_.output); }

  absl::Status Write(const Input& input, const Embedded& result) override {
    const std::string path = PathsOf(input).front();
    std::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    if (error) return FileError(fs::path(path).parent_path().string(), error.value());
    auto writer = NewFileWriter(path, options_, /*single=*/true);
    if (!writer.ok()) return writer.status();
    if (absl::Status wrong = (*writer)->Write(input, result); !wrong.ok()) return wrong;
    return (*writer)->Finish();
  }

  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  // The embeddings' file, and where there is one that of the times.
  std::vector<std::string> PathsOf(const Input& input) const {
    std::vector<std::string> paths = {
        absl::StrCat((fs::path(options_.output) / input.outputs).string(), ".", options_.format)};
    if (options_.format == "npy" && options_.kind == EmbeddingKind::kTimestamps) {
      paths.push_back(Beside(paths[0], kTimestampsEnding));
    }
    return paths;
  }

  const OutputOptions options_;
};

}  // namespace

// INVALID_ARGUMENT: an ending that is none of ours, where it would make a folder that nobody meant.
absl::Status CheckNewName(const std::string& output) {
  const std::string extension = fs::path(output).extension().string();
  if (extension.empty()) return absl::OkStatus();
  if (extension == ".parquet") return absl::InvalidArgumentError(absl::StrCat("--output ", output, ": ", kNoParquet));
  return absl::InvalidArgumentError(absl::StrCat("--output ", output,
                                                 ": a name that ends in .npy, .csv or .json would be "
                                                 "right, or for a folder ",
                                                 output, "/"));
}

absl::StatusOr<std::unique_ptr<EmbeddingWriter>> NewEmbeddingWriter(const OutputOptions& given, Inputs* inputs) {
  OutputOptions options = given;
  if (options.format == "parquet") return absl::InvalidArgumentError(absl::StrCat("--format parquet: ", kNoParquet));
  if (options.output.empty()) {
    if (options.skip_existing) return SkipsOnlyInFolders();
    if (options.format.empty()) return std::make_unique<SummaryWriter>(options.kind);
    options.output = std::string("-");  // GCC 12 warns wrongly about the plain literal.
  }
  std::error_code ignored;
  const bool is_folder = options.output.ends_with('/') || fs::is_directory(options.output, ignored);
  std::string extension = is_folder ? "" : fs::path(options.output).extension().string();
  if (extension != ".npy" && extension != ".csv" && extension != ".json") extension.clear();
  if (!extension.empty() && !options.format.empty() && absl::StrCat(".", options.format) != extension) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output ", options.output, " and --format ", options.format, " contradict each other"));
  }
  const bool is_stream = IsStream(options.output);
  if (options.format.empty() && is_stream && options.output != "-" && extension.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output ", options.output, ": its name does not say what to write there; --format does"));
  }
  if (options.format.empty()) {
    options.format = !extension.empty() ? extension.substr(1) : options.output == "-" ? "json" : "npy";
  }
  if (!is_stream && extension.empty()) {
    if (!is_folder && fs::exists(options.output, ignored)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--output ", options.output, ": neither a folder nor a name that ends in .npy, .csv or .json"));
    }
    if (absl::Status wrong = is_folder ? absl::OkStatus() : CheckNewName(options.output); !wrong.ok()) return wrong;
    options.force |= options.skip_existing;
    auto writer = std::make_unique<FolderWriter>(options);
    if (options.skip_existing) writer->SkipExisting(inputs);
    if (absl::Status wrong = writer->Check(*inputs); !wrong.ok()) return wrong;
    return writer;
  }
  if (options.skip_existing) return SkipsOnlyInFolders();
  if (options.format == "npy" && !inputs->one_file) {
    if (is_stream) {
      return absl::InvalidArgumentError(
          "several files as npy do not fit standard output, a pipe or a device: name an --output FILE.npy or folder");
    }
    if (options.kind == EmbeddingKind::kTimestamps) {
      return absl::InvalidArgumentError(absl::StrCat(
          "timestamps of several files do not fit one array: name a folder as --output, or a .csv or .json file"));
    }
  }
  return NewFileWriter(options.output, options, inputs->one_file);
}

}  // namespace hearwire::cli
