// Tells logs and metrics what is served, and by what.

#ifndef HEARWIRE_SERVER_REPORT_MODELS_H_
#define HEARWIRE_SERVER_REPORT_MODELS_H_

#include <string>
#include <vector>

#include "server/engines/engines.h"
#include "server/pipeline/served_models.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// A line for each network and head, and one for each warning.
void LogModels(const Models& models);

// A line for each engine that runs networks.
void LogEngines(const Engines& engines);

// Values of the metrics' labels.
std::vector<std::string> LoadedConfigs(const NetworkCatalog& networks);
std::vector<std::string> LoadedNetworks(const NetworkCatalog& networks);
MetricsOptions LabelsOf(const NetworkCatalog& networks);  // All of them.
std::vector<PlacedNetwork> PlacedNetworks(const Engines& engines);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_REPORT_MODELS_H_
