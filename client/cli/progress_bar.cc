#include "client/cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire::cli {
namespace {

constexpr std::chrono::milliseconds kLeastBetweenDrawings(100);

int TerminalColumns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string ProgressLine(const std::string& label, ProgressUnit unit, int64_t first, int64_t done, int64_t total,
                         absl::Duration elapsed, int columns) {
  std::string numbers;
  if (unit == ProgressUnit::kBytes) {
    numbers = absl::StrFormat("%.1f", static_cast<double>(done) / 1e6);
    absl::StrAppend(&numbers, total > 0 ? absl::StrFormat(" of %.1f MB", static_cast<double>(total) / 1e6) : " MB");
  } else {
    numbers = absl::StrCat(done, " of ", total, " files");
  }
  const double rate = static_cast<double>(done - first) / std::max(absl::ToDoubleSeconds(elapsed), 1e-3);
  std::string bar;
  if (total > 0) {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    if (rate > 0 && elapsed > absl::Seconds(1)) {
      const auto left = static_cast<int64_t>(static_cast<double>(total - done) / rate);
      absl::StrAppend(&numbers, absl::StrFormat(", %d:%02d left", left / 60, left % 60));
    }
    constexpr int kBarColumns = 24;
    const int filled = static_cast<int>(part * kBarColumns);
    bar = absl::StrCat("[", std::string(filled, '#'), std::string(kBarColumns - filled, ' '),
                       absl::StrFormat("] %d %%, ", static_cast<int>(part * 100)));
  }
  std::string line = absl::StrCat(label, " ", bar, numbers);
  line.resize(std::min(line.size(), static_cast<size_t>(std::max(columns, 1))));
  return line;
}

ProgressBar::ProgressBar(std::string label, ProgressUnit unit)
    : label_(std::move(label)),
      unit_(unit),
      shown_(isatty(STDERR_FILENO) == 1),
      started_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Update(int64_t done, int64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (first_ < 0) {
    first_ = done;
    started_ = now;
  }
  if (!shown_ || (drawn_ && now - *drawn_ < kLeastBetweenDrawings)) return;
  drawn_ = now;
  const std::string line =
      ProgressLine(label_, unit_, first_, done, total, absl::FromChrono(now - started_), TerminalColumns() - 1);
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
}

void ProgressBar::Clear() {
  if (!shown_ || !drawn_) return;
  std::fputs("\r\033[K", stderr);
  drawn_.reset();
}

}  // namespace hearwire::cli
