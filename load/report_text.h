// Reports for the terminal.

#ifndef HEARWIRE_LOAD_REPORT_TEXT_H_
#define HEARWIRE_LOAD_REPORT_TEXT_H_

#include <string>
#include <vector>

#include "load/load_run.h"
#include "load/report.h"

namespace hearwire::load {

std::string ReportText(const Report& report);

// One figure a line: of both reports, and how much the second differs.
std::string ComparisonText(const Report& base, const Report& other);
// What a reader of a comparison, in text or as a page, must know to trust it.
std::vector<std::string> ComparisonNotes(const Report& base, const Report& other);

// One line of a search for the knee.
std::string StepText(const KneeStep& step);

// The line that shows a run while it goes on, at most `columns` long: what does not fit is left out, the least
// important first.
std::string LiveLine(const Progress& progress, const LoadOptions& options, int columns);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_REPORT_TEXT_H_
