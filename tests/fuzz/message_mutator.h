// Changes a message as libFuzzer does bytes. Bytes that are changed as they stand are mostly no message any more, and
// nothing behind its parser would be seen.

#ifndef HEARWIRE_TESTS_FUZZ_MESSAGE_MUTATOR_H_
#define HEARWIRE_TESTS_FUZZ_MESSAGE_MUTATOR_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <random>

namespace hearwire {

// One field of it, or of a message in it. Strings grow to `max_bytes` at most.
void MutateMessage(google::protobuf::Message* message, size_t max_bytes, std::minstd_rand* random);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_FUZZ_MESSAGE_MUTATOR_H_
