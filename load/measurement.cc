#include "load/measurement.h"

namespace hearwire::load {

void Totals::Add(const Totals& other) {
  for (const auto& [label, counts] : other.by_label) {
    CallCounts& sum = by_label[label];
    sum.sent += counts.sent;
    for (const auto& [code, count] : counts.answered) sum.answered[code] += count;
    sum.unknown += counts.unknown;
    sum.not_taken += counts.not_taken;
  }
  sent += other.sent;
  answered += other.answered;
  failed_locally += other.failed_locally;
}

}  // namespace hearwire::load
