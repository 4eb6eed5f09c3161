// gpu_probe: drives one of the project's backends on any device, without a server. `gpu_probe --help` says how.
//
// Exit code 0: done, and every number is what it must be. 1: not so, a line RESULT … failed: says why. Another one:
// wrong arguments.

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "tests/gpu/probe/commands.h"

namespace hearwire {
namespace {

// All that a command line can say; each command uses some of it.
struct Arguments {
  Setting setting;
  double width = 1.0;
  std::vector<double> widths = {1.0};
  double tolerance = 1e-4;
  double seconds = 0.5;
  int workers = 1;
  int count = 24;
  int frames = 16;
  int windows = 64;
  bool cuts = false;
  std::string config_part, committed, path, checkpoint, clip;
  std::vector<std::string> amounts = {"windows:1", "windows:256"};
};

class Program {
 public:
  Program()
      : app_("Drives one of Hearwire's backends on any device and prints lines that begin with RESULT.", "gpu_probe") {
    app_.require_subcommand(1);
    auto* const parity = AddOnBackend("parity", "Goldens of HEARWIRE_SHARED", false, [this] {
      return MeasureParity(arguments_.setting, arguments_.tolerance, arguments_.config_part, arguments_.committed);
    });
    parity->add_option("--tolerance", arguments_.tolerance, "Largest error that is accepted")->capture_default_str();
    parity->add_option("--committed", arguments_.committed, "A copy of tests/golden [the repository's]");
    parity->add_option("--configs", arguments_.config_part, "Only configs whose name has this in it");
    AddOnBackend("equality", "Rows alone, in batches of several sizes, and of the native backend", true,
                 [this] { return MeasureEquality(arguments_.setting, arguments_.width, arguments_.tolerance); })
        ->add_option("--tolerance", arguments_.tolerance, "Largest difference that is accepted")
        ->capture_default_str();
    auto* const speed = AddOnBackend("speed", "Rates, and whether a later call has the rows of the first", false,
                                     [this] { return Speed(); });
    speed->add_option("--width", arguments_.widths, "Of the networks, one after the other")
        ->delimiter(',')
        ->capture_default_str();
    speed->add_option("--workers", arguments_.workers, "Threads, each with an embedder")->capture_default_str();
    speed->add_option("--seconds", arguments_.seconds, "For each amount of work")->capture_default_str();
    speed->add_option("--work", arguments_.amounts, "Such as windows:64,timestamps:16,scene1:64,scene10:4")
        ->delimiter(',')
        ->capture_default_str();
    AddOnBackend("lengths", "Scenes of many lengths, each three times", true,
                 [this] { return MeasureLengths(arguments_.setting, arguments_.width, arguments_.count); })
        ->add_option("--count", arguments_.count, "Lengths")
        ->capture_default_str();
    AddOnBackend("soak", "Batches of random sizes, for the memory of the process", true,
                 [this] { return Soak(arguments_.setting, arguments_.width, arguments_.seconds); })
        ->add_option("--seconds", arguments_.seconds, "For all of it")
        ->capture_default_str();
    AddOnBackend("lose-device", "Breaks this process' CUDA context and looks at what the next batches say", true,
                 [this] { return LoseDevice(arguments_.setting, arguments_.width); });
    Add("launches", "Each launch of a forward pass by itself, on a GPU, and the cuts of its products",
        [this] { return MeasureLaunches(arguments_.width, arguments_.frames, arguments_.windows, arguments_.cuts); });
    CLI::App* const launches = app_.get_subcommand("launches");
    launches->add_option("--width", arguments_.width, "Of the network")->capture_default_str();
    launches->add_option("--frames", arguments_.frames, "Of a window")->capture_default_str();
    launches->add_option("--windows", arguments_.windows, "Of the chunk")->capture_default_str();
    launches->add_flag("--cuts", arguments_.cuts, "Every way to cut each product");
    auto* const checkpoint = Add("checkpoint", "Writes a checkpoint of random weights",
                                 [this] { return WriteCheckpoint(arguments_.width, arguments_.path); });
    checkpoint->add_option("--width", arguments_.width, "0.1 to 4.0")->capture_default_str();
    checkpoint->add_option("FILE", arguments_.path, "To write")->required();
    auto* const network = Add("network", "Writes folded weights, windows and their rows for peers.py", [this] {
      if (arguments_.checkpoint.empty()) {
        return WriteNetworkToCheck(arguments_.width, arguments_.frames, arguments_.windows, arguments_.path);
      }
      return WriteCheckpointToCheck(arguments_.checkpoint, arguments_.clip, arguments_.path);
    });
    network->add_option("--width", arguments_.width, "Of a network of random weights")->capture_default_str();
    network->add_option("--frames", arguments_.frames, "Of a window")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    network->add_option("--windows", arguments_.windows, "To check with")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    auto* const clip = network->add_option("--clip", arguments_.clip, "An .npy file of samples, for its windows");
    network->add_option("--checkpoint", arguments_.checkpoint, "A checkpoint instead of random weights")->needs(clip);
    network->add_option("FILE", arguments_.path, "To write")->required();
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
    const absl::Status status = run_();
    if (status.ok()) return 0;
    std::printf("RESULT %s %s failed: %s\n", name_.c_str(), ToText(arguments_.setting).c_str(),
                status.ToString().c_str());
    return 1;
  }

 private:
  CLI::App* Add(const std::string& name, const std::string& what, std::function<absl::Status()> run) {
    CLI::App* const command = app_.add_subcommand(name, what);
    command->callback([this, name, run] {
      name_ = name;
      run_ = run;
    });
    return command;
  }
  CLI::App* AddOnBackend(const std::string& name, const std::string& what, bool has_width,
                         std::function<absl::Status()> run) {
    CLI::App* const command = Add(name, what, std::move(run));
    Setting& setting = arguments_.setting;
    command
        ->add_option("--device", setting.device,
                     "native, kernels (of our own, on a GPU), cpu (LibTorch), cuda or cuda:N")
        ->capture_default_str();
    command->add_option("--precision", setting.precision, "float32 or float16")->capture_default_str();
    command->add_option("--max-batch-frames", setting.max_batch_frames, "As the server's")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command
        ->add_option(
            "--tuning", setting.tuning,
            "What is not as usual on CUDA: cudnn (for the stem and depthwise convolutions), timed (cuDNN times "
            "plans), convolutions (of cuDNN for 1 x 1, no matrix products), graphs (chunks that come again are "
            "recorded)")
        ->delimiter(',')
        ->check(CLI::IsMember({"cudnn", "timed", "convolutions", "graphs"}));
    command
        ->add_option("--warm-up-seconds", setting.warm_up_seconds,
                     "Most that workers prepare for what is likely, on CUDA [10]; 0: for nothing")
        ->check(CLI::NonNegativeNumber);
    for (const bool pad : {true, false}) {
      command->add_flag_callback(
          pad ? "--pad-windows" : "--no-pad-windows", [&setting, pad] { setting.pad_windows = pad; },
          pad ? "Windows of few lengths, as is usual on CUDA" : "Windows of any length, as is usual on the CPU");
    }
    if (has_width)
      command->add_option("--width", arguments_.width, "Of the network, 0.1 to 4.0")->capture_default_str();
    return command;
  }

  absl::Status Speed() {
    std::vector<Amount> amounts;
    for (const std::string& text : arguments_.amounts) {
      absl::StatusOr<Amount> amount = ParseAmount(text);
      if (!amount.ok()) return amount.status();
      amounts.push_back(*std::move(amount));
    }
    for (const double width : arguments_.widths) {
      if (absl::Status status =
              MeasureSpeed(arguments_.setting, width, arguments_.workers, arguments_.seconds, amounts);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  CLI::App app_;
  Arguments arguments_;
  std::string name_;
  std::function<absl::Status()> run_;
};

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  // Whoever reads along has each line at once, and keeps it when this process is killed.
  setvbuf(stdout, nullptr, _IOLBF, 0);
  return hearwire::Program().Run(argc, argv);
}
