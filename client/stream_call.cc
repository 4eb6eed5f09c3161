#include "client/stream_call.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "client/bytes_ahead.h"
#include "client/call_status.h"

namespace hearwire::client {
namespace {

constexpr char kBytesAheadKey[] = "x-hearwire-max-bytes-ahead";

// A bound that is no number counts as a small one.
int64_t ReadBytesAhead(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerInitialMetadata();
  const auto found = metadata.find(kBytesAheadKey);
  if (found == metadata.end()) return BytesAhead::kNoBound;
  int64_t bytes = 0;
  std::from_chars(found->second.begin(), found->second.end(), bytes);
  return std::max(bytes, int64_t{1});
}

}  // namespace

// gRPC calls OnDone when no operation is under way and no hold is left. Reads and writes are started by whoever has
// something to read or write, so one hold stays until the last message was read. gRPC never calls back on the thread
// that starts an operation, so that the lock may be held there.
std::unique_ptr<StreamCall> StreamCall::Start(v1::EmbeddingService::StubInterface& stub, StreamCallOwner& owner,
                                              const std::string& server, absl::Duration deadline,
                                              const MetadataPairs& metadata, const v1::StreamStart& start) {
  std::unique_ptr<StreamCall> call(new StreamCall(owner, server, deadline));
  for (const auto& [name, value] : metadata) call->context_.AddMetadata(name, value);
  stub.async()->StreamEmbeddings(&call->context_, call.get());
  call->AddHold();
  *call->request_.mutable_start() = start;
  call->writing_ = true;
  call->StartWrite(&call->request_);
  call->StartRead(&call->response_);
  call->StartCall();
  return call;
}

StreamCall::StreamCall(StreamCallOwner& owner, std::string server, absl::Duration deadline)
    : server_(std::move(server)), deadline_(deadline), owner_(owner) {
  if (deadline < absl::InfiniteDuration()) {
    context_.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_nanos(absl::ToInt64Nanoseconds(deadline), GPR_TIMESPAN)));
  }
}

void StreamCall::Write(std::string_view samples) {
  request_.set_samples(samples.data(), samples.size());
  writing_ = true;
  StartWrite(&request_);
}

void StreamCall::HalfClose() {
  half_closed_ = true;
  StartWritesDone();
}

v1::StreamEmbeddingsResponse StreamCall::Take() {
  v1::StreamEmbeddingsResponse taken;
  taken.Swap(&response_);
  has_message_ = false;
  StartRead(&response_);
  return taken;
}

void StreamCall::Abandon() {
  if (abandoned_ || status_) return;
  abandoned_ = true;
  context_.TryCancel();
  // Where a read is under way, its end lets go.
  if (has_message_) {
    has_message_ = false;
    over_ = true;
    RemoveHold();
  }
}

void StreamCall::OnReadInitialMetadataDone(bool ok) {
  const std::lock_guard lock(owner_.mu);
  if (!ok || abandoned_) return;
  owner_.OnBound(*this, ReadBytesAhead(context_));
}

void StreamCall::OnWriteDone(bool ok) {
  const std::lock_guard lock(owner_.mu);
  if (!ok) return;  // The RPC ends; writing_ stays, so that nothing more is written.
  writing_ = false;
  if (!abandoned_) owner_.OnWritten(*this);
  owner_.changed.notify_all();
}

void StreamCall::OnReadDone(bool ok) {
  const std::lock_guard lock(owner_.mu);
  if (ok && !abandoned_) {
    has_message_ = true;
  } else {
    over_ = true;
    RemoveHold();
  }
  owner_.changed.notify_all();
}

void StreamCall::OnDone(const grpc::Status& status) {
  const std::lock_guard lock(owner_.mu);  // Whoever waits for the status may destroy this once it is given back.
  status_ = CallStatus(status, context_, server_, deadline_);
  owner_.changed.notify_all();
}

}  // namespace hearwire::client
