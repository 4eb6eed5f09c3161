// A line of standard error that is written over and over. Nothing where that is no terminal.

#ifndef HEARWIRE_LOAD_LIVE_TERMINAL_H_
#define HEARWIRE_LOAD_LIVE_TERMINAL_H_

#include <string>

namespace hearwire::load {

// Not thread-safe.
class LiveTerminal {
 public:
  LiveTerminal();
  ~LiveTerminal() { Clear(); }
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  bool is_terminal() const { return is_terminal_; }
  int columns() const;
  void Show(const std::string& line);
  // Removes the line, so that something else can be written.
  void Clear();

 private:
  const bool is_terminal_;
  bool shown_ = false;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_LIVE_TERMINAL_H_
