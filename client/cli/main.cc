// The program hearwire: sounds to embeddings and tags, through a Hearwire server.

#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "CLI/CLI.hpp"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"

namespace {

// Advice where a file's name was taken for an option.
std::string DashHint(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    if (argv[i][0] != '-' || access(argv[i], F_OK) != 0) continue;
    return std::string("; a file whose name begins with - goes after --: -- ") + argv[i];
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hearwire::cli;

  CLI::App program("Embeddings and tags of sounds, from a Hearwire server", "hearwire");
  program.set_version_flag("--version", "hearwire " HEARWIRE_VERSION);
  program.require_subcommand(1);
  program.footer(
      "hearwire COMMAND --help says more about each. HEARWIRE_SERVER names the server where --server does not.");
  program.get_formatter()->column_width(28);
  Command chosen;
  AddEmbedCommand(program, chosen);
  AddTagCommand(program, chosen);
  AddStreamCommand(program, chosen);
  AddConfigsCommand(program, chosen);
  AddCheckpointsCommand(program, chosen);
  AddHeadsCommand(program, chosen);
  AddPlotCommand(program, chosen);
  AddHealthCommand(program, chosen);
  AddReloadCommand(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    program.exit(wanted);
  } catch (const CLI::ParseError& wrong) {
    std::string command = "hearwire ";
    for (const CLI::App* parsed = &program; !parsed->get_subcommands().empty();) {
      parsed = parsed->get_subcommands().front();
      command += parsed->get_name() + " ";
    }
    std::string what = wrong.what();
    if (argc > 1 && program.get_subcommands().empty()) what = std::string(argv[1]) + " is no command";
    Complain(what + " (" + command + "--help says what would be right" + DashHint(argc, argv) + ")");
    return 1;
  }
  WatchForInterrupts();
  int result = chosen ? chosen() : 0;
  // A command that failed has said why.
  if (absl::Status wrong = FlushStandardOutput(); !wrong.ok() && result == 0) {
    Complain(std::string(wrong.message()));
    result = 1;
  }
  return result;
}
