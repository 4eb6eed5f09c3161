#include "models/torch/graph_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearwire {
namespace {

using ::testing::HasSubstr;

TEST(GraphRecorderTest, SaysThatItsModuleIsNotThere) {
  const auto recorder = MakeGraphRecorder();  // Not beside this program.
  EXPECT_TRUE(absl::IsFailedPrecondition(recorder.status())) << recorder.status();
  EXPECT_THAT(recorder.status().message(), HasSubstr(kGraphModuleFile));
  EXPECT_THAT(recorder.status().message(), HasSubstr("run without graphs"));
}

// Whoever asks for graphs without LibTorch's CUDA library is told so; nothing else needs the module.
TEST(GraphRecorderTest, NeedsLibTorchsCudaLibrary) {
  const auto recorder = MakeGraphRecorderFrom(HEARWIRE_GRAPH_MODULE);
  EXPECT_TRUE(absl::IsFailedPrecondition(recorder.status())) << recorder.status();
  EXPECT_THAT(recorder.status().message(), HasSubstr("CUDAGraph"));
}

}  // namespace
}  // namespace hearwire
