"""Both clients against a real server: the numbers of the embedded network's golden cases, and what the replies hold."""

import inspect
import pickle
import subprocess
import sys
import threading
import wave

import grpc
import numpy as np
import pytest
from conftest import PATIENCE, REPOSITORY

import hearwire
from hearwire._own_server import OwnServer

GOLDEN = REPOSITORY / "tests/golden/hearwire_mn01"
CONFIG = "hearwire_mn01_all_b_mel_avgs"


def chirp(seconds: float, rate: int = 32000) -> np.ndarray:
    """A logarithmic sweep from 80 Hz to 12 kHz: the sound of the golden cases chirp_1s and chirp_11s."""
    t = np.arange(int(seconds * rate)) / rate
    k = np.log(12000 / 80)
    return (0.5 * np.sin(2 * np.pi * 80 * seconds / k * (np.exp(t / seconds * k) - 1))).astype(np.float32)


def golden(name: str) -> np.ndarray:
    return np.load(GOLDEN / f"{name}.npy")


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


@pytest.fixture
def either(kind, own_server):
    with kind(own_server.address, deadline=30 * PATIENCE) as client:
        yield client


def test_scenes_are_the_golden_ones(either):
    reply = either.get_scene_embeddings([chirp(1.0), chirp(11.0)], CONFIG, sample_rate=32000)
    assert reply.embeddings.dtype == np.float32
    assert_close(reply.embeddings, np.stack([golden("chirp_1s.scene"), golden("chirp_11s.scene")]))
    assert reply.space.config == CONFIG
    assert (reply.space.precision, len(reply.space.weights_sha256)) == ("float32", 64)
    assert 0 < reply.timings.total < 60 * PATIENCE and reply.timings.inference > 0
    assert reply.request_id


def test_timestamps_are_the_golden_ones(either):
    reply = either.get_timestamp_embeddings([chirp(1.0), chirp(0.5)], sample_rate=32000)
    assert_close(reply.clips[0].embeddings, golden("chirp_1s.ts"))
    np.testing.assert_allclose(reply.clips[0].timestamps_ms, golden("chirp_1s.t"), atol=1e-6)
    assert reply.clips[1].embeddings.shape == (11, 184)
    assert reply.request_id


def test_tags_are_the_golden_ones(either):
    reply = either.get_tags([chirp(1.0)], "hearwire_mn01", top_k=0, sample_rate=32000)
    expected = 1 / (1 + np.exp(-golden("chirp_1s.logits").astype(np.float64)))
    assert [tag.index for tag in reply.clips[0]] == list(np.argsort(-expected, kind="stable"))
    np.testing.assert_allclose([tag.probability for tag in reply.clips[0]], np.sort(expected)[::-1], atol=1e-5)
    best = either.get_tags([chirp(1.0)], top_k=3, sample_rate=32000).clips[0]
    assert best == reply.clips[0][:3]


def test_float16_is_the_rounded_float32(either):
    full = either.get_scene_embeddings([chirp(1.0)], sample_rate=32000).embeddings
    half = either.get_scene_embeddings([chirp(1.0)], sample_rate=32000, dtype=np.float16).embeddings
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, full.astype(np.float16))
    with pytest.raises(ValueError, match="float16"):
        either.get_scene_embeddings([chirp(1.0)], sample_rate=32000, dtype=np.float64)


def test_embeddings_may_be_written_to(either):
    reply = either.get_scene_embeddings([chirp(1.0)], sample_rate=32000)
    reply.embeddings[0, 0] = 1.0


def test_a_file_gives_what_its_samples_give(either, tmp_path):
    samples = (chirp(1.0) * 32767).astype(np.int16)
    with wave.open(str(tmp_path / "chirp.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(32000)
        file.writeframes(samples.tobytes())
    path = tmp_path / "chirp.wav"
    stereo = hearwire.Audio.from_samples(np.stack([samples, samples], axis=1), 32000)
    rows = either.get_scene_embeddings([path, path.read_bytes(), samples, stereo], sample_rate=32000).embeddings
    for row in rows[1:]:
        np.testing.assert_allclose(row, rows[0], atol=1e-5)


def test_a_bad_clip_is_named(either):
    with pytest.raises(hearwire.HearwireError) as caught:
        either.get_scene_embeddings([chirp(1.0), chirp(0.001)], sample_rate=32000)
    error = caught.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "INVALID_AUDIO"
    assert [violation.field for violation in error.field_violations] == ["clips[1].pcm.samples"]
    assert "514" in error.message
    assert error.request_id


def test_an_unknown_config_and_an_absent_network_have_their_codes(either):
    with pytest.raises(hearwire.HearwireError, match="mn10_all_b_mel_avgs") as caught:
        either.get_scene_embeddings([chirp(1.0)], "mn10_all_b_mel_avg", sample_rate=32000)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_CONFIG")
    with pytest.raises(hearwire.HearwireError, match="fetch mn10_as") as caught:
        either.get_scene_embeddings([chirp(1.0)], "mn10_all_b_mel_avgs", sample_rate=32000)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NETWORK_NOT_LOADED")


def test_configs_are_listed(either):
    everything = either.list_configs()
    (loaded,) = either.list_configs(loaded_only=True)
    assert loaded in everything and len(everything) > 70
    assert (loaded.name, loaded.is_default, loaded.sample_rate, loaded.scene_embedding_size) == (
        CONFIG,
        True,
        32000,
        184,
    )
    assert loaded.space.weights_sha256
    assert all(config.space is None for config in everything if not config.loaded)


def test_health_is_the_servers_own_word(either):
    assert either.check_health() is hearwire.ServingStatus.SERVING
    assert either.check_health("hearwire.v1.EmbeddingService") is hearwire.ServingStatus.SERVING
    with pytest.raises(hearwire.HearwireError) as caught:
        either.check_health("no.such.Service")
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_a_server_reloads_for_its_own_user(kind, tmp_path):
    server = OwnServer([f"--model-repository={tmp_path}", f"--unix-socket={tmp_path}/socket"])
    try:
        with kind(f"unix:{tmp_path}/socket", deadline=30 * PATIENCE) as client:
            none = hearwire.NameChanges([], [], [])
            assert client.reload() == hearwire.ReloadChanges(none, none, False, False)
            (tmp_path / "mn10_as.pt").write_bytes(b"no checkpoint")
            with pytest.raises(hearwire.HearwireError, match="mn10_as.pt") as caught:
                client.reload()
            assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "RELOAD_REFUSED")
    finally:
        server.stop()
    with kind("127.0.0.1:8001,127.0.0.1:8002") as client, pytest.raises(ValueError, match="a reload is one server's"):
        client.reload()


def test_nobody_reloads_a_server_over_the_network(either):
    with pytest.raises(hearwire.HearwireError, match="--unix-socket") as caught:
        either.reload()
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


def test_many_clips_get_what_each_gets_alone(client):
    clips = [chirp(seconds) for seconds in (0.2, 1.0, 3.0, 0.5, 0.1, 2.0)] * 4
    together = [r.clips[0].embeddings for r in client.map_timestamp_embeddings(clips, sample_rate=32000)]
    for clip, found in zip(clips[:6], together):
        alone = client.get_timestamp_embeddings([clip], sample_rate=32000).clips[0].embeddings
        np.testing.assert_allclose(found, alone, atol=1e-5)
    tags = [reply.clips[0][0].name for reply in client.map_tags(clips[:6], top_k=1, sample_rate=32000)]
    assert tags == [client.get_tags([clip], top_k=1, sample_rate=32000).clips[0][0].name for clip in clips[:6]]


def test_threads_may_share_a_client(client):
    found = {}

    def embed(seconds):
        found[seconds] = client.get_scene_embeddings([chirp(seconds)], sample_rate=32000).embeddings[0]

    threads = [threading.Thread(target=embed, args=(seconds,)) for seconds in (0.2, 0.4, 0.6, 0.8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seconds, embedding in found.items():
        alone = client.get_scene_embeddings([chirp(seconds)], sample_rate=32000).embeddings[0]
        np.testing.assert_allclose(embedding, alone, atol=1e-5)
    assert len(found) == 4


def test_the_server_comes_from_the_environment(monkeypatch, own_server):
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    with hearwire.Client() as client:
        assert client.check_health() is hearwire.ServingStatus.SERVING
    monkeypatch.delenv("HEARWIRE_SERVER")
    assert hearwire.Client().server == "127.0.0.1:8001"


def test_five_tags_unless_more_are_asked_for(either):
    assert [len(either.get_tags([chirp(1.0)], sample_rate=32000, **how).clips[0]) for how in ({}, {"top_k": 7})] == [5, 7]


def test_its_text_names_the_server():
    assert repr(hearwire.Client("a:8001")) == "hearwire.Client('a:8001')"
    assert repr(hearwire.AsyncClient("https://a:8001")) == "hearwire.AsyncClient('https://a:8001')"


def test_a_pickled_client_connects_anew(own_server):
    with hearwire.Client(own_server.address, deadline=17.0, metadata={"x-team": "a"}, max_attempts=2) as client:
        pickled = pickle.dumps(client)
    with pickle.loads(pickled) as again:
        assert again.check_health() is hearwire.ServingStatus.SERVING
        assert (again.server, again._deadline, again._arguments) == (client.server, 17.0, client._arguments)
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).check_health())"
    ended = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, timeout=60)
    assert ended.stdout == b"ServingStatus.SERVING\n", ended.stderr
    assert isinstance(pickle.loads(pickle.dumps(hearwire.AsyncClient("a:8001"))), hearwire.AsyncClient)
    with pytest.raises(TypeError, match="gRPC's own credentials"):
        pickle.dumps(hearwire.Client("a:8001", credentials=grpc.ssl_channel_credentials()))


def test_every_call_may_bring_its_metadata(either):
    named = {"x-request-id": "mine-17"}
    sound = {"clips": [chirp(1.0)], "sample_rate": 32000}
    for method in ("get_scene_embeddings", "get_timestamp_embeddings", "get_tags"):
        assert getattr(either, method)(**sound, metadata=named).request_id == "mine-17"
        assert getattr(either, method)(**sound).request_id not in ("", "mine-17")
    assert either.list_configs(metadata=named) and either.get_limits(metadata=named)
    assert either.list_heads(metadata=named) == []
    assert either.check_health(metadata=named) is hearwire.ServingStatus.SERVING
    with pytest.raises(ValueError, match='metadata "X-Team"'):
        either.get_tags(**sound, metadata={"X-Team": "a"})


def test_maps_and_streams_may_bring_their_metadata(client):
    named = {"x-request-id": "mine-17"}
    for method in (client.map_scene_embeddings, client.map_timestamp_embeddings, client.map_tags):
        assert [reply.request_id for reply in method([chirp(1.0)], sample_rate=32000, metadata=named)] == ["mine-17"]
    with pytest.raises(hearwire.HearwireError) as caught:
        list(client.stream([chirp(1.0)], 32000, "no such", metadata=named))
    assert caught.value.request_id == "mine-17"


def test_a_calls_metadata_goes_before_the_clients(own_server):
    with hearwire.Client(own_server.address, metadata={"x-request-id": "all"}) as client:
        sound = {"clips": [chirp(1.0)], "sample_rate": 32000}
        assert client.get_tags(**sound).request_id == "all"
        assert client.get_tags(**sound, metadata={"x-request-id": "mine"}).request_id == "mine"


def test_every_reply_says_what_it_is():
    for name in hearwire.__all__:
        kind = getattr(hearwire, name)
        if inspect.isclass(kind) and kind.__module__ == "hearwire.replies":
            text = inspect.getdoc(kind)
            assert text and not text.startswith(name + "("), f"{name} has no docstring of its own"


def test_the_twins_take_the_same():
    def methods(kind):
        return {name: member for name, member in vars(kind).items() if not name.startswith("_")}

    def parameters(method):
        found = inspect.signature(method).parameters.values()
        return [(p.name, p.kind, p.default) for p in found]

    blocking, on_a_loop = methods(hearwire.Client), methods(hearwire.AsyncClient)
    assert blocking.keys() == on_a_loop.keys()
    for name in blocking:
        assert parameters(blocking[name]) == parameters(on_a_loop[name]), name
    assert parameters(hearwire.Client.__init__) == parameters(hearwire.AsyncClient.__init__)
