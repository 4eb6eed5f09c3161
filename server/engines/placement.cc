#include "server/engines/placement.h"

namespace hearwire {
namespace {

// Orders as the geometric mean does.
double Speed(const EngineRate& rate) { return rate.windows_per_second * rate.scenes_per_second; }

}  // namespace

std::vector<size_t> PlaceNetworks(const std::vector<NetworkRates>& networks) {
  std::vector<size_t> places;
  for (const NetworkRates& rates : networks) {
    size_t place = rates.size() - 1;
    for (size_t engine = rates.size(); engine-- > 0;) {
      if (!rates[engine]) continue;
      if (!rates[place] || Speed(*rates[engine]) >= Speed(*rates[place])) place = engine;
    }
    places.push_back(place);
  }
  return places;
}

}  // namespace hearwire
