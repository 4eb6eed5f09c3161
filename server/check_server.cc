#include "server/check_server.h"

#include <cstdio>
#include <memory>

#include "server/engine_options.h"
#include "server/machine.h"
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
  const absl::StatusOr<std::unique_ptr<Backend>> backend = seams.make_backend(options);
  if (!backend.ok()) return backend.status();
  absl::StatusOr<NetworkCatalog> networks =
      NetworkCatalog::Load({options.model_repository, options.networks, seams.make_reference}, backend->get());
  if (!networks.ok()) return networks.status();

  const BatcherOptions batching = MakeBatcherOptions(ReadMachine("", ReadAffinity()), (*backend)->device(), options);
  NoObserver observer;
  const absl::StatusOr<std::unique_ptr<Batcher>> batcher = Batcher::Create(batching, backend->get(), &observer);
  if (!batcher.ok()) return batcher.status();
  networks->PlaceAll(batcher->get());
  const absl::StatusOr<SelfTestReport> report = seams.self_test(*networks, (*backend)->precision(), batcher->get());
  if (!report.ok()) return report.status();

  std::printf("backend %s, device %s, precision %s\n", (*backend)->name().c_str(), (*backend)->device().c_str(),
              (*backend)->precision().c_str());
  for (const SelfTestReport::Check& check : report->checks) {
    std::printf("%s: largest error %.2g\n", check.what.c_str(), check.error);
  }
  std::printf("self-test passed: largest error %.2g, at most %.2g is accepted\n", report->LargestError(),
              report->tolerance);
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

int CheckServer(ServerOptions options, const ServerSeams& seams) {
  StartLog(options.log_format, options.log_level);
  const absl::Status status = Check(options, seams);
  if (status.ok()) return 0;
  const absl::string_view message = status.message();
  std::fprintf(stderr, "hearwire-server: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitCannotStart;
}

}  // namespace hearwire
