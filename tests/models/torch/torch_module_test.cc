#include "models/torch_module/torch_module.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/torch_module/entry_point.h"
#include "server/telemetry/exposer.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

std::string WriteTemporary(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(TorchModuleTest, LoadsFromBesideTheProgram) {
  const auto backend = LoadTorchBackend({});
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_EQ((*backend)->name(), "torch");
  EXPECT_EQ((*backend)->device(), "cpu");
}

TEST(TorchModuleTest, MakesASecondBackend) {
  const auto first = LoadTorchBackend({});
  const auto second = LoadTorchBackend({});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->get(), second->get());
}

TEST(TorchModuleTest, SaysThatTheModuleIsNotThere) {
  const auto backend = LoadTorchBackendFrom("/nowhere/libhearwire_torch.so", {});
  EXPECT_TRUE(absl::IsNotFound(backend.status())) << backend.status();
  EXPECT_THAT(Message(backend.status()), HasSubstr("/nowhere/libhearwire_torch.so"));
  EXPECT_THAT(Message(backend.status()), HasSubstr("HEARWIRE_WITH_TORCH"));
}

TEST(TorchModuleTest, NamesTheLibraryOfLibTorchThatIsMissing) {
  std::string bytes = ReadFile(HEARWIRE_TORCH_MODULE);
  const std::string needed = std::string(1, '\0') + "libtorch_cpu.so" + std::string(1, '\0');
  const size_t place = bytes.find(needed);
  ASSERT_NE(place, std::string::npos);
  bytes.replace(place + 1, 15, "libtorch_xyz.so");
  const std::string path = WriteTemporary("without_libtorch.so", bytes);
  const auto backend = LoadTorchBackendFrom(path, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(backend.status())) << backend.status();
  EXPECT_THAT(Message(backend.status()), HasSubstr("libtorch_xyz.so: cannot open shared object file"));
  EXPECT_THAT(Message(backend.status()), HasSubstr("scripts/setup"));
  std::filesystem::remove(path);
}

TEST(TorchModuleTest, RefusesAFileThatIsNoModule) {
  const std::string path = WriteTemporary("text.so", "no module");
  const auto backend = LoadTorchBackendFrom(path, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(backend.status())) << backend.status();
  EXPECT_THAT(Message(backend.status()), HasSubstr(path));
  std::filesystem::remove(path);
}

TEST(TorchModuleTest, RefusesAModuleOfAnotherBuild) {
  void* const module = dlopen(HEARWIRE_TORCH_MODULE, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << dlerror();
  const auto make = reinterpret_cast<TorchEntryPoint*>(dlsym(module, kTorchEntryPointName));
  ASSERT_NE(make, nullptr);
  TorchModuleAbi abi;
  abi.version = "99.0.0";
  absl::Status status;
  EXPECT_EQ(make(abi, {}, &status), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("99.0.0"));
}

TEST(TorchModuleTest, NamesTheOptionThatIsWrong) {
  const auto message = [](const TorchBackendOptions& options) {
    const auto backend = LoadTorchBackend(options);
    EXPECT_TRUE(absl::IsInvalidArgument(backend.status())) << backend.status();
    return Message(backend.status());
  };
  EXPECT_THAT(message({.device = "tpu"}), HasSubstr("device \"tpu\""));
  EXPECT_THAT(message({.precision = "float64"}), HasSubstr("precision \"float64\""));
  EXPECT_THAT(message({.precision = "float16"}), HasSubstr("float16"));
  EXPECT_THAT(message({.max_batch_frames = 0}), HasSubstr("max_batch_frames 0"));
}

TEST(TorchModuleTest, SaysThatThereIsNoCudaDevice) {
  if (FindCudaDevice().ok()) GTEST_SKIP() << "there is one";
  for (const char* device : {"cuda", "cuda:1"}) {
    const auto backend = LoadTorchBackend({.device = device});
    EXPECT_TRUE(absl::IsFailedPrecondition(backend.status())) << backend.status();
    EXPECT_THAT(Message(backend.status()), HasSubstr("--device=cpu"));
  }
}

// A library's thread-local storage can come out of every thread's stack. civetweb, behind the metrics, gives its
// threads 100 kB, and aborts when they do not start.
TEST(TorchModuleTest, LeavesSmallThreadStacksUsable) {
  ASSERT_TRUE(LoadTorchBackend({}).ok());
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 100 << 10), 0);
  pthread_t thread;
  void* result = nullptr;
  const auto use_stack = +[](void*) -> void* {
    volatile char used[48 << 10];
    for (size_t i = 0; i < sizeof(used); i += 1024) used[i] = 1;
    return reinterpret_cast<void*>(size_t{1} + used[1024]);
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, use_stack, nullptr), 0);
  pthread_join(thread, &result);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(reinterpret_cast<size_t>(result), 2u);

  EXPECT_TRUE(Exposer::Create("127.0.0.1", 0).ok());
}

}  // namespace
}  // namespace hearwire
