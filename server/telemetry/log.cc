#include "server/telemetry/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>

#include "server/telemetry/log_writer.h"

namespace hearwire {
namespace {

std::atomic<LogFormat> current_format = LogFormat::kText;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

LogWriter& Writer() {
  static auto* const writer = new LogWriter(STDERR_FILENO);
  return *writer;
}

// Makes a line and hands it to the writer.
class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    Writer().Write(std::string(line.data(), line.size()));
  }
  void flush_() override {}
};

// The text of a line is escaped before it gets here, so the pattern may put it into a JSON object as it is.
const char* Pattern(LogFormat format) {
  return format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                    : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
}

// Never destroyed, for threads that log until the process ends.
spdlog::logger& Logger() {
  static auto* const logger = [] {
    auto* const made = new spdlog::logger("hearwire", std::make_shared<WriterSink>());
    made->set_pattern(Pattern(LogFormat::kText), spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

// Length of the UTF-8 sequence that starts at text[at], 0 when there is none (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
size_t Utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> int { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const int first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(at + 1) || !continues(at + 2)) return 0;
    if (first == 0xe0 && byte(at + 1) < 0xa0) return 0;
    if (first == 0xed && byte(at + 1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(at + 1) || !continues(at + 2) || !continues(at + 3)) return 0;
    if (first == 0xf0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xf4 && byte(at + 1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = text[i];
    const size_t length = Utf8Length(text, i);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(c));
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", c);
      out->append(escape);
    } else if (length == 0) {
      out->append("\xef\xbf\xbd");
    } else if (length == 2 && c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) {  // C1 control characters.
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned char>(text[i + 1]));
      out->append(escape);
    } else {
      out->append(text.substr(i, length));
    }
    i += length == 0 ? 1 : length;
  }
  out->push_back('"');
}

// Whether a value can stand in a line of text without quotes.
bool IsPlain(std::string_view value) {
  for (const char c : value) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return !value.empty();
}

}  // namespace

LogField::LogField(std::string_view name, double value) : name_(name), quoted_(false) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  value_ = std::isfinite(value) ? text : "null";
}

LogField::LogField(std::string_view name, absl::Duration value) : LogField(name, absl::ToDoubleSeconds(value)) {}

void StartLog(LogFormat format, LogLevel least) {
  current_format = format;
  Logger().set_pattern(Pattern(format), spdlog::pattern_time_type::utc);
  Logger().set_level(ToSpdlog(least));
}

bool FlushLog(SteadyTime deadline) { return Writer().Flush(deadline); }

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void Log(LogLevel level, std::string_view message, absl::Span<const LogField> fields) {
  if (!LogEnabled(level)) return;
  if (const int64_t dropped = Writer().TakeDropped(); dropped > 0) {
    Log(LogLevel::kWarning, "standard error was not read in time: log lines are missing", {{"lines", dropped}});
  }
  Logger().log(ToSpdlog(level), spdlog::string_view_t(FormatLogLine(current_format, message, fields)));
}

std::string FormatLogLine(LogFormat format, std::string_view message, absl::Span<const LogField> fields) {
  std::string line;
  if (format == LogFormat::kJson) {
    line = "\"message\":";
    AppendQuoted(message, &line);
    for (const LogField& field : fields) {
      line.push_back(',');
      AppendQuoted(field.name(), &line);
      line.push_back(':');
      if (field.quoted()) {
        AppendQuoted(field.value(), &line);
      } else {
        line.append(field.value());
      }
    }
    return line;
  }
  line = message;
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.name());
    line.push_back('=');
    if (IsPlain(field.value())) {
      line.append(field.value());
    } else {
      AppendQuoted(field.value(), &line);
    }
  }
  return line;
}

}  // namespace hearwire
