#include "models/torch/graph_recorder.h"

#include <dlfcn.h>

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace hearwire {

absl::StatusOr<std::shared_ptr<GraphRecorder>> MakeGraphRecorder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&MakeGraphRecorderFrom), &info) == 0) {
    return absl::InternalError("cannot tell where the LibTorch module was loaded from");
  }
  return MakeGraphRecorderFrom((std::filesystem::path(info.dli_fname).parent_path() / kGraphModuleFile).string());
}

absl::StatusOr<std::shared_ptr<GraphRecorder>> MakeGraphRecorderFrom(const std::string& path) {
  // What it leaves open is found in LibTorch's CUDA library, whose symbols are everybody's.
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const make = module == nullptr ? nullptr : dlsym(module, kMakeGraphRecorderName);
  if (make == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("no CUDA graphs: ", dlerror(),
                                                      "; run without graphs, or install ", kGraphModuleFile,
                                                      ", which is built where CUDA's headers are (scripts/setup)"));
  }
  return std::shared_ptr<GraphRecorder>(reinterpret_cast<MakeGraphRecorderFunction*>(make)());
}

}  // namespace hearwire
