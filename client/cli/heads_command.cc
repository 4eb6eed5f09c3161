// hearwire heads: the Python package's, which has the tools to train them.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/connection.h"

namespace hearwire::cli {
namespace {

// Returns when it cannot: else this process has become Python's.
int RunPython(std::vector<std::string> arguments) {
  const char* named = std::getenv("HEARWIRE_PYTHON");
  const std::string python = named != nullptr && *named != '\0' ? named : "python3";
  arguments.insert(arguments.begin(), {python, "-m", "hearwire", "heads"});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execvp(python.c_str(), argv.data());
  const std::string why = std::strerror(errno);
  Complain("heads are made by the Python package, and " + python + " cannot be run: " + why +
           "; HEARWIRE_PYTHON names another");
  return 1;
}

}  // namespace

void AddHeadsCommand(CLI::App& program, Command& chosen) {
  CLI::App* command = program.add_subcommand(
      "heads",
      "Train classifiers on embeddings, or import them: runs python3 -m hearwire heads, of the Python package");
  command->set_help_flag();
  command->prefix_command();
  command->callback([command, &chosen] { chosen = [command] { return RunPython(command->remaining()); }; });
}

}  // namespace hearwire::cli
