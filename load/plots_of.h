// The plots that reports make, each with a line or two for every report.

#ifndef HEARWIRE_LOAD_PLOTS_OF_H_
#define HEARWIRE_LOAD_PLOTS_OF_H_

#include <vector>

#include "load/plot.h"
#include "load/report.h"

namespace hearwire::load {

// Latency by percentile; with a search for the knee, throughput and latency against the offered rate; of a single run,
// its course. Plots that the reports have nothing for are left out.
std::vector<Plot> PlotsOf(const std::vector<Report>& reports);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_PLOTS_OF_H_
