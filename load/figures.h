// The numbers of a run that every report shows, in one order.

#ifndef HEARWIRE_LOAD_FIGURES_H_
#define HEARWIRE_LOAD_FIGURES_H_

#include <string>
#include <vector>

#include "load/report.h"

namespace hearwire::load {

enum class Better { kLower, kHigher, kNeither };

struct Figure {
  std::string name;
  std::string unit;  // May be empty.
  double value = 0;
  Better better = Better::kNeither;
};

// Figures that the run has not (an offered rate in a closed loop, the server's without its metrics) are left out; none
// where there is no run.
std::vector<Figure> FiguresOf(const Report& report);

// "8.12 ms", "512".
std::string FigureText(const Figure& figure);

// One verdict for each objective, and whether the counts agree, in a line each: "met: …", "MISSED: …".
std::vector<std::string> Verdicts(const Report& report);

// "the highest rate whose p99 stays within 100 ms: 412 calls per second".
std::string KneeText(const Report& report);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_FIGURES_H_
