"""The Open Inference Protocol (KServe v2, Triton's) beside Hearwire's own RPCs: the same numbers, the same errors."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import sys

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from test_bad_input import wav

import hearwire_server
from hearwire_server import REPOSITORY, Server, array, chirp, inference_pb, inference_pb_grpc, pb, pcm, pcm16

CALLERS = pathlib.Path(__file__).parent / "callers"
sys.path.append(str(CALLERS))
from describe_proto import describe  # noqa: E402

CONFIG = "hearwire_mn01_all_b_mel_avgs"
NETWORK = "hearwire_mn01"
SCENE, TIMESTAMPS, TAGS = f"{CONFIG}.scene", f"{CONFIG}.timestamps", f"{NETWORK}.tags"
TYPES = {"FP32": "<f4", "FP64": "<f8"}
# An environment of their own: they want old versions of numpy and protobuf. scripts/test makes it.
TRITON = pathlib.Path(os.environ.get("HEARWIRE_TRITON", REPOSITORY / ".deps/triton"))


@pytest.fixture(scope="module")
def stub(server):
    return inference_pb_grpc.GRPCInferenceServiceStub(server.channel)


def elements(files: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


def request(model: str, name: str, datatype: str, shape: list[int], raw: bytes | None = None, **fields):
    message = inference_pb.ModelInferRequest(model_name=model, **fields)
    message.inputs.add(name=name, datatype=datatype, shape=shape)
    if raw is not None:
        message.raw_input_contents.append(raw)
    return message


def waves(model: str, samples: np.ndarray, rate: int | None = None, **fields):
    """samples: [n] or [b, n], float32 or int16."""
    datatype = {"f": "FP32", "i": "INT16"}[samples.dtype.kind]
    message = request(model, "WAVE", datatype, list(samples.shape), samples.tobytes(), **fields)
    if rate:
        message.parameters["sample_rate"].int64_param = rate
    return message


def outputs(reply) -> dict:
    found = {}
    for output, raw in zip(reply.outputs, reply.raw_output_contents, strict=True):
        if output.datatype == "BYTES":
            values, rest = [], raw
            while rest:
                size = struct.unpack_from("<I", rest)[0]
                values.append(rest[4 : 4 + size].decode())
                rest = rest[4 + size :]
            found[output.name] = np.array(values, dtype=object).reshape(output.shape)
        else:
            found[output.name] = np.frombuffer(raw, TYPES[output.datatype]).reshape(output.shape)
    return found


def fault(call) -> tuple[grpc.StatusCode, str, str, str]:
    """Code, reason, field, message."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error = raised.value
    reason, field = "", ""
    for detail in status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"]).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            assert info.domain == "hearwire"
            reason = info.reason
        elif detail.Unpack(bad):
            field = bad.field_violations[0].field
    return error.code(), reason, field, error.details()


# Two clips each: short ones, of other rates, and one whose scene is a mean of windows.
CASES = [(2.0, None), (0.7, 16000), (1.3, 44100), (13.0, None), (11.0, 8000)]


@pytest.mark.parametrize("seconds, rate", CASES)
@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_waves_are_answered_as_our_own_rpcs_answer_them(server, stub, seconds, rate, kind):
    hertz = rate or 32000
    clips = np.stack([chirp(seconds, high=0.4 * hertz, rate=hertz), chirp(seconds, low=200, high=0.3 * hertz, rate=hertz)])
    own = [pcm(clip, hertz) for clip in clips]
    if kind == "int16":
        own = [pcm16(clip, hertz) for clip in clips]
        clips = np.stack([np.frombuffer(clip.pcm.samples, "<i2") for clip in own])

    scenes = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=own))
    reply = stub.ModelInfer(waves(SCENE, clips, rate, id="7"))
    assert (reply.id, reply.model_name, reply.model_version) == ("7", SCENE, "1")
    assert outputs(reply)["EMBEDDING"].tobytes() == scenes.embeddings.data
    assert list(reply.outputs[0].shape) == [2, scenes.embeddings.columns]
    space = {name: value.string_param for name, value in reply.parameters.items()}
    assert space == {f.name: getattr(scenes.space, f.name) for f in scenes.space.DESCRIPTOR.fields}

    timestamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=own))
    found = outputs(stub.ModelInfer(waves(TIMESTAMPS, clips, rate, model_version="1")))
    for i, clip in enumerate(timestamps.clips):
        assert found["EMBEDDING"][i].tobytes() == clip.embeddings.data
        assert found["TIMESTAMPS"][i].tolist() == list(clip.timestamps_ms)

    # One clip by itself: still a batch.
    alone = outputs(stub.ModelInfer(waves(TIMESTAMPS, clips[1], rate)))
    assert alone["EMBEDDING"].shape == (1, *found["EMBEDDING"].shape[1:])
    assert alone["EMBEDDING"].tobytes() == found["EMBEDDING"][1].tobytes()


def test_files_and_typed_contents_are_answered_alike(server, stub):
    files = [wav(chirp(1.5, rate=44100), 44100), wav(chirp(2.5, low=300))]
    own = pb.GetSceneEmbeddingsRequest(clips=[pb.Audio(encoded=file) for file in files])
    expected = server.stub.GetSceneEmbeddings(own).embeddings.data
    for shape in [2], [2, 1]:
        raw = request(SCENE, "AUDIO", "BYTES", shape, elements(files))
        assert outputs(stub.ModelInfer(raw))["EMBEDDING"].tobytes() == expected
    typed = request(SCENE, "AUDIO", "BYTES", [2])
    typed.inputs[0].contents.bytes_contents.extend(files)
    assert outputs(stub.ModelInfer(typed))["EMBEDDING"].tobytes() == expected

    clip = chirp(1.0)
    expected = outputs(stub.ModelInfer(waves(SCENE, clip)))["EMBEDDING"].tobytes()
    typed = request(SCENE, "WAVE", "FP32", [len(clip)])
    typed.inputs[0].contents.fp32_contents.extend(clip.tolist())
    assert outputs(stub.ModelInfer(typed))["EMBEDDING"].tobytes() == expected
    whole = np.frombuffer(pcm16(clip).pcm.samples, "<i2")
    expected = outputs(stub.ModelInfer(waves(SCENE, whole)))["EMBEDDING"].tobytes()
    typed = request(SCENE, "WAVE", "INT16", [1, len(whole)])
    typed.inputs[0].contents.int_contents.extend(whole.tolist())
    assert outputs(stub.ModelInfer(typed))["EMBEDDING"].tobytes() == expected


def test_tags_are_those_of_get_tags(server, stub):
    clips = np.stack([chirp(1.0), chirp(1.0, low=1000)])
    for top_k in 0, 3:
        own = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(clip) for clip in clips], top_k=top_k))
        message = waves(TAGS, clips)
        if top_k:
            message.parameters["top_k"].int64_param = top_k
        found = outputs(stub.ModelInfer(message))
        for i, clip in enumerate(own.clips):
            assert found["LABELS"][i].tolist() == [tag.name for tag in clip.tags]
            assert found["SCORES"][i].tolist() == [tag.probability for tag in clip.tags]


def test_only_the_outputs_asked_for_are_answered(stub):
    message = waves(TIMESTAMPS, chirp(0.5))
    message.outputs.add(name="TIMESTAMPS")
    reply = stub.ModelInfer(message)
    assert list(outputs(reply)) == ["TIMESTAMPS"] and len(reply.raw_output_contents) == 1
    message.outputs.add(name="EMBEDDING")
    assert list(outputs(stub.ModelInfer(message))) == ["TIMESTAMPS", "EMBEDDING"]


WAVE = chirp(0.5)


def spoilt(change, model: str = SCENE):
    message = waves(model, WAVE)
    change(message)
    return message


def set_nan(message) -> None:
    samples = WAVE.copy()
    samples[100] = np.nan
    message.raw_input_contents[0] = samples.tobytes()


BAD = {
    "a nearly right model": (lambda m: setattr(m, "model_name", SCENE[:-1]), "UNKNOWN_MODEL", "", SCENE),
    "a config": (lambda m: setattr(m, "model_name", CONFIG), "UNKNOWN_MODEL", "", SCENE),
    "another version": (lambda m: setattr(m, "model_version", "2"), "UNKNOWN_MODEL", "", "its only version is 1"),
    "a model that is not loaded": (lambda m: setattr(m, "model_name", "mn10_all_b_mel_avgs.scene"),
                                   "NETWORK_NOT_LOADED", "", "hearwire checkpoints fetch mn10_as"),
    "a wrong shape": (lambda m: m.inputs[0].shape.insert(0, 2), "INVALID_REQUEST", "raw_input_contents[0]", "[2, 16000]"),
    "too many dimensions": (lambda m: m.inputs[0].shape.extend([1, 1]), "INVALID_REQUEST", "inputs[0].shape",
                            "[clips, samples]"),
    "a wrong type": (lambda m: setattr(m.inputs[0], "datatype", "FP64"), "INVALID_REQUEST", "inputs[0].datatype",
                     "FP32 or INT16"),
    "two raw contents": (lambda m: m.raw_input_contents.append(b""), "INVALID_REQUEST", "raw_input_contents",
                         "there are 2 for 1"),
    "an unknown input": (lambda m: setattr(m.inputs[0], "name", "wave"), "INVALID_REQUEST", "inputs[0].name",
                         "WAVE and AUDIO"),
    "an unknown output": (lambda m: m.outputs.add(name="TIMESTAMPS"), "INVALID_REQUEST", "outputs[0]", "EMBEDDING"),
    "an output twice": (lambda m: [m.outputs.add(name="EMBEDDING") for _ in range(2)], "INVALID_REQUEST", "outputs[1]",
                        "twice"),
    "classification": (lambda m: m.outputs.add(name="EMBEDDING").parameters["classification"].__setattr__("int64_param", 3),
                       "INVALID_REQUEST", 'outputs[0].parameters["classification"]', "<network>.tags"),
    "a rate that is no number": (lambda m: m.parameters["sample_rate"].__setattr__("string_param", "16000"),
                                 "INVALID_REQUEST", 'parameters["sample_rate"]', "int64_param"),
    "a rate without a value": (lambda m: m.parameters["sample_rate"].SetInParent(), "INVALID_REQUEST",
                               'parameters["sample_rate"]', "int64_param"),
    "a rate out of range": (lambda m: m.parameters["sample_rate"].__setattr__("int64_param", 5), "INVALID_AUDIO",
                            'parameters["sample_rate"]', "1000"),
    "an unknown parameter": (lambda m: m.parameters["sample_rat"].__setattr__("int64_param", 16000), "INVALID_REQUEST",
                             'parameters["sample_rat"]', "sample_rate"),
    "not a number": (set_nan, "INVALID_AUDIO", "WAVE[0]", "100"),
    "too many clips": (lambda m: (m.inputs[0].ClearField("shape"), m.inputs[0].shape.extend([9, 1])), "TOO_MANY_CLIPS",
                       "inputs[0].shape", "at most 8"),
    "shared memory": (lambda m: m.inputs[0].parameters["shared_memory_region"].__setattr__("string_param", "x"),
                      "INVALID_REQUEST", 'inputs[0].parameters["shared_memory_region"]', "in the message"),
}
CODES = {"UNKNOWN_MODEL": grpc.StatusCode.NOT_FOUND, "NETWORK_NOT_LOADED": grpc.StatusCode.FAILED_PRECONDITION}


@pytest.fixture(scope="module")
def small_stub():
    with Server("--max-clips=8", "--max-decoded-seconds=20", "--max-message-bytes=4000000") as server:
        yield inference_pb_grpc.GRPCInferenceServiceStub(server.channel)


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said(small_stub, what):
    change, reason, field, text = BAD[what]
    code, found_reason, found_field, message = fault(lambda: small_stub.ModelInfer(spoilt(change)))
    assert code == CODES.get(reason, grpc.StatusCode.INVALID_ARGUMENT), message
    assert (found_reason, found_field) == (reason, field), message
    assert text in message


def test_limits_are_the_servers(small_stub):
    long = np.zeros(21 * 8000, np.int16)
    code, reason, field, _ = fault(lambda: small_stub.ModelInfer(waves(SCENE, long, 8000)))
    assert (code, reason, field) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "AUDIO_TOO_LONG", "WAVE[0]")
    with pytest.raises(grpc.RpcError) as error:
        small_stub.ModelInfer(waves(SCENE, np.zeros(1_100_000, np.float32)))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # By gRPC itself.
    files = [wav(chirp(0.5)), b"no audio at all"]
    message = request(SCENE, "AUDIO", "BYTES", [2], elements(files))
    assert fault(lambda: small_stub.ModelInfer(message))[1:3] == ("INVALID_AUDIO", "AUDIO[1]")
    files[1] = wav(chirp(0.7))
    unlike = request(TIMESTAMPS, "AUDIO", "BYTES", [2], elements(files))
    code, _, field, text = fault(lambda: small_stub.ModelInfer(unlike))
    assert code == grpc.StatusCode.INVALID_ARGUMENT and field.startswith("AUDIO[") and "a call of its own" in text
    with pytest.raises(grpc.RpcError) as error:
        small_stub.ModelInfer(waves(SCENE, np.zeros((8, 19_000), np.int16), 1000), timeout=0.001)
    # Ended by gRPC, or refused at once by the server, which knows how long it takes.
    assert error.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_the_server_and_its_models_are_described(server, stub):
    assert stub.ServerLive(inference_pb.ServerLiveRequest()).live
    assert stub.ServerReady(inference_pb.ServerReadyRequest()).ready
    about = stub.ServerMetadata(inference_pb.ServerMetadataRequest())
    assert about.name == "hearwire" and "statistics" in about.extensions
    assert stub.ModelReady(inference_pb.ModelReadyRequest(name=SCENE, version="1")).ready
    assert not stub.ModelReady(inference_pb.ModelReadyRequest(name="mn10_all_b_mel_avgs.scene")).ready
    assert fault(lambda: stub.ModelReady(inference_pb.ModelReadyRequest(name="x")))[1] == "UNKNOWN_MODEL"

    index = stub.RepositoryIndex(inference_pb.RepositoryIndexRequest()).models
    ready = stub.RepositoryIndex(inference_pb.RepositoryIndexRequest(ready=True)).models
    assert [model.name for model in ready] == [SCENE, TIMESTAMPS, TAGS]
    own = server.stub.ListConfigs(pb.ListConfigsRequest()).configs
    assert {m.name for m in index} == {f"{c.name}.{kind}" for c in own for kind in ("scene", "timestamps")} | {
        f"{c.network}.tags" for c in own
    }
    assert {m.name: m.reason for m in index}["mn10_as.tags"] == "network mn10_as is not loaded"
    code, _, field, _ = fault(lambda: stub.RepositoryIndex(inference_pb.RepositoryIndexRequest(repository_name="x")))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "repository_name")

    # What is answered is what was described, and the configuration says it too.
    for model in SCENE, TIMESTAMPS, TAGS:
        metadata = stub.ModelMetadata(inference_pb.ModelMetadataRequest(name=model))
        config = stub.ModelConfig(inference_pb.ModelConfigRequest(name=model)).config
        reply = stub.ModelInfer(waves(model, WAVE))
        assert [i.name for i in metadata.inputs] == [i.name for i in config.input] == ["WAVE", "AUDIO"]
        for output, described, configured in zip(reply.outputs, metadata.outputs, config.output, strict=True):
            assert (output.name, output.datatype) == (described.name, described.datatype)
            assert len(output.shape) == len(described.shape)
            assert all(size in (-1, real) for size, real in zip(described.shape, output.shape))
            assert list(configured.dims) == list(described.shape[1:]) and configured.name == output.name


def test_statistics_count_what_models_did():
    with Server() as server:
        stub = inference_pb_grpc.GRPCInferenceServiceStub(server.channel)
        for clips in 1, 3:
            stub.ModelInfer(waves(SCENE, np.tile(WAVE, (clips, 1))))
        fault(lambda: stub.ModelInfer(spoilt(set_nan)))
        everything = stub.ModelStatistics(inference_pb.ModelStatisticsRequest()).model_stats
        assert [stats.name for stats in everything] == [SCENE, TIMESTAMPS, TAGS]
        scene, idle = everything[0], everything[1]
        assert (scene.version, scene.inference_count, scene.execution_count) == ("1", 4, 2)
        durations = scene.inference_stats
        assert (durations.success.count, durations.fail.count) == (2, 1)
        assert 0 < durations.compute_infer.ns <= durations.success.ns and durations.fail.ns > 0
        assert durations.compute_input.ns > 0 and scene.last_inference > 1.7e12
        assert (idle.inference_count, idle.inference_stats.success.ns) == (0, 0)
        alone = stub.ModelStatistics(inference_pb.ModelStatisticsRequest(name=SCENE, version="1")).model_stats
        assert list(alone) == [scene]
        unknown = inference_pb.ModelStatisticsRequest(name="x.scene")
        assert fault(lambda: stub.ModelStatistics(unknown))[1] == "UNKNOWN_MODEL"
        # And metrics name the method.
        assert server.metric("hearwire_requests_total", method="ModelInfer", config=CONFIG, code="OK") == 2
        assert server.metric("hearwire_requests_total", method="ModelInfer", config=CONFIG, code="INVALID_ARGUMENT") == 1
        assert server.metric("hearwire_requests_total", method="ModelStatistics", code="OK") == 2


def test_the_same_door(tmp_path):
    tokens = tmp_path / "tokens"
    digest = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("all", "lists")}
    tokens.write_text(f"{digest['all']} all\n{digest['lists']} lists methods=RepositoryIndex,ModelMetadata\n")
    tokens.chmod(0o600)
    with Server(f"--tokens-file={tokens}", f"--access-log={tmp_path / 'log'}") as server:
        stub = inference_pb_grpc.GRPCInferenceServiceStub(server.channel)
        call = waves(SCENE, WAVE)
        assert fault(lambda: stub.ModelInfer(call))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
        bearer = lambda token: (("authorization", f"Bearer {token}"),)
        for method in inference_pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods:
            bare = server.channel.unary_unary(f"/inference.GRPCInferenceService/{method.name}")
            if method.name not in ("ServerLive", "ServerReady"):
                assert fault(lambda: bare(b""))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"), method.name
        assert fault(lambda: stub.ModelInfer(call, metadata=bearer("lists")))[1] == "NOT_PERMITTED"
        stub.ModelInfer(call, metadata=bearer("all"))
        stub.RepositoryIndex(inference_pb.RepositoryIndexRequest(), metadata=bearer("lists"))
        # Health is open, and of that size.
        assert stub.ServerReady(inference_pb.ServerReadyRequest()).ready
        large = server.channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert fault(lambda: large(b"\x7a\x80\x80\x40" + bytes(1 << 20)))[0] == grpc.StatusCode.INVALID_ARGUMENT
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert ("ModelInfer", CONFIG, "all") in [(line["method"], line["config"], line["caller"]) for line in lines]


@pytest.fixture(scope="module")
def triton():
    if not (TRITON / "bin/python").exists():
        pytest.skip(f"no tritonclient in {TRITON}: scripts/test makes it, as scripts/triton-requirements.txt says")
    return TRITON


def test_tritonclient_works_unchanged(server, triton):
    clips = np.stack([chirp(1.0), chirp(1.0, low=500)])
    own = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=[pcm(clip) for clip in clips]))
    script = CALLERS / "triton_caller.py"
    np_in = clips.astype("<f4").tobytes()
    done = subprocess.run([triton / "bin/python", script, server.address, CONFIG, str(len(clips))], input=np_in,
                          capture_output=True, timeout=120 * hearwire_server.PATIENCE)
    assert done.returncode == 0, done.stderr.decode()
    expected = np.stack([array(clip.embeddings) for clip in own.clips]).tobytes()
    assert done.stdout == 2 * expected  # infer, async_infer
    assert f"<{TAGS}>" in done.stderr.decode()


def test_the_restated_protocol_is_the_protocol(triton):
    """Each field has the number and type that tritonclient's own description has."""
    ours = describe(inference_pb.DESCRIPTOR)
    script = CALLERS / "triton_fields.py"
    done = subprocess.run([triton / "bin/python", script], capture_output=True, text=True, timeout=60)
    theirs = json.loads(done.stdout)
    assert ours and all(theirs.get(name) == value for name, value in ours.items()), {
        name: (value, theirs.get(name)) for name, value in ours.items() if theirs.get(name) != value
    }


def test_perf_analyzer_works_unchanged(server, triton, tmp_path):
    data = tmp_path / "wave.json"
    data.write_text(json.dumps({"data": [{"WAVE": {"content": WAVE.tolist(), "shape": [len(WAVE)]}}]}))
    command = [triton / "bin/perf_analyzer", "-m", SCENE, "-u", server.address, "-i", "grpc", "--input-data", data,
               "-b", "2", "--concurrency-range", "2", "--request-count", "50"]
    libraries = [*triton.glob("lib/python*/site-packages/nvidia/cuda_runtime/lib"), triton / "lib"]
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120 * hearwire_server.PATIENCE)
    if "error while loading shared libraries" in done.stderr:
        pytest.skip(f"{done.stderr.strip()} (apt install libb64-0d)")
    assert done.returncode == 0, done.stdout + done.stderr
    # Its own count, and the server's as it reads them from ModelStatistics. Either may miss calls at the edges.
    counts = dict(re.findall(r"(Request|Inference) count: (\d+)\n", done.stdout))
    assert int(counts["Request"]) >= 40 and int(counts["Inference"]) >= 80, done.stdout
