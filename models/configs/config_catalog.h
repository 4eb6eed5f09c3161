// The networks and configs that a server knows: the published ones, and those that its operator adds.

#ifndef HEARWIRE_MODELS_CONFIGS_CONFIG_CATALOG_H_
#define HEARWIRE_MODELS_CONFIGS_CONFIG_CATALOG_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "models/configs/config.h"

namespace hearwire {

// A network that is not published. A checkpoint tells its width and head.
struct OwnNetwork {
  std::string name;
  double width = 0;
  HeadKind head = HeadKind::kMlp;
  MelSettings mel = {};
  std::vector<std::string> labels = {};  // Empty: AudioSet's.
};

// A config that is not published.
struct OwnConfig {
  std::string name;
  Readout readout = {};
  int timestamp_window_samples = 0;
};

// A published entry as if it were owned: it lives for ever.
template <typename Entry>
std::shared_ptr<const Entry> Unowned(const Entry* entry) {
  return {std::shared_ptr<void>(), entry};
}

// They own what their views are of.
std::shared_ptr<const NetworkInfo> MakeNetworkInfo(OwnNetwork network);
std::shared_ptr<const Config> MakeConfig(OwnConfig config, std::shared_ptr<const NetworkInfo> network);

// Entries live as long as anybody holds them, whatever becomes of the catalog. Thread-safe while nobody adds to it.
class ConfigCatalog {
 public:
  // The published ones, which are Networks() and Configs().
  ConfigCatalog();

  // Behind those that are there. No other has the name.
  void AddNetwork(std::shared_ptr<const NetworkInfo> network) { networks_.push_back(std::move(network)); }
  // Of a network that is there.
  void AddConfig(std::shared_ptr<const Config> config) { configs_.push_back(std::move(config)); }

  absl::Span<const std::shared_ptr<const NetworkInfo>> networks() const { return networks_; }
  absl::Span<const std::shared_ptr<const Config>> configs() const { return configs_; }

  // Null when there is no such name.
  std::shared_ptr<const NetworkInfo> FindNetwork(std::string_view name) const;
  std::shared_ptr<const Config> FindConfig(std::string_view name) const;
  // The first config that reads this network of the catalog; where none does, one without a name, of its logits.
  std::shared_ptr<const Config> ConfigOf(const std::shared_ptr<const NetworkInfo>& network) const;

  std::vector<std::string_view> NetworkNames() const;
  std::vector<std::string_view> ConfigNames() const;

 private:
  std::vector<std::shared_ptr<const NetworkInfo>> networks_;
  std::vector<std::shared_ptr<const Config>> configs_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_CONFIG_CATALOG_H_
