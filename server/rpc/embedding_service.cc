#include "server/rpc/embedding_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/pipeline/call_errors.h"
#include "server/rpc/call_reactor.h"
#include "server/rpc/read_request.h"
#include "server/rpc/write_reply.h"

namespace hearwire {
namespace {

constexpr absl::Duration kRetryWhileStarting = absl::Seconds(1);
constexpr absl::Duration kRetryWhileDraining = absl::Seconds(1);  // Another server, or this one's successor.

RequestFault Starting() {
  return {{.status = absl::UnavailableError("the server is starting: its networks are not checked yet"),
           .reason = reason::kStarting,
           .retry_after = kRetryWhileStarting},
          ""};
}

RequestFault Draining() {
  CallError error = ShuttingDown();
  error.retry_after = kRetryWhileDraining;
  return {std::move(error), ""};
}

// Takes the value out of a step's result, or fails the call.
template <typename T>
bool Take(std::variant<T, RequestFault> result, T* value, CallReactor* call) {
  if (const RequestFault* fault = std::get_if<RequestFault>(&result)) {
    call->Fail(*fault);
    return false;
  }
  *value = std::move(std::get<T>(result));
  return true;
}

std::optional<RequestFault> ForElementType(std::optional<CallError> error) {
  if (!error) return std::nullopt;
  return RequestFault{*std::move(error), "element_type"};
}

Readout LogitsReadout() {
  Readout readout;
  readout.features.Add(Feature::kLogits);
  return readout;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddingServiceImpl>> EmbeddingServiceImpl::Create(
    const EmbeddingServiceOptions& options, const NetworkCatalog* networks, Pipeline* pipeline, Metrics* metrics) {
  if (options.max_clips < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_clips is ", options.max_clips, "; it must be at least 1"));
  }
  if (options.max_deadline <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("service: max_deadline is ", absl::FormatDuration(options.max_deadline), "; it must be above 0"));
  }
  const auto served = ReadConfig(options.default_config, *networks);
  if (const RequestFault* fault = std::get_if<RequestFault>(&served)) {
    const absl::Status& status = fault->error.status;
    const absl::StatusCode code =
        status.code() == absl::StatusCode::kNotFound ? absl::StatusCode::kInvalidArgument : status.code();
    return absl::Status(code, absl::StrCat("service: default_config: ", status.message()));
  }
  return std::unique_ptr<EmbeddingServiceImpl>(new EmbeddingServiceImpl(
      options, networks, pipeline, metrics, std::string(std::get<ServedConfig>(served).network->info->name)));
}

EmbeddingServiceImpl::EmbeddingServiceImpl(const EmbeddingServiceOptions& options, const NetworkCatalog* networks,
                                           Pipeline* pipeline, Metrics* metrics, std::string default_network)
    : options_(options),
      default_network_(std::move(default_network)),
      networks_(networks),
      pipeline_(pipeline),
      metrics_(metrics) {}

bool EmbeddingServiceImpl::Admit(CallReactor* call) {
  // Counted before it looks: whoever drains sets the state first and then reads the count.
  in_flight_.fetch_add(1);
  const State state = state_.load();
  if (state == State::kOpen || (state == State::kDraining && late_admissions_.fetch_sub(1) > 0)) {
    call->CountOut(&in_flight_);
    return true;
  }
  in_flight_.fetch_sub(1);
  call->Fail(state == State::kStarting ? Starting() : Draining());
  return false;
}

template <typename Request>
bool EmbeddingServiceImpl::ReadEmbeddingRequest(const Request& request, CallKind kind, CallReactor* call,
                                                EmbeddingCall* asked) {
  const std::string& name = request.config().empty() ? options_.default_config : request.config();
  call->set_config(name);
  if (!Admit(call)) return false;
  CallRequest& out = asked->request;
  ServedConfig served;
  if (!Take(ReadConfig(name, *networks_), &served, call) ||
      !Take(ReadElementType(request.element_type()), &asked->element_type, call) ||
      !Take(ReadClips(request.clips(), options_.max_clips), &out.clips, call)) {
    return false;
  }
  const Config& config = *served.config;
  const bool scene = kind == CallKind::kScene;
  asked->config = &config;
  out.kind = kind;
  out.network = served.network;
  out.readout = config.readout;
  out.timestamp_window_samples = config.timestamp_window_samples;
  out.min_samples = scene ? config.min_scene_samples() : config.min_timestamp_samples();
  out.request_bytes = static_cast<int64_t>(request.ByteSizeLong());
  out.reply = scene ? SceneReplySize(config.embedding_size(), asked->element_type)
                    : TimestampReplySize(config.embedding_size(), asked->element_type);
  return true;
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetSceneEmbeddings(grpc::CallbackServerContext* context,
                                                                   const v1::GetSceneEmbeddingsRequest* request,
                                                                   v1::GetSceneEmbeddingsResponse* response) {
  auto* call = new CallReactor(context, "GetSceneEmbeddings", {metrics_, options_.on_call});
  EmbeddingCall asked;
  if (!ReadEmbeddingRequest(*request, CallKind::kScene, call, &asked)) return call;
  auto write = [this, response, config = asked.config, network = asked.request.network, type = asked.element_type](
                   const CallResult& result, absl::Duration total, const CallTimes& times) {
    WriteSpace(config->name, *network, options_.precision, response->mutable_space());
    auto fault = ForElementType(WriteSceneEmbeddings(result, type, response));
    WriteTimings(total, times, response->mutable_timings());
    return fault;
  };
  call->Run(std::move(asked.request), request->clips(), options_.max_deadline, std::move(write), pipeline_);
  return call;
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetTimestampEmbeddings(grpc::CallbackServerContext* context,
                                                                       const v1::GetTimestampEmbeddingsRequest* request,
                                                                       v1::GetTimestampEmbeddingsResponse* response) {
  auto* call = new CallReactor(context, "GetTimestampEmbeddings", {metrics_, options_.on_call});
  EmbeddingCall asked;
  if (!ReadEmbeddingRequest(*request, CallKind::kTimestamps, call, &asked)) return call;
  auto write = [this, response, config = asked.config, network = asked.request.network, type = asked.element_type](
                   const CallResult& result, absl::Duration total, const CallTimes& times) {
    WriteSpace(config->name, *network, options_.precision, response->mutable_space());
    auto fault = ForElementType(WriteTimestampEmbeddings(result, type, response));
    WriteTimings(total, times, response->mutable_timings());
    return fault;
  };
  call->Run(std::move(asked.request), request->clips(), options_.max_deadline, std::move(write), pipeline_);
  return call;
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::GetTags(grpc::CallbackServerContext* context,
                                                        const v1::GetTagsRequest* request,
                                                        v1::GetTagsResponse* response) {
  auto* call = new CallReactor(context, "GetTags", {metrics_, options_.on_call});
  const std::string& name = request->network().empty() ? default_network_ : request->network();
  call->set_config(name);
  if (!Admit(call)) return call;
  CallRequest out;
  ServedConfig served;
  if (!Take(ReadNetwork(name, *networks_), &served, call) ||
      !Take(ReadClips(request->clips(), options_.max_clips), &out.clips, call)) {
    return call;
  }
  // There are no more tags than classes.
  const uint32_t asked = request->top_k() == 0 ? kClassCount : request->top_k();
  const int top_k = static_cast<int>(std::min<uint32_t>(asked, kClassCount));
  out.kind = CallKind::kTags;
  out.network = served.network;
  out.readout = LogitsReadout();
  out.min_samples = served.config->min_scene_samples();
  out.request_bytes = static_cast<int64_t>(request->ByteSizeLong());
  out.reply = TagsReplySize(top_k);
  auto write = [this, response, network = served.network, top_k](const CallResult& result, absl::Duration total,
                                                                 const CallTimes& times) {
    WriteSpace("", *network, options_.precision, response->mutable_space());
    WriteTags(result, top_k, response);
    WriteTimings(total, times, response->mutable_timings());
    return std::optional<RequestFault>();
  };
  call->Run(std::move(out), request->clips(), options_.max_deadline, std::move(write), pipeline_);
  return call;
}

grpc::ServerUnaryReactor* EmbeddingServiceImpl::ListConfigs(grpc::CallbackServerContext* context,
                                                            const v1::ListConfigsRequest* request,
                                                            v1::ListConfigsResponse* response) {
  auto* call = new CallReactor(context, "ListConfigs", {metrics_, options_.on_call});
  if (state_.load() == State::kDraining) {
    call->Fail(Draining());
    return call;
  }
  for (const Config& config : Configs()) {
    const LoadedNetwork* loaded = networks_->Find(config.network->name);
    if (loaded == nullptr && request->loaded_only()) continue;
    WriteConfig(config, loaded, config.name == options_.default_config, options_.precision, response->add_configs());
  }
  call->Succeed();
  return call;
}

}  // namespace hearwire
