#include "server/listening/accept_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace hearwire {
namespace {

TEST(AcceptErrorTest, NeverEndsTheListener) {
  EXPECT_EQ(ToAfterAcceptError(EAGAIN), AfterAcceptError::kWait);
  for (const int error : {EINTR, ECONNABORTED, EPERM, EPROTO, ENETDOWN, EHOSTUNREACH}) {
    EXPECT_EQ(ToAfterAcceptError(error), AfterAcceptError::kNext) << error;
  }
  for (const int error : {EMFILE, ENFILE}) EXPECT_EQ(ToAfterAcceptError(error), AfterAcceptError::kMakeRoom) << error;
  for (const int error : {ENOBUFS, ENOMEM, EINVAL}) {
    EXPECT_EQ(ToAfterAcceptError(error), AfterAcceptError::kPause) << error;
  }
}

}  // namespace
}  // namespace hearwire
