#include "server/open_inference/inference_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/names/nearest_names.h"
#include "server/open_inference/inference_clips.h"
#include "server/open_inference/inference_parameters.h"
#include "server/open_inference/inference_writer.h"
#include "server/open_inference/write_models.h"
#include "server/pipeline/lane_plan.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

LaneRequest LaneOf(const InferenceModel& model, const ServedConfig& served) {
  const LaneKind kind = model.kind == InferenceModel::Kind::kTimestamps ? LaneKind::kTimestamps : LaneKind::kScene;
  const bool tags = model.kind == InferenceModel::Kind::kTags;
  return MakeLane(kind, served.network, *served.config, tags ? LogitsReadout() : served.config->readout);
}

bool IsLoaded(const InferenceModel& model, const Models& served) {
  return served.networks.Find(model.config->network->name) != nullptr;
}

}  // namespace

InferenceService::InferenceService(const EmbeddingServiceOptions& options, const ServedModels* served,
                                   CallIntake* intake, Pipeline* pipeline)
    : max_clips_(options.max_clips),
      max_deadline_(options.max_deadline),
      precision_(options.precision),
      intake_(intake),
      pipeline_(pipeline),
      models_(served) {}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return intake_->Handle(context, "ModelInfer", reply, [&](CallReactor* call) {
    const auto* request = intake_->Enter<InferenceRequest>(bytes, call);
    if (request == nullptr) return;
    call->set_config(request->message.model_name());
    const CurrentModels::Seen now = models_.Get();
    const InferenceModel* model = nullptr;
    if (!Take(now.models->Find(request->message.model_name(), request->message.model_version()), &model, call)) return;
    call->set_config(model->label());
    call->set_tally(model->counts);
    if (intake_->Admit(call)) Infer(*request, *model, now.served->networks, call);
  });
}

void InferenceService::Infer(const InferenceRequest& request, const InferenceModel& model,
                             const NetworkCatalog& networks, CallReactor* call) {
  ServedConfig served;
  InferenceParameters parameters;
  std::vector<std::string_view> outputs;
  InferenceClips clips;
  if (!Take(ReadServed(model, networks), &served, call) ||
      !Take(ReadParameters(request.message, model.kind), &parameters, call) ||
      !Take(ReadOutputs(request.message, model.kind), &outputs, call) ||
      !Take(ReadInferenceClips(request, parameters.sample_rate_hz, max_clips_), &clips, call)) {
    return;
  }
  const bool tags = model.kind == InferenceModel::Kind::kTags;
  const InferenceReply reply = {.model = model,
                                .space = {tags ? "" : std::string(served.config->name), served.network, precision_},
                                .outputs = std::move(outputs),
                                .id = request.message.id(),
                                .input = clips.input,
                                .clips = static_cast<int>(clips.clips.size()),
                                .top_k = parameters.top_k == 0 ? served.network->info->class_count()
                                                               : TagCount(parameters.top_k, *served.network->info)};
  auto writer = NewInferenceWriter(reply, call->NewReply<inference::ModelInferResponse>());
  CallRequest run;
  run.lanes.push_back(LaneOf(model, served));
  run.clips = std::move(clips.clips);
  run.request_bytes = request.held_bytes();
  call->Run(
      std::move(run),
      [input = clips.input](int clip, AudioField field) { return InferenceClipField(input, clip, field); },
      max_deadline_, std::move(writer), pipeline_);
}

template <typename Request, typename Response, typename Fill>
grpc::ServerUnaryReactor* InferenceService::Tell(grpc::CallbackServerContext* context, std::string_view method,
                                                 const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply, Fill fill) {
  return intake_->Handle(context, method, reply, [&](CallReactor* call) {
    const auto* request = intake_->Enter<Request>(bytes, call);
    if (request == nullptr || !intake_->Admit(call, CallIntake::Needs::kNothing)) return;
    if (const std::optional<RequestFault> fault = fill(*request, call->NewReply<Response>())) return call->Fail(*fault);
    call->Succeed();
  });
}

template <typename Request, typename Response, typename Write>
grpc::ServerUnaryReactor* InferenceService::TellOfModel(grpc::CallbackServerContext* context, std::string_view method,
                                                        const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply,
                                                        Write write) {
  const auto fill = [&](const Request& request, Response* response) -> std::optional<RequestFault> {
    const CurrentModels::Seen now = models_.Get();
    auto found = now.models->Find(request.name(), request.version());
    if (auto* fault = std::get_if<RequestFault>(&found)) return std::move(*fault);
    write(*std::get<const InferenceModel*>(found), *now.served, response);
    return std::nullopt;
  };
  return Tell<Request, Response>(context, method, bytes, reply, fill);
}

template <typename Request, typename Response, typename Fill>
grpc::ServerUnaryReactor* InferenceService::TellHealth(grpc::CallbackServerContext* context, std::string_view method,
                                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply,
                                                       Fill fill) {
  return intake_->Handle(context, method, reply, [&](CallReactor* call) {
    auto* const request = call->NewRequest<Request>(static_cast<int64_t>(bytes->Length()));
    std::optional<RequestFault> fault = call->PassDoor(CallAccount::Entry::kHealth);
    if (!fault) fault = ReadSmallMessage(const_cast<grpc::ByteBuffer*>(bytes), request);
    if (fault) return call->Fail(*fault);
    fill(call->NewReply<Response>());
    call->Succeed();
  });
}

grpc::ServerUnaryReactor* InferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return TellHealth<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      context, "ServerLive", bytes, reply, [](inference::ServerLiveResponse* response) { response->set_live(true); });
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return TellHealth<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      context, "ServerReady", bytes, reply,
      [this](inference::ServerReadyResponse* response) { response->set_ready(intake_->is_open()); });
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  const auto fill = [this](const inference::ServerMetadataRequest&,
                           inference::ServerMetadataResponse* response) -> std::optional<RequestFault> {
    response->set_name(kPlatform);
    response->set_version(HEARWIRE_VERSION);
    for (const char* extension : {"model_configuration", "model_repository", "statistics"}) {
      response->add_extensions(extension);
    }
    return std::nullopt;
  };
  return Tell<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(context, "ServerMetadata", bytes,
                                                                                   reply, fill);
}

grpc::ServerUnaryReactor* InferenceService::RepositoryIndex(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  const auto fill = [this](const inference::RepositoryIndexRequest& request,
                           inference::RepositoryIndexResponse* response) -> std::optional<RequestFault> {
    if (!request.repository_name().empty()) {
      return InvalidRequest("repository_name", absl::StrCat("there is no ", Quoted(request.repository_name()),
                                                            ": the one repository has no name"));
    }
    const CurrentModels::Seen now = models_.Get();
    for (const InferenceModel& model : now.models->models()) {
      const bool loaded = IsLoaded(model, *now.served);
      const bool ready = loaded && intake_->is_open();
      if (!ready && request.ready()) continue;
      auto* const entry = response->add_models();
      entry->set_name(model.name);
      entry->set_version(std::string(kModelVersion));
      entry->set_state(ready ? "READY" : "UNAVAILABLE");
      if (loaded && !ready) entry->set_reason("the server is starting");
      if (!loaded)
        entry->set_reason(absl::StrCat("network ", std::string(model.config->network->name), " is not loaded"));
    }
    return std::nullopt;
  };
  return Tell<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(context, "RepositoryIndex", bytes,
                                                                                     reply, fill);
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return TellOfModel<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      context, "ModelReady", bytes, reply, [this](const InferenceModel& model, const Models& served, auto* response) {
        response->set_ready(intake_->is_open() && IsLoaded(model, served));
      });
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return TellOfModel<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      context, "ModelMetadata", bytes, reply,
      [](const InferenceModel& model, const Models&, auto* response) { WriteMetadata(model, response); });
}

grpc::ServerUnaryReactor* InferenceService::ModelConfig(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  return TellOfModel<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      context, "ModelConfig", bytes, reply, [this](const InferenceModel& model, const Models&, auto* response) {
        WriteModelConfig(model, max_clips_, response->mutable_config());
      });
}

grpc::ServerUnaryReactor* InferenceService::ModelStatistics(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply) {
  const auto fill = [this](const inference::ModelStatisticsRequest& request,
                           inference::ModelStatisticsResponse* response) -> std::optional<RequestFault> {
    const CurrentModels::Seen now = models_.Get();
    if (request.name().empty()) {
      for (const InferenceModel& model : now.models->models()) {
        if (IsLoaded(model, *now.served)) WriteStatistics(model, *model.counts, response->add_model_stats());
      }
      return std::nullopt;
    }
    auto found = now.models->Find(request.name(), request.version());
    if (auto* fault = std::get_if<RequestFault>(&found)) return std::move(*fault);
    const InferenceModel& model = *std::get<const InferenceModel*>(found);
    auto served = ReadServed(model, now.served->networks);
    if (auto* fault = std::get_if<RequestFault>(&served)) return std::move(*fault);
    WriteStatistics(model, *model.counts, response->add_model_stats());
    return std::nullopt;
  };
  return Tell<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(context, "ModelStatistics", bytes,
                                                                                     reply, fill);
}

}  // namespace hearwire
