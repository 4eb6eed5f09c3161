// One line on the terminal that says how far the work is. Not shown where standard error is no terminal.

#ifndef HEARWIRE_CLIENT_CLI_PROGRESS_BAR_H_
#define HEARWIRE_CLIENT_CLI_PROGRESS_BAR_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace hearwire::cli {

enum class ProgressUnit { kFiles, kBytes };

// The line itself, at most `columns` characters: "label [####    ] 50 %, 2.0 of 4.0 MB, 0:03 left". total: 0 when it is
// not known. `first` of `done` were there before the time that `elapsed` counts.
std::string ProgressLine(const std::string& label, ProgressUnit unit, int64_t first, int64_t done, int64_t total,
                         absl::Duration elapsed, int columns);

// Not thread-safe.
class ProgressBar {
 public:
  ProgressBar(std::string label, ProgressUnit unit);
  // Removes the line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Draws it anew, ten times a second at most.
  void Update(int64_t done, int64_t total);

  // Removes the line, so that something else can be written; the next update draws it again.
  void Clear();

 private:
  const std::string label_;
  const ProgressUnit unit_;
  const bool shown_;
  std::chrono::steady_clock::time_point started_;
  int64_t first_ = -1;                                          // Where the first update stood.
  std::optional<std::chrono::steady_clock::time_point> drawn_;  // When the line that stands there was.
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_PROGRESS_BAR_H_
