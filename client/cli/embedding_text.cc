#include "client/cli/embedding_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/printable.h"
#include "nlohmann/json.hpp"

namespace hearwire::cli {
namespace {

template <typename Number>
void AppendDigits(Number value, std::string& text) {
  std::array<char, 32> digits = {};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

template <typename Number>
void AppendArray(absl::Span<const Number> values, std::string& text) {
  text += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ',';
    if (std::isfinite(values[i])) {
      AppendDigits(values[i], text);
    } else {
      text += "null";  // JSON has no other word for it.
    }
  }
  text += ']';
}

}  // namespace

void AppendNumber(float value, std::string& text) { AppendDigits(value, text); }
void AppendNumber(double value, std::string& text) { AppendDigits(value, text); }

void AppendJsonArray(absl::Span<const float> values, std::string& text) { AppendArray(values, text); }

std::string JsonString(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string EmbeddedJson(const std::string& name, const Embedded& result, EmbeddingKind kind) {
  std::string text = absl::StrCat("{\"file\":", JsonString(name), ",\"config\":", JsonString(result.space.config),
                                  ",\"weights_sha256\":", JsonString(result.space.weights_sha256),
                                  ",\"frontend\":", JsonString(result.space.frontend),
                                  ",\"precision\":", JsonString(result.space.precision));
  if (kind == EmbeddingKind::kScene) {
    text += ",\"embedding\":";
    AppendJsonArray(result.embeddings.row(0), text);
  } else {
    text += ",\"timestamps_ms\":";
    AppendArray(absl::MakeConstSpan(result.timestamps_ms), text);
    text += ",\"embeddings\":[";
    for (int64_t row = 0; row < result.embeddings.rows; ++row) {
      if (row > 0) text += ',';
      AppendJsonArray(result.embeddings.row(row), text);
    }
    text += ']';
  }
  return text + '}';
}

std::string EmbeddedCsvHeader(int64_t columns, EmbeddingKind kind) {
  std::string text = kind == EmbeddingKind::kScene ? "file" : "file,timestamp_ms";
  for (int64_t column = 0; column < columns; ++column) absl::StrAppend(&text, ",e", column);
  return text + '\n';
}

std::string EmbeddedCsv(const std::string& name, const Embedded& result, EmbeddingKind kind) {
  std::string text;
  const std::string field = CsvField(name);
  for (int64_t row = 0; row < result.embeddings.rows; ++row) {
    text += field;
    if (kind == EmbeddingKind::kTimestamps) {
      text += ',';
      AppendNumber(result.timestamps_ms[static_cast<size_t>(row)], text);
    }
    for (const float value : result.embeddings.row(row)) {
      text += ',';
      AppendNumber(value, text);
    }
    text += '\n';
  }
  return text;
}

std::string EmbeddedSummary(const std::string& name, const Embedded& result, EmbeddingKind kind) {
  const client::Matrix& matrix = result.embeddings;
  std::string text = absl::StrCat(Printable(name), ": ", Printable(result.space.config), ", ");
  if (kind == EmbeddingKind::kTimestamps) {
    absl::StrAppend(&text, matrix.rows, " timestamps from ",
                    result.timestamps_ms.empty() ? 0 : result.timestamps_ms.front(), " to ",
                    result.timestamps_ms.empty() ? 0 : result.timestamps_ms.back(), " ms, ");
  }
  absl::StrAppend(&text, matrix.columns, " values:");
  if (matrix.rows > 0) {
    for (const float value : matrix.row(0).subspan(0, 6)) absl::StrAppend(&text, absl::StrFormat(" %.4g", value));
    if (matrix.columns > 6 || matrix.rows > 1) text += " …";
  }
  return text + '\n';
}

}  // namespace hearwire::cli
