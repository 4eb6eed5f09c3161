// What hearwire-load does once its flags are known.

#ifndef HEARWIRE_LOAD_PROGRAM_H_
#define HEARWIRE_LOAD_PROGRAM_H_

#include <stop_token>

#include "absl/status/statusor.h"
#include "load/program_options.h"
#include "load/report.h"

namespace hearwire::load {

// Makes the run, or the runs of a search for the knee; shows its progress on a terminal and its steps where
// options.words() is. UNAVAILABLE and others: it could not begin; the message is for the user.
absl::StatusOr<Report> MakeReport(const ProgramOptions& options, const std::stop_token& stop);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_PROGRAM_H_
