// Reports as pages that need nothing but themselves: no scripts, no fonts or styles from elsewhere.

#ifndef HEARWIRE_LOAD_REPORT_HTML_H_
#define HEARWIRE_LOAD_REPORT_HTML_H_

#include <string>

#include "load/report.h"

namespace hearwire::load {

std::string ReportHtml(const Report& report);

// Both reports' lines in the same plots, and their figures side by side.
std::string ComparisonHtml(const Report& base, const Report& other);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_REPORT_HTML_H_
