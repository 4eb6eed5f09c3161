#include "server/rpc/embedding_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/concurrency/border.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/lane_plan.h"
#include "server/rpc/call_intake.h"
#include "server/rpc/call_reactor.h"
#include "server/rpc/classify_writer.h"
#include "server/rpc/read_message.h"
#include "server/rpc/read_request.h"
#include "server/rpc/reply_writer.h"
#include "server/rpc/stream_watch.h"
#include "server/rpc/write_reply.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

constexpr absl::Duration kRetryWhenFullOfStreams = absl::Seconds(1);

RequestFault NoStreams() {
  return {{.status = absl::UnimplementedError("this server takes no streams (its --max-streams is 0): send whole clips "
                                              "to the other methods, or streams to another server"),
           .reason = reason::kNoStreams},
          ""};
}

RequestFault TooManyStreamsOf(const std::string& caller, int limit) {
  return {{.status = absl::ResourceExhaustedError(
               absl::StrCat(caller, " has ", limit, " streams open, as many as it may: end one, or try again later")),
           .reason = reason::kCallerLimit,
           .retry_after = kRetryWhenFullOfStreams,
           .facts = {{"limit", "streams"}, {"max_streams", absl::StrCat(limit)}}},
          ""};
}

RequestFault TooManyStreams(int limit) {
  return {{.status = absl::ResourceExhaustedError(
               absl::StrCat("the server has ", limit, " streams open, its --max-streams: try again later")),
           .reason = reason::kTooManyStreams,
           .retry_after = kRetryWhenFullOfStreams},
          ""};
}

absl::Status CheckStreamLimits(const StreamLimits& limits) {
  if (limits.max_streams < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_streams is ", limits.max_streams, "; it must be at least 0"));
  }
  if (limits.max_streams_per_caller < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_streams_per_caller is ", limits.max_streams_per_caller, "; it must be at least 1"));
  }
  if (limits.max_piece_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_piece_bytes is ", limits.max_piece_bytes, "; it must be at least 1"));
  }
  if (limits.idle_timeout <= absl::ZeroDuration() || limits.max_duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("service: streams' idle_timeout and max_duration must be above 0");
  }
  return absl::OkStatus();
}

// Often enough for its limits to hold within a quarter, and for its connection's end to be seen before it comes.
absl::Duration WatchPeriod(const StreamLimits& limits) {
  const absl::Duration longest = limits.latest_end ? absl::Milliseconds(100) : absl::Seconds(1);
  return std::clamp(std::min(limits.idle_timeout, limits.max_duration) / 4, absl::Milliseconds(10), longest);
}

void WriteLimits(const EmbeddingServiceOptions& options, v1::Limits* limits) {
  limits->set_max_message_bytes(static_cast<uint64_t>(options.max_message_bytes));
  limits->set_max_reply_bytes(static_cast<uint64_t>(options.max_reply_bytes));
  limits->set_max_clips(static_cast<uint32_t>(options.max_clips));
  limits->set_max_decoded_seconds(absl::ToDoubleSeconds(options.max_decoded));
  limits->set_max_deadline_seconds(absl::ToDoubleSeconds(options.max_deadline));
  limits->set_max_piece_bytes(static_cast<uint64_t>(options.streams.max_piece_bytes));
}

// What calls of heads are counted under: the network that computes for all of them.
std::string_view NetworkLabel(const std::vector<std::shared_ptr<const LoadedHead>>& heads) {
  const std::shared_ptr<const LoadedNetwork>& network = heads.front()->network;
  const bool one = std::all_of(heads.begin(), heads.end(), [&](const auto& head) { return head->network == network; });
  return one ? network->info->name : kSeveralNetworks;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddingServiceImpl>> EmbeddingServiceImpl::Create(
    const EmbeddingServiceOptions& options, const ServedModels* models, Pipeline* pipeline, Metrics* metrics) {
  if (options.max_clips < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_clips is ", options.max_clips, "; it must be at least 1"));
  }
  if (absl::Status status = CheckStreamLimits(options.streams); !status.ok()) return status;
  if (options.max_deadline <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_deadline is ", absl::FormatDuration(options.max_deadline), "; it must be above 0"));
  }
  const auto served = ReadConfig(options.default_config, models->Get()->networks);
  if (const RequestFault* fault = std::get_if<RequestFault>(&served)) {
    const absl::Status& status = fault->error.status;
    const absl::StatusCode code =
        status.code() == absl::StatusCode::kNotFound ? absl::StatusCode::kInvalidArgument : status.code();
    return absl::Status(code, absl::StrCat("--default-config: ", status.message()));
  }
  return std::unique_ptr<EmbeddingServiceImpl>(new EmbeddingServiceImpl(options, models, pipeline, metrics));
}

EmbeddingServiceImpl::EmbeddingServiceImpl(const EmbeddingServiceOptions& options, const ServedModels* models,
                                           Pipeline* pipeline, Metrics* metrics)
    : options_(options),
      models_(models),
      pipeline_(pipeline),
      metrics_(metrics),
      intake_(metrics, options_.door, options_.calls_by_peer, options_.on_call, MostFields(options_.max_clips)),
      open_streams_(options_.streams.max_streams),
      stream_parts_{pipeline, models, options_.streams, options_.default_config, options_.precision},
      watch_(std::make_unique<StreamWatch>(WatchPeriod(options_.streams))) {}

EmbeddingServiceImpl::~EmbeddingServiceImpl() = default;

void EmbeddingServiceImpl::Run(CallReactor* call, const AudioClips& clips, CallRequest request,
                               std::unique_ptr<ReplyWriter> writer) {
  const auto clip_fields = [&clips](int clip, AudioField field) { return ClipField(clips, clip, field); };
  call->Run(std::move(request), clip_fields, options_.max_deadline, std::move(writer), pipeline_);
}

template <typename Request, typename Response>
void EmbeddingServiceImpl::Embed(CallReactor* call, LaneKind kind, const grpc::ByteBuffer* bytes) {
  const auto* message = intake_.Enter<Request>(bytes, call);
  if (message == nullptr) return;
  const std::string& name = message->config().empty() ? options_.default_config : message->config();
  call->set_config(name);
  if (!intake_.Admit(call)) return;
  ServedConfig served;
  v1::ElementType element_type = v1::ELEMENT_TYPE_UNSPECIFIED;
  CallRequest request;
  if (!Take(ReadConfig(name, models_->Get()->networks), &served, call) ||
      !Take(ReadElementType(message->element_type()), &element_type, call) ||
      !Take(ReadClips(message->clips(), options_.max_clips), &request.clips, call)) {
    return;
  }
  const Config& config = *served.config;
  request.lanes.push_back(MakeLane(kind, served.network, config, config.readout));
  Run(call, message->clips(), std::move(request),
      NewReplyWriter({std::string(config.name), served.network, options_.precision}, config.embedding_size(),
                     message->clips_size(), element_type, call->NewReply<Response>()));
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetSceneEmbeddings(grpc::CallbackServerContext* context,
                                                                   const grpc::ByteBuffer* request,
                                                                   grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "GetSceneEmbeddings", reply, [&](CallReactor* call) {
    Embed<v1::GetSceneEmbeddingsRequest, v1::GetSceneEmbeddingsResponse>(call, LaneKind::kScene, request);
  });
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetTimestampEmbeddings(grpc::CallbackServerContext* context,
                                                                       const grpc::ByteBuffer* request,
                                                                       grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "GetTimestampEmbeddings", reply, [&](CallReactor* call) {
    Embed<v1::GetTimestampEmbeddingsRequest, v1::GetTimestampEmbeddingsResponse>(call, LaneKind::kTimestamps, request);
  });
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetTags(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "GetTags", reply, [&](CallReactor* call) {
    const auto* message = intake_.Enter<v1::GetTagsRequest>(bytes, call);
    if (message == nullptr) return;
    const std::shared_ptr<const Models> models = models_->Get();
    // A reload keeps the default config, but that may read another network by then.
    const std::shared_ptr<const Config> fallback = models->networks.known()->FindConfig(options_.default_config);
    const std::string_view name = message->network().empty() ? fallback->network->name : message->network();
    call->set_config(name);
    if (!intake_.Admit(call)) return;
    CallRequest request;
    ServedConfig served;
    if (!Take(ReadNetwork(name, models->networks), &served, call) ||
        !Take(ReadClips(message->clips(), options_.max_clips), &request.clips, call)) {
      return;
    }
    const NetworkInfo& network = *served.network->info;
    const int top_k = message->top_k() == 0 ? network.class_count() : TagCount(message->top_k(), network);
    request.lanes.push_back(MakeLane(LaneKind::kScene, served.network, *served.config, LogitsReadout()));
    Run(call, message->clips(), std::move(request),
        NewTagsWriter({"", served.network, options_.precision}, message->clips_size(), top_k,
                      call->NewReply<v1::GetTagsResponse>()));
  });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* EmbeddingServiceImpl::StreamEmbeddings(
    grpc::CallbackServerContext* context) {
  const auto stream = StreamReactor::Create(context, intake_.sinks(), stream_parts_);
  std::optional<RequestFault> fault = stream->PassDoor();
  if (!fault && options_.streams.max_streams == 0) fault = NoStreams();
  const Caller caller = stream->caller();
  if (!fault && !(fault = intake_.CountIn(CallIntake::Needs::kNetworks))) {
    fault = stream->TakeCall();
    if (!fault) fault = CountStreamIn(caller);
    if (fault) intake_.CountOut();
  }
  if (fault) {
    stream->Refuse(*fault);
    return stream.get();
  }
  ReportStreams();
  watch_->Add(stream);
  stream->Begin([this, name = caller.name] {
    open_streams_.Leave(name);
    ReportStreams();
    intake_.CountOut();
  });
  return stream.get();
}

std::optional<RequestFault> EmbeddingServiceImpl::CountStreamIn(const Caller& caller) {
  const StreamLimits& limits = options_.streams;
  const int most = caller.max_streams > 0 ? caller.max_streams : limits.max_streams_per_caller;
  switch (open_streams_.Enter(caller.name, most)) {
    case StreamCounter::Entry::kIn:
      return std::nullopt;
    case StreamCounter::Entry::kCallerFull:
      return TooManyStreamsOf(caller.name, most);
    case StreamCounter::Entry::kFull:
      break;
  }
  return TooManyStreams(limits.max_streams);
}

// The value is read again after it was told, so that whoever tells last tells what is.
void EmbeddingServiceImpl::ReportStreams() {
  int told;
  do {
    told = open_streams_.open();
    metrics_->OnStreams(told);
  } while (told != open_streams_.open());
}

void EmbeddingServiceImpl::EndStreams() { watch_->StopAll(Draining().error); }

void EmbeddingServiceImpl::CancelStreams() { watch_->CancelAll(); }

grpc::ServerUnaryReactor* EmbeddingServiceImpl::ListConfigs(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "ListConfigs", reply, [&](CallReactor* call) {
    const auto* message = intake_.Enter<v1::ListConfigsRequest>(bytes, call);
    if (message == nullptr || !intake_.Admit(call, CallIntake::Needs::kNothing)) return;
    auto* const response = call->NewReply<v1::ListConfigsResponse>();
    const std::shared_ptr<const Models> models = models_->Get();
    for (const auto& config : models->networks.known()->configs()) {
      const std::shared_ptr<const LoadedNetwork> loaded = models->networks.Find(config->network->name);
      if (loaded == nullptr && message->loaded_only()) continue;
      WriteConfig(*config, loaded.get(), config->name == options_.default_config, options_.precision,
                  response->add_configs());
    }
    WriteLimits(options_, response->mutable_limits());
    call->Succeed();
  });
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::Classify(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "Classify", reply, [&](CallReactor* call) {
    const auto* message = intake_.Enter<v1::ClassifyRequest>(bytes, call);
    if (message == nullptr || !intake_.Admit(call)) return;
    std::vector<std::shared_ptr<const LoadedHead>> heads;
    CallRequest request;
    if (!Take(ReadHeads(message->heads(), models_->Get()->heads), &heads, call)) return;
    call->set_config(NetworkLabel(heads));
    if (!Take(ReadClips(message->clips(), options_.max_clips), &request.clips, call)) return;
    LanePlan plan;
    std::vector<PlannedHead> planned = PlanHeads(heads, &plan);
    auto writer = NewClassifyWriter(std::move(planned), plan, message->top_k(), message->clips_size(),
                                    call->NewReply<v1::ClassifyResponse>());
    request.lanes = std::move(plan).TakeLanes();
    Run(call, message->clips(), std::move(request), std::move(writer));
  });
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::ListHeads(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return intake_.Handle(context, "ListHeads", reply, [&](CallReactor* call) {
    if (intake_.Enter<v1::ListHeadsRequest>(bytes, call) == nullptr ||
        !intake_.Admit(call, CallIntake::Needs::kNothing))
      return;
    auto* const response = call->NewReply<v1::ListHeadsResponse>();
    const std::shared_ptr<const Models> models = models_->Get();
    for (const auto& loaded : models->heads.heads()) WriteHead(*loaded, options_.precision, response->add_heads());
    call->Succeed();
  });
}

}  // namespace hearwire
