// The file that --config-file names.

#ifndef HEARWIRE_SERVER_CONFIGURATION_FILE_H_
#define HEARWIRE_SERVER_CONFIGURATION_FILE_H_

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace hearwire {

// Reads the configuration file, and tells by line what is none of the flags, or has not one value.
class ConfigurationFile final : public CLI::ConfigTOML {
 public:
  // names, lists (those that take several values): outlive this.
  ConfigurationFile(const std::vector<std::string>* names, const std::vector<std::string>* lists)
      : names_(names), lists_(lists) {}

  // Throws CLI::ConfigError, with what is wrong.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

 private:
  CLI::ConfigError NoOption(const std::string& text, const std::string& name) const;

  const std::vector<std::string>* const names_;
  const std::vector<std::string>* const lists_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONFIGURATION_FILE_H_
