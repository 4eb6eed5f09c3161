#include "client/cli/npy.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/program.h"
#include "tests/fixtures/npy.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;

TEST(NpyHeaderTest, IsReadAsItWasWritten) {
  TemporaryFolder folder;
  const std::vector<float> values = {1, 2.5f, -3, 0, 1e-30f, 6};
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{6}, {2, 3}, {1, 6}}) {
    const std::string header = NpyHeader(kNpyFloat32, shape);
    EXPECT_EQ(header.size() % 64, 0u);
    EXPECT_EQ(header.back(), '\n');
    const auto array = ReadNpy(folder.Write("a.npy", header + std::string(ValueBytes(absl::MakeConstSpan(values)))));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->shape, shape);
    EXPECT_EQ(array->values, values);
  }
}

TEST(NpyHeaderTest, IsAsNumpyWritesIt) {
  const std::string header = NpyHeader(kNpyFloat64, {3});
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(header[8]) + 256 * static_cast<unsigned char>(header[9]), header.size() - 10u);
  EXPECT_EQ(header.substr(10, 60), "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }   ");
}

TEST(NpyHeaderTest, KeepsItsLengthAsRowsAreAdded) {
  for (const int64_t columns : {1, 184, 5120, 1234567}) {
    const size_t size = NpyHeader(kNpyFloat32, {0, columns}).size();
    EXPECT_EQ(NpyHeader(kNpyFloat32, {99, columns}).size(), size);
    EXPECT_EQ(NpyHeader(kNpyFloat32, {9'999'999'999'999, columns}).size(), size);
  }
}

}  // namespace
}  // namespace hearwire::cli
