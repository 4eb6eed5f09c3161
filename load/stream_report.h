// A run of streams, and the report on it.

#ifndef HEARWIRE_LOAD_STREAM_REPORT_H_
#define HEARWIRE_LOAD_STREAM_REPORT_H_

#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "client/replies.h"
#include "load/program_options.h"
#include "load/report.h"

namespace hearwire::load {

// Makes the run of options.streams, which must be there, and fills in what it has shown. served: every config that the
// server knows. Not ok: it could not begin; the message is for the user.
absl::Status FillStreamReport(const ProgramOptions& options, const std::vector<client::ConfigInfo>& served,
                              const std::stop_token& stop, Report* report);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_STREAM_REPORT_H_
