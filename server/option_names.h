// What options are called, in the environment and before.

#ifndef HEARWIRE_SERVER_OPTION_NAMES_H_
#define HEARWIRE_SERVER_OPTION_NAMES_H_

#include <functional>
#include <string>
#include <vector>

namespace hearwire {

// The value of an environment variable, null when it is not set.
using GetEnvironment = std::function<const char*(const std::string&)>;

// --max-clips is "max-clips" here, and HEARWIRE_MAX_CLIPS.
std::string EnvironmentName(const std::string& flag);

// Whether the command line has the flag, with its value in the same word or the next.
bool IsGiven(const std::vector<std::string>& arguments, const std::string& flag);

// Takes --config and HEARWIRE_CONFIG for --config-file, which they were the names of, and returns a warning for each.
std::vector<std::string> TakeOldNames(const GetEnvironment& environment, std::vector<std::string>* arguments);

// A warning for each of `variables` that begins with HEARWIRE_, is neither known nor one that the clients read, and has
// a name near a known one. Others are of other programs, perhaps.
std::vector<std::string> UnknownVariables(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& known);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPTION_NAMES_H_
