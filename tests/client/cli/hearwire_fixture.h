// The program hearwire and a fake server that it finds.

#ifndef HEARWIRE_TESTS_CLIENT_CLI_HEARWIRE_FIXTURE_H_
#define HEARWIRE_TESTS_CLIENT_CLI_HEARWIRE_FIXTURE_H_

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "tests/client/cli/program.h"
#include "tests/client/fake_server.h"
#include "tests/fixtures/npy.h"

namespace hearwire::cli {

class HearwireTest : public testing::Test {
 protected:
  HearwireTest() { setenv("HEARWIRE_SERVER", server_.address().c_str(), 1); }

  Array Npy(const std::string& path) {
    auto array = ReadNpy(path);
    EXPECT_TRUE(array.ok()) << array.status();
    return array.ok() ? *array : Array();
  }

  client::FakeServer server_;
  TemporaryFolder folder_;
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_TESTS_CLIENT_CLI_HEARWIRE_FIXTURE_H_
