#include "server/listening/arriving_request.h"

namespace hearwire {

bool ArrivingRequest::IsStuck(const Seen& seen, absl::Duration timeout, SteadyTime now) {
  if (seen.begun == 0 || seen.taken > 0) {
    is_waiting_ = false;
    return false;
  }
  if (!is_waiting_ || seen.received_bytes - bytes_then_ >= kLeastBytes) {
    is_waiting_ = true;
    since_ = now;
    bytes_then_ = seen.received_bytes;
  }
  return now - since_ >= timeout;
}

}  // namespace hearwire
