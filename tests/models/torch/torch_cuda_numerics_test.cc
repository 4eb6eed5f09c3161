// What holds on CUDA, as far as it is set on the CPU.

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "models/torch/cuda_library.h"

namespace hearwire {
namespace {

TEST(CudaNumericsTest, LeavesNoBitsOutAndOrdersSums) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuDNN(true);
  context.setAllowTF32CuBLAS(true);
  context.setAllowFP16ReductionCuBLAS(true);
  context.setAllowFP16AccumulationCuBLAS(true);
  context.setDeterministicCuDNN(false);

  SetCudaNumerics();

  EXPECT_FALSE(context.allowTF32CuDNN());
  EXPECT_FALSE(context.allowTF32CuDNN(at::Float32Op::CONV));
  EXPECT_FALSE(context.allowTF32CuBLAS());
  EXPECT_EQ(context.float32Precision(at::Float32Backend::CUDA, at::Float32Op::MATMUL), at::Float32Precision::IEEE);
  EXPECT_EQ(context.allowFP16ReductionCuBLAS(), at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK);
  EXPECT_FALSE(context.allowFP16AccumulationCuBLAS());
  EXPECT_TRUE(context.deterministicCuDNN());
}

}  // namespace
}  // namespace hearwire
