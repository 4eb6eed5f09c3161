// The commands of the program, one file each.

#ifndef HEARWIRE_CLIENT_CLI_COMMANDS_H_
#define HEARWIRE_CLIENT_CLI_COMMANDS_H_

#include <functional>

#include "CLI/CLI.hpp"

namespace hearwire::cli {

// Does what the command line asks for and returns the program's exit code.
using Command = std::function<int()>;

// Each adds its command to the program. Parsing a command line that names it sets `chosen`.
void AddEmbedCommand(CLI::App& program, Command& chosen);
void AddStreamCommand(CLI::App& program, Command& chosen);
void AddTagCommand(CLI::App& program, Command& chosen);
void AddConfigsCommand(CLI::App& program, Command& chosen);
void AddHealthCommand(CLI::App& program, Command& chosen);
void AddReloadCommand(CLI::App& program, Command& chosen);
void AddHeadsCommand(CLI::App& program, Command& chosen);
void AddPlotCommand(CLI::App& program, Command& chosen);
void AddCheckpointsCommand(CLI::App& program, Command& chosen);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_COMMANDS_H_
