// hearwire heads and hearwire plot: the Python package's, which has the tools to train and to draw.

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
int RunPython(const std::string& command, std::vector<std::string> arguments) {
  const char* named = std::getenv("HEARWIRE_PYTHON");
  const std::string python = named != nullptr && *named != '\0' ? named : "python3";
  arguments.insert(arguments.begin(), {python, "-m", "hearwire", command});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execvp(python.c_str(), argv.data());
  const std::string why = std::strerror(errno);
  Complain(command + " is a command of the Python package, and " + python + " cannot be run: " + why +
           "; HEARWIRE_PYTHON names another");
  return 1;
}

void AddPythonCommand(CLI::App& program, Command& chosen, const std::string& name, const std::string& what) {
  CLI::App* command =
      program.add_subcommand(name, what + ": runs python3 -m hearwire " + name + ", of the Python package");
  command->set_help_flag();
  command->prefix_command();
  command->callback(
      [command, name, &chosen] { chosen = [command, name] { return RunPython(name, command->remaining()); }; });
}

}  // namespace

void AddHeadsCommand(CLI::App& program, Command& chosen) {
  AddPythonCommand(program, chosen, "heads", "Train classifiers on embeddings, or import them");
}

void AddPlotCommand(CLI::App& program, Command& chosen) {
  AddPythonCommand(program, chosen, "plot", "Draw a sound's spectrogram, tags and embeddings");
}

}  // namespace hearwire::cli
