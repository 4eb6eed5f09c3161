"""Heads in streams: the same answers as Classify gives for the whole clip."""

import json

import numpy as np
import pytest

from head_files import Head
from hearwire_server import PATIENCE, Server, array, chirp, pb, pcm
from stream_calls import field_of, pieces, start, stream

TIMEOUT = 60 * PATIENCE


@pytest.fixture(scope="module")
def folders(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream-heads")
    (folder / "models").mkdir()
    (folder / "models/mn10_as.pt").symlink_to(shared / "golden/checkpoints/mn10_as_seeded.pt")
    (folder / "heads").mkdir()
    return folder


@pytest.fixture(scope="module")
def configs(folders):
    with Server(f"--model-repository={folders}/models") as server:
        listed = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=TIMEOUT).configs
    return {config.name: config for config in listed}


@pytest.fixture(scope="module")
def long_config(configs):
    """Of mn10_as, with longer timestamp windows than the others."""
    usual = configs["mn10_logits"].timestamp_window_ms
    return next(c for c in configs.values() if c.network == "mn10_as" and c.timestamp_window_ms > usual)


@pytest.fixture(scope="module")
def heads(configs, long_config):
    all_b, logits, own = (configs[n] for n in ("mn10_all_b_mel_avgs", "mn10_logits", "hearwire_mn01_all_b_mel_avgs"))
    return {
        "scene": Head(all_b, [5], 1),
        "scene-logits": Head(logits, [12, 4], 2, output="sigmoid"),
        "rows": Head(all_b, [6], 3, kind="timestamps"),
        "rows-logits": Head(logits, [1], 4, kind="timestamps", output="sigmoid", labels=json.dumps(["no", "yes"])),
        "rows-long": Head(long_config, [3], 5, kind="timestamps"),
        "own": Head(own, [3], 6),
    }


@pytest.fixture(scope="module")
def served(folders, heads):
    for name, head in heads.items():
        head.write(folders / f"heads/{name}.safetensors")
    with Server(f"--model-repository={folders}/models", f"--heads={folders}/heads") as server:
        yield server


SOUND = np.concatenate([chirp(9), chirp(8, 12000, 80)])  # Of several scene windows.
SHORT = chirp(1.3)
MN10_HEADS = ["scene", "rows-logits", "scene-logits", "rows"]


def classify(server, names, samples, **fields):
    request = pb.ClassifyRequest(heads=names, clips=[pcm(samples)], **fields)
    return {answer.head: answer for answer in server.stub.Classify(request, timeout=TIMEOUT).clips[0].heads}


def run(server, samples, size=10_000, **what):
    answer = stream(server, [start(**what), *pieces(samples.astype("<f4").tobytes(), size)])
    assert answer.code == "OK", answer.error
    return answer


def without_names(answer):
    for label in answer.labels:
        label.name = ""
    return answer


def head_rows(answer):
    rows = {}
    for message in answer.of("head_rows"):
        for head in message.heads:
            assert head.rows and not head.labels
            rows.setdefault(head.head, []).extend(head.rows)
    return rows


@pytest.mark.parametrize("samples", [SOUND, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("top_k", [0, 2])
def test_answers_equal_classify(served, samples, top_k):
    answer = run(served, samples, heads=MN10_HEADS, heads_top_k=top_k, config="mn10_all_b_mel_avgs")
    expected = classify(served, MN10_HEADS, samples, top_k=top_k)
    rows = head_rows(answer)
    assert list(rows) == ["rows-logits", "rows"]
    for name, found in rows.items():
        assert found == list(expected[name].rows)
    assert [a.head for a in answer.summary.heads] == ["scene", "scene-logits"]
    for found in answer.summary.heads:
        assert found == without_names(expected[found.head])
    assert answer.summary.timestamp_rows == len(expected["rows"].rows)
    assert not answer.of("timestamps") and not answer.summary.HasField("scene")


def test_scene_windows_carry_what_heads_make_of_them(served, heads):
    answer = run(served, SOUND, heads=["scene", "scene-logits"], scenes=True, tags_top_k=527, config="mn10_all_b_mel_avgs")
    windows = answer.of("scene")
    assert len(windows) == answer.summary.scene_windows > 4
    for window in windows:
        found = {head.head: head for head in window.heads}
        assert list(found) == ["scene", "scene-logits"]
        expected = heads["scene"].scores(array(window.embedding))[0]
        scores = {label.index: label.score for label in found["scene"].labels}
        np.testing.assert_allclose([scores[i] for i in range(len(expected))], expected, atol=1e-6)
        assert all(label.name == "" for head in window.heads for label in head.labels)


def test_embeddings_are_the_same_with_heads_and_without(served):
    what = {"timestamps": True, "scenes": True, "tags_top_k": 3, "config": "mn10_logits"}
    alone = run(served, SOUND, **what)
    together = run(served, SOUND, heads=["rows", "scene", "rows-logits"], **what)
    np.testing.assert_array_equal(alone.rows, together.rows)
    assert alone.timestamps_ms == together.timestamps_ms
    assert alone.summary.scene == together.summary.scene and alone.summary.tags == together.summary.tags
    assert [w.embedding for w in alone.of("scene")] == [w.embedding for w in together.of("scene")]


def test_however_the_audio_is_cut(served):
    whole = head_rows(run(served, SHORT, size=1 << 20, heads=["rows"]))
    assert head_rows(run(served, SHORT, size=777, heads=["rows"])) == whole


def test_a_start_without_a_config_takes_that_of_its_heads(served, long_config):
    def config_of(*names, **what):
        (started,) = run(served, SHORT, heads=names, **what).of("started")
        return started.space.config

    assert config_of("scene-logits") == "mn10_logits"
    assert config_of("own") == "hearwire_mn01_all_b_mel_avgs"
    assert config_of("rows-long") == long_config.name
    assert config_of("scene-logits", "rows") == "mn10_logits"
    assert config_of("rows", scenes=True) == "mn10_all_b_mel_avgs"


def refused(server, **what):
    answer = stream(server, [start(**what)])
    assert answer.error is not None
    return answer.code, field_of(answer.error), answer.error.details()


def test_heads_that_do_not_fit_the_start_are_refused(served, long_config):
    code, field, message = refused(served, heads=["scene", "own"])
    assert (code, field) == ("INVALID_ARGUMENT", "start.heads[1]")
    assert "network hearwire_mn01" in message and "network mn10_as" in message
    code, field, message = refused(served, config=long_config.name, heads=["rows-logits"])
    assert (code, field) == ("INVALID_ARGUMENT", "start.heads[0]")
    assert long_config.name in message and "mn10_logits" in message and "160 ms" in message
    # A scene head has no such windows.
    run(served, SHORT, config=long_config.name, heads=["scene-logits"])
    code, field, message = refused(served, heads=["scene", "scene-logits"], scenes=True)
    assert (code, field) == ("INVALID_ARGUMENT", "start.config")
    assert "mn10_all_b_mel_avgs" in message and "mn10_logits" in message


def test_heads_that_are_unknown_or_named_twice_are_refused(served):
    code, field, message = refused(served, heads=["scene", "scenes"])
    assert (code, field) == ("NOT_FOUND", "start.heads[1]") and "the nearest is scene" in message
    code, field, _ = refused(served, heads=["scene", "scene"])
    assert (code, field) == ("INVALID_ARGUMENT", "start.heads[1]")


def test_a_server_without_heads_says_how_to_load_some(server):
    answer = stream(server, [start(heads=["scene"])])
    assert answer.code == "FAILED_PRECONDITION" and "--heads DIR" in answer.error.details()


def test_a_stream_that_goes_on_answers_rows_of_the_recordings_times(served):
    whole = head_rows(run(served, SOUND, heads=["rows"]))["rows"]
    first = 5 * 32000
    answer = run(served, SOUND[first:], heads=["rows", "scene"], first_sample=first)
    rows = head_rows(answer)["rows"]
    assert not answer.summary.heads and answer.summary.timestamp_rows == len(rows)
    at = next(i for i, row in enumerate(whole) if row.timestamp_ms == rows[0].timestamp_ms)
    assert len(rows) == len(whole) - at > 200
    for found, expected in zip(rows[20:], whole[at + 20 :]):
        assert found.timestamp_ms == expected.timestamp_ms
        assert found.labels[0].index == expected.labels[0].index
        np.testing.assert_allclose(found.labels[0].score, expected.labels[0].score, atol=1e-4)
