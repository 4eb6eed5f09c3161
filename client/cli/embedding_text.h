// Embeddings as text: JSON, CSV, and a line for people.

#ifndef HEARWIRE_CLIENT_CLI_EMBEDDING_TEXT_H_
#define HEARWIRE_CLIENT_CLI_EMBEDDING_TEXT_H_

#include <string>

#include "absl/types/span.h"
#include "client/cli/embedding_writer.h"

namespace hearwire::cli {

// A quoted JSON string. Bytes that are no UTF-8 become U+FFFD.
std::string JsonString(const std::string& text);

// A CSV field, quoted where it must be (RFC 4180).
std::string CsvField(const std::string& text);

// The shortest text that reads back as the same number.
void AppendNumber(float value, std::string& text);
void AppendNumber(double value, std::string& text);

// "[1,2.5]"; null stands for what is no number.
void AppendJsonArray(absl::Span<const float> values, std::string& text);

// A JSON object of one line, without its end: file, config, weights_sha256, frontend, precision, and embedding (a
// scene) or timestamps_ms and embeddings.
std::string EmbeddedJson(const std::string& name, const Embedded& result, EmbeddingKind kind);

// "file,e0,e1,…" or "file,timestamp_ms,e0,e1,…", with its line end.
std::string EmbeddedCsvHeader(int64_t columns, EmbeddingKind kind);
// One line for each row.
std::string EmbeddedCsv(const std::string& name, const Embedded& result, EmbeddingKind kind);

// What a person wants to see: the config, the size and the first values.
std::string EmbeddedSummary(const std::string& name, const Embedded& result, EmbeddingKind kind);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_EMBEDDING_TEXT_H_
