#include "server/batching/run_batch.h"

#include <cstddef>
#include <utility>

#include "absl/types/span.h"
#include "server/concurrency/border.h"

namespace hearwire {
namespace {

// Moves the windows from `begin` to `end` whose calls have not failed to the front of that range; returns their end.
size_t KeepWindowsOfGoodCalls(size_t begin, size_t end, Batch* batch, const std::vector<absl::Status>& call_status) {
  size_t kept = begin;
  for (size_t i = begin; i < end; ++i) {
    if (!call_status[static_cast<size_t>(batch->owners[i].call)].ok()) continue;
    batch->windows[kept] = batch->windows[i];
    batch->owners[kept] = batch->owners[i];
    ++kept;
  }
  return kept;
}

// Only UNAVAILABLE stops it.
absl::Status RunRange(Embedder* embedder, size_t begin, size_t end, Batch* batch,
                      std::vector<absl::Status>* call_status) {
  end = KeepWindowsOfGoodCalls(begin, end, batch, *call_status);
  if (begin == end) return absl::OkStatus();
  absl::Status status = Contain(
      [&] { return embedder->Embed(batch->network, absl::MakeConstSpan(batch->windows).subspan(begin, end - begin)); });
  if (status.ok() || absl::IsUnavailable(status)) return status;
  if (end - begin == 1) {
    (*call_status)[static_cast<size_t>(batch->owners[begin].call)] = std::move(status);
    return absl::OkStatus();
  }
  const size_t middle = begin + (end - begin) / 2;
  absl::Status first = RunRange(embedder, begin, middle, batch, call_status);
  if (!first.ok()) return first;
  return RunRange(embedder, middle, end, batch, call_status);
}

}  // namespace

absl::Status RunBatch(Embedder* embedder, Batch* batch, std::vector<absl::Status>* call_status) {
  call_status->assign(batch->calls.size(), absl::OkStatus());
  return RunRange(embedder, 0, batch->windows.size(), batch, call_status);
}

}  // namespace hearwire
