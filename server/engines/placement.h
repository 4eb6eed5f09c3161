// Which engine runs which network. Policy without threads or clocks: measured rates come in.

#ifndef HEARWIRE_SERVER_ENGINES_PLACEMENT_H_
#define HEARWIRE_SERVER_ENGINES_PLACEMENT_H_

#include <cstddef>
#include <optional>
#include <vector>

namespace hearwire {

// What an engine does of one network, all its workers together.
struct EngineRate {
  double windows_per_second = 0;  // Of 160 ms, as timestamps have them.
  double scenes_per_second = 0;   // Of 10 s.
};

// By engine, in the order of preference. Nothing: the engine cannot run the network.
using NetworkRates = std::vector<std::optional<EngineRate>>;

// The engine of each network: the fastest by the geometric mean of its two rates, the earlier one of equals. A network
// that no engine could run is the last engine's. At least one engine.
std::vector<size_t> PlaceNetworks(const std::vector<NetworkRates>& networks);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_PLACEMENT_H_
