#include "server/telemetry/caller_metrics.h"

namespace hearwire {
namespace {

constexpr char kOther[] = "other";

prometheus::Family<prometheus::Counter>* Register(const char* name, const char* help, prometheus::Registry* registry) {
  return &prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

}  // namespace

CallerMetrics::CallerMetrics(int max_callers, prometheus::Registry* registry)
    : max_callers_(max_callers),
      calls_(Register("hearwire_caller_calls_total", "Calls that ended, by caller.", registry)),
      audio_seconds_(
          Register("hearwire_caller_audio_seconds_total", "Decoded audio of calls that ended, by caller.", registry)),
      cpu_seconds_(Register("hearwire_caller_cpu_seconds_total",
                            "Time that threads spent on calls that ended, by caller: preparation, and the calls' part "
                            "of their batches.",
                            registry)),
      other_(Add(kOther)) {}

CallerMetrics::Counters CallerMetrics::Add(const std::string& caller) {
  return {&calls_->Add({{"caller", caller}}), &audio_seconds_->Add({{"caller", caller}}),
          &cpu_seconds_->Add({{"caller", caller}})};
}

CallerMetrics::Counters CallerMetrics::Find(std::string_view caller, bool is_named) {
  MutexLock lock(&mu_);
  const auto found = callers_.find(caller);
  if (found != callers_.end()) return found->second;
  int& count = is_named ? named_ : unnamed_;
  if (count >= max_callers_) return other_;
  ++count;
  return callers_.emplace(std::string(caller), Add(std::string(caller))).first->second;
}

void CallerMetrics::OnCall(std::string_view caller, bool is_named, absl::Duration audio, absl::Duration cpu) {
  const Counters counters = Find(caller, is_named);
  counters.calls->Increment();
  counters.audio_seconds->Increment(absl::ToDoubleSeconds(audio));
  counters.cpu_seconds->Increment(absl::ToDoubleSeconds(cpu));
}

}  // namespace hearwire
