// The program's log: lines of text or JSON on standard error, through spdlog.
//
// A line is a message, which is a constant of the program, and fields, whose values may come from callers: they are
// escaped, so that a line stays one line and a JSON object stays one object whatever they hold. Everything is
// thread-safe, and nobody who logs waits for whoever reads the lines: only FlushLog does.

#ifndef HEARWIRE_SERVER_TELEMETRY_LOG_H_
#define HEARWIRE_SERVER_TELEMETRY_LOG_H_

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// Until it is called: text, from kInfo.
void StartLog(LogFormat format, LogLevel least);

// Whether lines of this level are written: a guard for fields that are costly to make.
bool LogEnabled(LogLevel level);

// One field of a line. Durations are written in seconds: name them `…_seconds`. What is not finite is null.
class LogField {
 public:
  LogField(std::string_view name, std::string_view value) : name_(name), value_(value), quoted_(true) {}
  LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const std::string& value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const absl::Status& value) : LogField(name, value.ToString()) {}
  LogField(std::string_view name, double value);
  LogField(std::string_view name, absl::Duration value);
  template <std::integral T>
  LogField(std::string_view name, T value) : name_(name), value_(std::to_string(value)), quoted_(false) {
    if constexpr (std::same_as<T, bool>) value_ = value ? "true" : "false";
  }

  std::string_view name() const { return name_; }
  std::string_view value() const { return value_; }
  bool quoted() const { return quoted_; }

 private:
  std::string name_;
  std::string value_;
  bool quoted_;  // A string; else a JSON number, true, false or null.
};

void Log(LogLevel level, std::string_view message, absl::Span<const LogField> fields);
inline void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(level, message, absl::Span<const LogField>(fields.begin(), fields.size()));
}

// Waits until every line that was logged has been written, or until `deadline`; false: some have not. To be called
// before the process ends.
bool FlushLog(SteadyTime deadline);

// The body of a line, without time and level. kText: `message name=value name="a value"`;
// kJson: `"message":"message","name":1`. Not UTF-8: the byte is replaced by U+FFFD.
std::string FormatLogLine(LogFormat format, std::string_view message, absl::Span<const LogField> fields);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_LOG_H_
