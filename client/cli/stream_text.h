// A stream's events as text.

#ifndef HEARWIRE_CLIENT_CLI_STREAM_TEXT_H_
#define HEARWIRE_CLIENT_CLI_STREAM_TEXT_H_

#include <string>
#include <vector>

#include "client/stream.h"

namespace hearwire::cli {

// A JSON object in a line for the event, or for each row of it. "type" is started, row, scene, labels or summary.
std::string StreamJsonLines(const client::StreamEvent& event);

// A CSV line for each row, "time,value,…", times in milliseconds.
std::string StreamCsvLine(double ms, absl::Span<const float> values);
// "timestamp_ms,e0,e1,…"
std::string StreamCsvHeader(const std::string& time, int64_t columns);

// Lines for people: seconds, and the first values.
std::string ValuesLine(double ms, const std::string& what, absl::Span<const float> values);

// "  12.500 s  0.82 Dog  0.10 Rain", without a line end.
std::string TagsLine(double ms, const std::vector<client::Tag>& tags);
// "  12.500 s  speech: 0.82 yes  0.10 no", without a line end.
std::string LabelsLine(double ms, const std::string& head, const std::vector<client::Label>& labels);

// What the summary says of the whole recording, with the tags and heads that it has.
std::string SummaryText(const client::StreamSummary& summary);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_STREAM_TEXT_H_
