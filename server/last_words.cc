#include "server/last_words.h"

#include <pthread.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace hearwire {
namespace {

LogFormat line_format = LogFormat::kText;

// Only what needs no escape stays of a text that a library made.
void Sanitize(const char* text, char* out, size_t size) {
  size_t i = 0;
  for (; i + 1 < size && text[i] != '\0'; ++i) {
    const bool plain = text[i] >= ' ' && text[i] < 0x7f && text[i] != '"' && text[i] != '\\';
    out[i] = plain ? text[i] : '?';
  }
  out[i] = '\0';
}

[[noreturn]] void EndWithALine() {
  std::array<char, 256> what = {};
  std::array<char, 16> thread = {};
  try {
    if (std::current_exception() == nullptr) {
      Sanitize("no exception: a broken invariant", what.data(), what.size());
    } else {
      std::rethrow_exception(std::current_exception());
    }
  } catch (const std::exception& error) {
    Sanitize(error.what(), what.data(), what.size());
  } catch (...) {
    Sanitize("no std::exception", what.data(), what.size());
  }
  pthread_getname_np(pthread_self(), thread.data(), thread.size());
  timespec now = {};
  tm utc = {};
  std::array<char, 32> time = {};
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const char* const form =
      line_format == LogFormat::kJson
          ? "{\"time\":\"%s.%03ldZ\",\"level\":\"error\",\"message\":\"ending: an exception that nothing can contain\","
            "\"thread\":\"%s\",\"error\":\"%s\"}\n"
          : "%s.%03ldZ error ending: an exception that nothing can contain thread=\"%s\" error=\"%s\"\n";
  std::array<char, 512> line = {};
  const int length =
      std::snprintf(line.data(), line.size(), form, time.data(), now.tv_nsec / 1000000, thread.data(), what.data());
  if (write(STDERR_FILENO, line.data(), std::min<size_t>(static_cast<size_t>(std::max(length, 0)), line.size() - 1)) <
      0) {
    // Nobody reads it.
  }
  std::_Exit(kExitFault);
}

}  // namespace

void InstallLastWords(LogFormat format) {
  line_format = format;
  std::set_terminate(EndWithALine);
}

}  // namespace hearwire
