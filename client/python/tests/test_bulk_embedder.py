"""hearwire.bulk: a table of sounds in, the same with embeddings out, whatever the sounds and the servers do."""

import pickle
import time

import grpc
import numpy as np
import pyarrow as pa
import pytest
from bulk_sounds import chirps, write_wav
from scripted_server import bad_request, error_info, fail, retry_info, scene_reply

import hearwire
import hearwire._persistent
from hearwire.bulk import Embedder


@pytest.fixture
def quick(monkeypatch):
    """Pauses of a test's length."""
    monkeypatch.setattr(hearwire._persistent, "_PAUSE_SECONDS", (0.01, 0.05))


@pytest.fixture
def embedder(scripted):
    return Embedder(hearwire.Client(scripted.address, max_attempts=1, deadline=60), audio="audio", patience=60)


def table_of(count):
    return pa.table({"id": list(range(count)), "audio": pa.array([b"x" * (10 + i) for i in range(count)])})


@pytest.mark.parametrize("kind", ["scene", "timestamps"])
def test_rows_are_what_direct_calls_answer(client, tmp_path, kind):
    paths = chirps(tmp_path, 5)
    (tmp_path / "broken.wav").write_bytes(b"RIFF of nothing")
    (tmp_path / "empty.wav").touch()
    bad = [str(tmp_path / name) for name in ("broken.wav", "empty.wav", "missing.wav")]
    names = [bad[0], *paths[:3], bad[1], *paths[3:], bad[2], None]
    found = Embedder(client, kind=kind)(pa.table({"path": names, "more": range(9)}))

    extra = [] if kind == "scene" else ["timestamps_ms"]
    assert found.column_names == ["path", "more", "embedding", *extra, "config", "space", "error"]
    rows = {row["path"]: row for row in found.to_pylist()}
    assert [row["more"] for row in found.to_pylist()] == list(range(9))
    for name in [*bad, None]:
        assert rows[name]["embedding"] is None and rows[name]["space"] is None
    assert "cannot be decoded" in rows[bad[0]]["error"] or "WAV" in rows[bad[0]]["error"], rows[bad[0]]["error"]
    assert rows[bad[1]]["error"]
    assert rows[bad[2]]["error"] == "No such file or directory"
    assert "NoneType" in rows[None]["error"]
    for path in paths:
        row = rows[path]
        if kind == "scene":
            expected = client.get_scene_embeddings([path])
            np.testing.assert_array_equal(np.float32(row["embedding"]), expected.embeddings[0])
        else:
            expected = client.get_timestamp_embeddings([path])
            np.testing.assert_array_equal(np.float32(row["embedding"]), expected.clips[0].embeddings)
            assert row["timestamps_ms"] == list(expected.clips[0].timestamps_ms)
        assert hearwire.EmbeddingSpace(**row["space"]) == expected.space
        assert (row["config"], row["error"]) == (expected.space.config, None)


def test_the_schema_is_the_same_whatever_fails(client, tmp_path):
    path = chirps(tmp_path, 1)[0]
    for kind in ("scene", "timestamps"):
        embedder = Embedder(client, kind=kind)
        schema = embedder.schema(pa.schema({"path": pa.string()}))
        for names in ([], [path], ["missing"], [path, "missing"]):
            assert embedder(pa.table({"path": pa.array(names, pa.string())})).schema == schema


def test_bytes_do_not_come_out_again(client, tmp_path):
    with open(chirps(tmp_path, 1)[0], "rb") as file:
        table = pa.table({"id": ["a"], "audio": [file.read()]})
    found = Embedder(client, audio="audio")(table)
    assert found.column_names == ["id", "embedding", "config", "space", "error"]
    assert found["error"].to_pylist() == [None]


def test_a_uri_is_read_by_arrow(client, tmp_path):
    path = chirps(tmp_path, 1)[0]
    found = Embedder(client)(pa.table({"path": [f"file://{path}", f"file://{path}x", "nosuch://x"]}))
    assert [bool(error) for error in found["error"].to_pylist()] == [False, True, True]


def test_it_can_be_pickled(client, tmp_path):
    table = pa.table({"path": chirps(tmp_path, 1)})
    embedder = Embedder(client)
    assert pickle.loads(pickle.dumps(embedder))(table).equals(embedder(table))


@pytest.mark.parametrize(
    ("table", "arguments", "error"),
    [
        (pa.table({"name": ["x"]}), {}, r'no column "path"; it has name'),
        (pa.table({"path": ["x"]}), {"config": "mn10_all_b_mel_avg"}, "mn10_all_b_mel_avgs"),
    ],
)
def test_what_fails_every_row_is_raised(client, tmp_path, table, arguments, error):
    write_wav(tmp_path / "a.wav")
    if "path" in table.column_names:
        table = pa.table({"path": [str(tmp_path / "a.wav")]})
    with pytest.raises((KeyError, hearwire.HearwireError), match=error):
        Embedder(client, **arguments)(table)


@pytest.mark.parametrize("arguments", [{"kind": "tags"}, {"in_flight": 0}, {"patience": -1.0}])
def test_wrong_arguments_are_refused(client, arguments):
    with pytest.raises(ValueError, match="would be right"):
        Embedder(client, **arguments)


def test_no_server_is_waited_for_and_then_raised(quick):
    embedder = Embedder(hearwire.Client("127.0.0.1:1"), audio="audio", patience=0.3)
    begun = time.monotonic()
    with pytest.raises(hearwire.HearwireError) as raised:
        embedder(table_of(3))
    assert raised.value.unreachable
    assert time.monotonic() - begun > 0.3


def test_a_server_that_asks_for_time_gets_it_and_fewer_calls_at_once(scripted, embedder, quick):
    """Each call is refused twice; then as many are in flight as half of half."""
    seen: dict[int, int] = {}
    times = []

    def answer(request, context):
        size = len(request.clips[0].encoded)
        seen[size] = seen.get(size, 0) + 1
        if seen[size] < 3:
            times.append(time.monotonic())
            fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "later", [error_info("QUEUE_FULL"), retry_info(0.2)])
        return scene_reply(request)

    scripted.answer = answer
    found = embedder(table_of(16))
    assert found["error"].null_count == 16
    assert [row[1] for row in found["embedding"].to_pylist()] == [10 + i for i in range(16)]
    assert times[16] - times[15] >= 0.2
    scripted.most_at_once = 0
    scripted.answer = lambda request, context: time.sleep(0.02) or scene_reply(request)
    embedder(table_of(16))
    assert scripted.most_at_once <= 5  # 16, 8, 4, and one more for what went well.


def test_a_sound_that_fails_at_a_server_that_serves_is_given_up(scripted, embedder, quick):
    def answer(request, context):
        if len(request.clips[0].encoded) == 12:
            fail(context, grpc.StatusCode.INTERNAL, "it broke", [error_info("INTERNAL")])
        return scene_reply(request)

    scripted.answer = answer
    errors = embedder(table_of(5))["error"].to_pylist()
    assert errors == [None, None, "INTERNAL: it broke", None, None]
    assert scripted.requests == 4 + 5


def test_a_sounds_own_fault_is_not_tried_again(scripted, embedder):
    def answer(request, context):
        fail(context, grpc.StatusCode.INVALID_ARGUMENT, "no", [bad_request("clips[0].encoded", "it is no sound")])

    scripted.answer = answer
    assert embedder(table_of(2))["error"].to_pylist() == ["it is no sound"] * 2
    assert scripted.requests == 2


def test_spaces_are_never_mixed(scripted, embedder):
    def answer(request, context):
        reply = scene_reply(request)
        reply.space.weights_sha256 = "a" if len(request.clips[0].encoded) < 12 else "b"
        return reply

    scripted.answer = answer
    with pytest.raises(RuntimeError, match="must not be mixed"):
        embedder(table_of(3))
