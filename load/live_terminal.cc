#include "load/live_terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace hearwire::load {

LiveTerminal::LiveTerminal() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

int LiveTerminal::columns() const {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void LiveTerminal::Show(const std::string& line) {
  if (!is_terminal_) return;
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  shown_ = true;
}

void LiveTerminal::Clear() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

}  // namespace hearwire::load
