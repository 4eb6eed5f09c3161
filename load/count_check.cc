#include "load/count_check.h"

#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

namespace hearwire::load {
namespace {

constexpr char kRequests[] = "hearwire_requests_total";

// By code, as the server names them.
std::map<std::string, int64_t> ServerCounts(const std::map<std::string, std::string>& labels, const MetricsPage& before,
                                            const MetricsPage& after) {
  std::map<std::string, int64_t> counts;
  const auto add = [&](const MetricsPage& page, int64_t sign) {
    const auto family = page.find(kRequests);
    if (family == page.end()) return;
    for (const MetricSample& sample : family->second) {
      const auto code = sample.labels.find("code");
      if (code == sample.labels.end()) continue;
      std::map<std::string, std::string> others = sample.labels;
      others.erase("code");
      if (others == labels) counts[code->second] += sign * std::llround(sample.value);
    }
  };
  add(after, 1);
  add(before, -1);
  return counts;
}

}  // namespace

CountCheck CheckCounts(const Totals& totals, const MetricsPage& before, const MetricsPage& after) {
  CountCheck check;
  check.sent = totals.sent;
  check.answered = totals.answered;
  check.failed_locally = totals.failed_locally;
  if (check.sent != check.answered + check.failed_locally) {
    check.differences.push_back(absl::StrCat(check.sent, " calls were sent, but ", check.answered, " answered and ",
                                             check.failed_locally, " failed on this side"));
  }
  if (Restarted(before, after)) {
    check.exact = false;
    check.differences.emplace_back("the server was restarted meanwhile, and its counts began anew");
    return check;
  }
  for (const auto& [label, counts] : totals.by_label) {
    const auto& [method, config] = label;
    std::map<std::string, int64_t> server = ServerCounts({{"method", method}, {"config", config}}, before, after);
    const std::string name = config.empty() ? method : absl::StrCat(method, " of ", config);
    std::set<std::string> codes;
    std::map<std::string, int64_t> answered;
    for (const auto& [code, count] : counts.answered) answered[absl::StatusCodeToString(code)] = count;
    for (const auto& [code, count] : answered) codes.insert(code);
    for (const auto& [code, count] : server) codes.insert(code);
    int64_t known = 0, counted = 0;
    for (const std::string& code : codes) {
      known += answered[code];
      counted += server[code];
      // What the server answered it has counted; what it counted beyond that are calls whose fate is not known here.
      const bool agrees = server[code] >= answered[code] && server[code] <= answered[code] + counts.unknown;
      if (agrees) continue;
      check.differences.push_back(
          absl::StrCat(name, ", ", code, ": ", answered[code], " answers",
                       counts.unknown > 0 ? absl::StrCat(" and ", counts.unknown, " of unknown fate") : "",
                       ", but the server counted ", server[code]));
    }
    if (counts.unknown > 0) {
      check.exact = false;
      if (counted > known + counts.unknown) {
        check.differences.push_back(absl::StrCat(name, ": ", known, " answers and ", counts.unknown,
                                                 " of unknown fate, but the server counted ", counted, " in all"));
      }
    }
    check.not_compared += counts.not_taken;
    check.server_counted += counted;
  }
  return check;
}

}  // namespace hearwire::load
