// Several backends in one server. An engine is a backend and the batcher that feeds it; each network runs on one.

#ifndef HEARWIRE_SERVER_ENGINES_ENGINES_H_
#define HEARWIRE_SERVER_ENGINES_ENGINES_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/batching/batcher.h"
#include "server/pipeline/network_catalog.h"
#include "server/pipeline/self_test.h"

namespace hearwire {

struct EngineSpec {
  std::unique_ptr<Backend> backend;
  // Options that fit it. Engines share one bound of what waits, so max_queued_frames is the same for all.
  BatcherOptions batching;
};

// An engine that runs networks.
struct EngineInfo {
  std::string backend;    // Backend::name()
  std::string device;     // Backend::device()
  std::string precision;  // Backend::precision()
  BatcherOptions batching;
  std::vector<std::string> networks;
};

// How much an engine has to do.
struct EngineLoad {
  std::string device;  // Backend::device()
  int workers = 0;
  Load load;
};

// As RunSelfTest.
using SelfTest =
    std::function<absl::StatusOr<SelfTestReport>(const NetworkCatalog&, std::string_view precision, Batcher*)>;

// Load, Start and Test are called in this order, each once, by one thread. The last engine must run whatever the others
// do not. What one of the others fails at, before or in Test, is no failure: one warning says why, and its networks go
// to the last. What the last fails at ends the start, with a message that names the device
// when it is no CPU.
class Engines {
 public:
  // How long each engine is tried on each network, when there are several: at most so long, beside what it takes to
  // prepare for a network, or two windows longer.
  static constexpr absl::Duration kTrial = absl::Milliseconds(300);

  // Loads the networks into every engine's backend and decides where each runs. A network that an engine has no memory
  // for, runs on another; an engine that has memory for none of them has failed. With several engines each network is
  // tried on each, and runs where it is faster (see PlaceNetworks); the log says where that is, with the rates. An
  // engine that no network is placed on is let go, but for the last. specs: in the order of preference, at least one.
  static absl::StatusOr<std::unique_ptr<Engines>> Load(std::vector<EngineSpec> specs,
                                                       const NetworkCatalogOptions& networks,
                                                       absl::Duration trial = kTrial);
  // Shuts down as by Shutdown(UNAVAILABLE).
  virtual ~Engines() = default;

  // Their batchers are known once Start has returned, and final once Test has. Not while Adopt runs.
  virtual const NetworkCatalog& networks() const = 0;

  // Of all engines: they never differ.
  virtual std::string precision() const = 0;

  // Starts a batcher for each engine that networks were placed on. observer hears of all of them, of frames that wait
  // in all together, and of the loss of a device only when Test has passed or the engine is the last; it must outlive
  // this.
  virtual absl::Status Start(BatchObserver* observer) = 0;

  // Runs the self-test on every engine that has networks.
  virtual absl::StatusOr<SelfTestReport> Test(const SelfTest& self_test) = 0;

  // Reads the checkpoints again, as Load did, while those of networks() are served. Networks whose files have the same
  // bytes are the same ones in what is returned; others are loaded, placed and tested beside them. Nothing that is
  // served changes. FAILED_PRECONDITION, with the file's name: there is another network, and this server takes none
  // while it runs, because it has several devices or one whose backend does not. Otherwise as Load and Test. Once Test
  // has passed; one thread at a time, Adopt included. Blocks.
  virtual absl::StatusOr<NetworkCatalog> LoadAgain(const SelfTest& self_test) = 0;
  // What LoadAgain returned last is networks() from now on.
  virtual void Adopt(const NetworkCatalog& networks) = 0;

  // The network that a device knows by this index, or knew last. Thread-safe.
  virtual std::string NetworkName(std::string_view device, int index) const = 0;

  // Those that run networks, in the order of preference.
  virtual std::vector<EngineInfo> InUse() const = 0;

  // Of the same, now. Once Test has passed; then thread-safe.
  virtual std::vector<EngineLoad> Loads() const = 0;

  // Shuts all batchers down, at the same time, as Batcher::Shutdown does.
  virtual void Shutdown(const absl::Status& status) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_ENGINES_H_
