// Where `hearwire embed` puts its results: on standard output, in one file for all inputs, or in a file for each.

#ifndef HEARWIRE_CLIENT_CLI_EMBEDDING_WRITER_H_
#define HEARWIRE_CLIENT_CLI_EMBEDDING_WRITER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/inputs.h"
#include "client/replies.h"

namespace hearwire::cli {

enum class EmbeddingKind { kScene, kTimestamps };

// What one input became.
struct Embedded {
  client::Matrix embeddings;          // [1, size] of a scene, [timestamps, size] otherwise.
  std::vector<double> timestamps_ms;  // Empty for a scene.
  client::EmbeddingSpace space;
};

// Not thread-safe.
class EmbeddingWriter {
 public:
  virtual ~EmbeddingWriter() = default;

  // Takes one input's result; inputs come in order, and those that failed do not come. INVALID_ARGUMENT: the result
  // does not fit the ones before it.
  virtual absl::Status Write(const Input& input, const Embedded& result) = 0;

  // Makes what was written appear. Without it nothing does, except on standard output and in a folder.
  virtual absl::Status Finish() = 0;

  // Where what was written of inputs so far is kept though the work ends early: "they are in a.csv". Empty: nowhere
  // else than it went already. Finish must then be called.
  virtual std::string kept() const { return ""; }
};

struct OutputOptions {
  std::string output;  // --output: "" for a summary, "-", a file or a folder.
  std::string format;  // --format: "" for what the output's name says, "npy", "csv" or "json".
  bool force = false;
  bool skip_existing = false;  // Inputs whose outputs in a folder exist are done.
  EmbeddingKind kind = EmbeddingKind::kScene;
};

// Checks all that can be known before the work starts: options that do not go together (INVALID_ARGUMENT), outputs that
// exist already (ALREADY_EXISTS, without force), a folder that is not there. Takes out of `inputs` those that
// skip_existing finds done; the others stay as they are, and must outlive the writer.
absl::StatusOr<std::unique_ptr<EmbeddingWriter>> NewEmbeddingWriter(const OutputOptions& options, Inputs* inputs);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_EMBEDDING_WRITER_H_
