"""Whatever a caller sends, it hears what is wrong and where, and the server answers the next good request."""

import io
import struct
import sys
import wave

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from hearwire_server import PATIENCE, REPOSITORY, Server, array, chirp, pb, pb_grpc, pcm

sys.path.append(str(REPOSITORY / "tests/bench"))
import flac  # noqa: E402

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def wav(samples=None, rate=32000, channels=1) -> bytes:
    samples = (chirp(0.5) * 32767).astype("<i2") if samples is None else samples
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def with_data_size(size: int, riff_size: int | None = None) -> bytes:
    """A WAV of half a second whose header claims another length."""
    good = bytearray(wav())
    struct.pack_into("<I", good, 40, size)
    struct.pack_into("<I", good, 4, (size + 36) & 0xFFFFFFFF if riff_size is None else riff_size)
    return bytes(good)


def details_of(error: grpc.RpcError):
    """The google.rpc details of a failure, by type name."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            found = {}
            for packed in status_pb2.Status.FromString(value).details:
                for kind in (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
                    if packed.Is(kind.DESCRIPTOR):
                        found[kind.__name__] = kind.FromString(packed.value)
            return found
    return {}


def scene(server, *clips, config=""):
    return server.stub.GetSceneEmbeddings(
        pb.GetSceneEmbeddingsRequest(config=config, clips=clips), timeout=60 * PATIENCE
    )


def stamps(server, *clips):
    return server.stub.GetTimestampEmbeddings(
        pb.GetTimestampEmbeddingsRequest(clips=clips), timeout=60 * PATIENCE
    )


def refused(call, code, *words):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    assert error.code() == code, f"{error.code()}: {error.details()}"
    for word in words:
        assert word in error.details(), error.details()
    return error


@pytest.fixture(autouse=True)
def answers_the_next_good_request(server):
    yield
    assert server.process.poll() is None
    assert array(scene(server, pcm(chirp(0.5))).embeddings).shape == (1, 184)


def pcm_with(**fields):
    good = dict(encoding=pb.Pcm.ENCODING_FLOAT32, sample_rate_hertz=32000, channel_count=1, samples=chirp(0.5).tobytes())
    return pb.Audio(pcm=pb.Pcm(**{**good, **fields}))


BAD_CLIPS = {
    "no source": (pb.Audio(), "clips[1]", ["pcm", "encoded"]),
    "empty pcm": (pcm_with(samples=b""), "clips[1].pcm.samples", []),
    "empty file": (pb.Audio(encoded=b""), "clips[1].encoded", []),
    "rate missing": (pcm_with(sample_rate_hertz=0), "clips[1].pcm.sample_rate_hertz", ["1000", "384000"]),
    "rate too low": (pcm_with(sample_rate_hertz=999), "clips[1].pcm.sample_rate_hertz", ["999", "1000", "384000"]),
    "rate too high": (pcm_with(sample_rate_hertz=384001), "clips[1].pcm.sample_rate_hertz", ["384001"]),
    "channels": (pcm_with(channel_count=33), "clips[1].pcm.channel_count", ["33", "32"]),
    "encoding missing": (pcm_with(encoding=0), "clips[1].pcm.encoding", ["LINEAR16", "FLOAT32"]),
    "encoding unknown": (pcm_with(encoding=9), "clips[1].pcm.encoding", ["9"]),
    "torn sample": (pcm_with(samples=b"\0" * 64002), "clips[1].pcm.samples", ["64002", "4"]),
    "torn frame": (pcm_with(samples=b"\0" * 64004, channel_count=2), "clips[1].pcm.samples", ["64004", "8"]),
    "NaN": (pcm(np.array([0.0] * 20000 + [np.nan] + [0.0] * 9)), "clips[1].pcm.samples", ["20000"]),
    "infinity": (pcm(np.array([0.0] * 7 + [-np.inf] + [0.0] * 9999)), "clips[1].pcm.samples", ["7"]),
    "too short": (pcm(chirp(0.5)[:513]), "clips[1].pcm.samples", ["513", "514"]),
    "overflow": (pcm(chirp(0.5) * 1e25), "clips[1].pcm.samples", ["overflows", "5e+24"]),
    "not audio": (pb.Audio(encoded=b"this is no audio file, whatever its name says" * 50), "clips[1].encoded", ["WAV", "FLAC", "Ogg", "MP3"]),
    "truncated wav": (pb.Audio(encoded=wav()[:10000]), "clips[1].encoded", ["0.5"]),
    "4 GiB wav": (pb.Audio(encoded=with_data_size(0xFFFFFF00)), "clips[1].encoded", ["0.5"]),
    "header without data": (pb.Audio(encoded=wav()[:44]), "clips[1].encoded", []),
    "header of zero channels": (pb.Audio(encoded=wav()[:22] + b"\0\0" + wav()[24:]), "clips[1].encoded", []),
}


@pytest.mark.parametrize("name", BAD_CLIPS)
def test_a_bad_clip_is_named_and_refused(server, name):
    clip, field, words = BAD_CLIPS[name]
    error = refused(lambda: scene(server, pcm(chirp(0.5)), clip), INVALID, *words)
    violations = details_of(error)["BadRequest"].field_violations
    assert violations[0].field == field, violations
    assert field.split(".")[0] in error.details()


def test_a_clip_too_short_for_timestamps_hears_the_least(server):
    refused(lambda: stamps(server, pcm(chirp(0.5)[:2560])), INVALID, "2560", "2561")
    assert stamps(server, pcm(chirp(0.5)[:2561])).clips[0].embeddings.rows >= 1


def test_the_shortest_scene_and_silence_are_legal(server):
    assert np.isfinite(array(scene(server, pcm(chirp(0.5)[:514])).embeddings)).all()
    assert np.isfinite(array(scene(server, pcm(np.zeros(32000))).embeddings)).all()


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_of_unknown_length_is_read_to_its_end(server, size):
    stream = with_data_size(size, riff_size=size)
    np.testing.assert_array_equal(
        array(scene(server, pb.Audio(encoded=stream)).embeddings),
        array(scene(server, pb.Audio(encoded=wav())).embeddings),
    )


def test_every_linear16_clip_equals_its_float32_twin(server):
    samples = (chirp(0.5) * 32767).astype("<i2")
    twin = pcm(samples.astype(np.float32) / 32768)
    linear = pb.Audio(pcm=pb.Pcm(encoding=pb.Pcm.ENCODING_LINEAR16, sample_rate_hertz=32000, samples=samples.tobytes()))
    np.testing.assert_array_equal(
        array(scene(server, linear).embeddings), array(scene(server, twin).embeddings)
    )


def test_zero_clips(server):
    error = refused(lambda: scene(server), INVALID, "clip")
    assert details_of(error)["BadRequest"].field_violations[0].field == "clips"


def test_too_many_clips(server):
    error = refused(lambda: scene(server, *[pcm(np.zeros(600))] * 257), INVALID, "257", "256")
    assert details_of(error)["BadRequest"].field_violations[0].field == "clips"


def test_unknown_config_suggests_a_near_one(server):
    refused(
        lambda: scene(server, pcm(chirp(0.5)), config="mn10_all_b_melavgs"),
        grpc.StatusCode.NOT_FOUND, "mn10_all_b_melavgs", "mn10_all_b_mel_avgs",
    )


def test_a_known_config_that_is_not_loaded_says_how_to_get_it(server):
    refused(
        lambda: scene(server, pcm(chirp(0.5)), config="mn10_all_b_mel_avgs"),
        grpc.StatusCode.FAILED_PRECONDITION, "mn10_as_mAP_471.pt", "hearwire checkpoints fetch mn10_as",
    )


def test_unknown_network_for_tags(server):
    refused(
        lambda: server.stub.GetTags(pb.GetTagsRequest(network="mn99_as", clips=[pcm(chirp(0.5))]), timeout=60),
        grpc.StatusCode.NOT_FOUND, "mn99_as",
    )


def test_unknown_element_type(server):
    refused(
        lambda: server.stub.GetSceneEmbeddings(
            pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(0.5))], element_type=7), timeout=60
        ),
        INVALID, "element_type",
    )


def test_bytes_that_are_no_message(server):
    garbage = server.channel.unary_unary("/hearwire.v1.EmbeddingService/GetSceneEmbeddings")
    cut = pb.GetSceneEmbeddingsRequest(clips=[pcm(np.zeros(1 << 20))]).SerializeToString()[:-1]
    for data in (b"\xff" * 1000, b"\x0a\x01\xff", cut):
        refused(lambda: garbage(data, timeout=60), INVALID, "", "no message hearwire.v1.GetSceneEmbeddingsRequest")
    assert "libprotobuf" not in server.log()


def test_a_message_over_the_limit():
    with Server("--max-message-bytes=100000") as small:
        error = refused(lambda: scene(small, pcm(np.zeros(100000))), EXHAUSTED)
        assert "100000" in error.details()
        assert scene(small, pcm(chirp(0.5))).embeddings.rows == 1


def test_a_reply_over_the_limit_says_its_size():
    with Server("--max-reply-bytes=100000") as small:
        error = refused(lambda: stamps(small, pcm(np.zeros(32000 * 10))), EXHAUSTED, "100000")
        assert details_of(error)["ErrorInfo"].reason == "REPLY_TOO_LARGE"
        assert stamps(small, pcm(chirp(0.5))).clips[0].embeddings.rows == 11


def test_a_call_with_more_frames_than_may_wait_is_taken():
    with Server("--max-queued-frames=1600") as small:
        assert stamps(small, pcm(np.zeros(32000 * 60))).clips[0].embeddings.rows == 1201


def test_a_clip_over_the_decoded_limit():
    with Server("--max-decoded-seconds=2") as small:
        error = refused(lambda: scene(small, pcm(np.zeros(32000 * 3))), EXHAUSTED, "2")
        assert details_of(error)["ErrorInfo"].reason == "AUDIO_TOO_LONG"
        refused(lambda: scene(small, pb.Audio(encoded=wav(np.zeros(32000 * 3, "<i2")))), EXHAUSTED, "2")
        assert scene(small, pcm(chirp(1.0))).embeddings.rows == 1


def test_overload_is_refused_at_once_with_a_retry_hint_and_nothing_is_lost():
    with Server("--max-queued-frames=8000", "--workers=1") as small:
        request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(np.zeros(32000 * 20))])
        calls = [small.stub.GetTimestampEmbeddings.future(request, timeout=120 * PATIENCE) for _ in range(40)]
        answered, rejected = 0, 0
        for call in calls:
            error = call.exception()
            if error is None:
                assert call.result().clips[0].embeddings.rows == 401
                answered += 1
                continue
            assert error.code() == EXHAUSTED, error
            found = details_of(error)
            assert found["ErrorInfo"].reason in ("QUEUE_FULL", "TOO_MANY_CALLS")
            assert found["RetryInfo"].retry_delay.ToTimedelta().total_seconds() > 0
            assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
            rejected += 1
        assert answered > 0 and rejected > 0 and answered + rejected == 40
        assert small.metric("hearwire_rejected_total") >= rejected
        assert small.metric("hearwire_pending_frames") == 0


def test_a_deadline_that_no_server_could_keep_is_refused_at_once(tmp_path):
    hour = flac.write(tmp_path / "hour.flac", [np.zeros(3_600_000, np.int16)], 1000)
    request = pb.GetSceneEmbeddingsRequest(clips=[pb.Audio(encoded=hour)] * 100)
    with Server("--workers=1") as small:
        # What it has measured lately is what it believes.
        scene(small, pcm(chirp(10.0)))
        with pytest.raises(grpc.RpcError) as caught:
            small.stub.GetSceneEmbeddings(request, timeout=3 * PATIENCE)
        error = caught.value
        assert error.code() == EXHAUSTED, error
        info = details_of(error)["ErrorInfo"]
        assert info.reason == "DEADLINE_TOO_SHORT"
        assert int(info.metadata["needed_ms"]) > 3000 * PATIENCE
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
        assert "on an idle server" in error.details()


def test_a_deadline_that_passed_is_not_computed():
    with Server("--workers=1", "--max-queue-time=1h") as busy:
        request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(np.zeros(32000 * 60))])
        long_calls = [busy.stub.GetTimestampEmbeddings.future(request, timeout=120 * PATIENCE) for _ in range(4)]
        with pytest.raises(grpc.RpcError) as error:
            busy.stub.GetTimestampEmbeddings(request, timeout=0.05)
        # A server that knows how long it would take refuses at once.
        assert error.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        cancelled = busy.stub.GetTimestampEmbeddings.future(request, timeout=120)
        cancelled.cancel()
        for call in long_calls:
            assert call.result().clips[0].embeddings.rows == 1201


def test_a_caller_that_leaves_in_the_middle_harms_nobody(server):
    channel = grpc.insecure_channel(server.address)
    stub = pb_grpc.EmbeddingServiceStub(channel)
    future = stub.GetTimestampEmbeddings.future(
        pb.GetTimestampEmbeddingsRequest(clips=[pcm(np.zeros(32000 * 20))]), timeout=60
    )
    channel.close()
    assert future.exception() is not None or future.cancelled()
