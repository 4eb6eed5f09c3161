#include "server/check_server.h"

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "server/concurrency/border.h"
#include "server/engine_options.h"
#include "server/machine.h"
#include "server/pipeline/head_catalog.h"
#include "server/run_server.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

class NoObserver : public BatchObserver {
 public:
  void OnBatch(int, int, int, int64_t, absl::Duration) override {}
  void OnPendingFrames(int64_t) override {}
  void OnDropped(absl::StatusCode) override {}
  void OnDeviceLost(const absl::Status&) override {}
};

absl::Status Check(const ServerOptions& options, const ServerSeams& seams) {
  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> backends = seams.make_backends(options);
  if (!backends.ok()) return backends.status();
  NoObserver observer;
  const absl::StatusOr<std::unique_ptr<Engines>> engines = Engines::Load(
      MakeEngineSpecs(ReadMachine("", ReadAffinity(), ReadResourceLimits()), *std::move(backends), options),
      {options.model_repository, options.networks, seams.make_reference});
  if (!engines.ok()) return engines.status();
  const absl::StatusOr<HeadCatalog> heads = HeadCatalog::Load(
      {options.heads, options.head_mismatch == HeadMismatch::kWarn, (*engines)->precision()}, (*engines)->networks());
  if (!heads.ok()) return heads.status();
  if (absl::Status status = (*engines)->Start(&observer); !status.ok()) return status;
  const absl::StatusOr<SelfTestReport> report = (*engines)->Test(seams.self_test);
  if (!report.ok()) return report.status();

  for (const EngineInfo& engine : (*engines)->InUse()) {
    std::printf("backend %s, device %s, precision %s\n", engine.backend.c_str(), engine.device.c_str(),
                engine.precision.c_str());
  }
  for (const SelfTestReport::Check& check : report->checks) {
    std::printf("%s: largest error %.2g\n", check.what.c_str(), check.error);
  }
  std::printf("self-test passed: largest error %.2g, at most %.2g is accepted\n", report->LargestError(),
              report->tolerance);
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

int CheckServer(const ServerOptions& options, const ServerSeams& seams) {
  StartLog(options.log_format, options.log_level);
  const absl::Status status = Contain([&] { return Check(options, seams); });
  if (status.ok()) return 0;
  const absl::string_view message = status.message();
  std::fprintf(stderr, "hearwire-server: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitCannotStart;
}

}  // namespace hearwire
