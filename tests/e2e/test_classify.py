"""Classify: heads' answers are what NumPy makes of the same server's embeddings."""

import json

import grpc
import numpy as np
import pytest

from head_files import Head
from hearwire_server import PATIENCE, Server, array, chirp, pb, pcm

TIMEOUT = 60 * PATIENCE


def embedded_config(server):
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=TIMEOUT).configs
    return next(config for config in configs if config.is_default)


@pytest.fixture(scope="module")
def heads(server):
    config = embedded_config(server)
    return {
        "softmax": Head(config, [10], 1),
        "sigmoid": Head(config, [4], 2, output="sigmoid"),
        "two": Head(config, [1], 3, output="sigmoid", labels=json.dumps(["no", "yes"])),
        "relu": Head(config, [64, 7], 4),
        "hardswish": Head(config, [33, 20, 5], 5, activation="hardswish"),
        "gelu": Head(config, [17, 3], 6, activation="gelu", output="sigmoid"),
        "every-50-ms": Head(config, [6], 7, kind="timestamps"),
        "every-50-ms-deep": Head(config, [32, 3], 8, kind="timestamps", output="sigmoid"),
    }


@pytest.fixture(scope="module")
def classifier(heads, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    for name, head in heads.items():
        head.write(folder / f"{name}.safetensors")
    with Server(f"--heads={folder}") as running:
        yield running


def real_clips(shared):
    """Recordings as they are, among them one of more than 10 s, and PCM."""
    esc = sorted((shared / "esc10").rglob("*.ogg"))[::40][:8]
    assert esc, "no recordings"
    long = pcm(np.concatenate([chirp(8), chirp(9, 12000, 80)]))
    return [pb.Audio(encoded=path.read_bytes()) for path in esc] + [long, pcm(chirp(0.4))]


def scores_of(labels, count):
    scores = np.full(count, np.nan)
    for label in labels:
        scores[label.index] = label.score
    return scores


def check(answer, head, embeddings):
    """embeddings: [rows, d] of the clip."""
    expected = head.scores(embeddings)
    rows = [answer.labels] if head.metadata["kind"] == "scene" else [row.labels for row in answer.rows]
    assert len(rows) == len(expected)
    for labels, row in zip(rows, expected):
        found = scores_of(labels, len(row))
        np.testing.assert_allclose(found, row, rtol=0, atol=1e-6)
        assert np.argmax(found) == np.argmax(row) == labels[0].index
        assert [label.score for label in labels] == sorted((label.score for label in labels), reverse=True)


def test_answers_equal_numpy_on_the_servers_embeddings(shared, classifier, heads):
    clips = real_clips(shared)
    config = embedded_config(classifier).name
    scenes = array(
        classifier.stub.GetSceneEmbeddings(
            pb.GetSceneEmbeddingsRequest(config=config, clips=clips), timeout=TIMEOUT
        ).embeddings
    )
    timestamps = classifier.stub.GetTimestampEmbeddings(
        pb.GetTimestampEmbeddingsRequest(config=config, clips=clips), timeout=TIMEOUT
    ).clips
    reply = classifier.stub.Classify(pb.ClassifyRequest(clips=clips), timeout=TIMEOUT)
    assert len(reply.clips) == len(clips)
    for i, answers in enumerate(reply.clips):
        assert [answer.head for answer in answers.heads] == sorted(heads)
        for answer in answers.heads:
            head = heads[answer.head]
            if head.metadata["kind"] == "scene":
                check(answer, head, scenes[i : i + 1])
                assert [label.name for label in answer.labels] == [head.labels[label.index] for label in answer.labels]
            else:
                check(answer, head, array(timestamps[i].embeddings))
                assert [row.timestamp_ms for row in answer.rows] == list(timestamps[i].timestamps_ms)


def test_a_clip_is_answered_alike_alone_and_with_others(classifier):
    clips = [pcm(chirp(0.7)), pcm(chirp(12, 200, 9000)), pcm(chirp(1.3, 3000, 100))]
    together = classifier.stub.Classify(pb.ClassifyRequest(clips=clips), timeout=TIMEOUT)
    for i, clip in enumerate(clips):
        for name in ("relu", "every-50-ms"):
            alone = classifier.stub.Classify(pb.ClassifyRequest(heads=[name], clips=[clip]), timeout=TIMEOUT)
            assert alone.clips[0].heads[0] == next(a for a in together.clips[i].heads if a.head == name)


def test_errors_name_what_is_wrong(classifier):
    def code(**fields):
        with pytest.raises(grpc.RpcError) as error:
            classifier.stub.Classify(pb.ClassifyRequest(**fields), timeout=TIMEOUT)
        return error.value.code(), error.value.details()

    clip = pcm(chirp(0.5))
    status, message = code(heads=["sofmax"], clips=[clip])
    assert status == grpc.StatusCode.NOT_FOUND and "softmax" in message
    status, message = code(heads=["two", "two"], clips=[clip])
    assert status == grpc.StatusCode.INVALID_ARGUMENT and "heads[1]" in message
    status, message = code(clips=[clip, pb.Audio(encoded=b"no audio")])
    assert status == grpc.StatusCode.INVALID_ARGUMENT and "clips[1]" in message


def test_a_server_without_heads_says_how_to_load_some(server):
    with pytest.raises(grpc.RpcError) as error:
        server.stub.Classify(pb.ClassifyRequest(clips=[pcm(chirp(0.5))]), timeout=TIMEOUT)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "--heads DIR" in error.value.details()


def test_calls_are_counted(classifier):
    before = classifier.metric("hearwire_requests_total", method="Classify", code="OK")
    classifier.stub.Classify(pb.ClassifyRequest(heads=["two"], clips=[pcm(chirp(0.5))], top_k=1), timeout=TIMEOUT)
    assert classifier.metric("hearwire_requests_total", method="Classify", code="OK") == before + 1
    assert classifier.metric("hearwire_requests_total", method="Classify", config="hearwire_mn01", code="OK") > 0


def test_heads_of_several_configs_and_networks_share_their_passes(shared, tmp_path):
    """One network with several configs, and another beside it."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "mn10_as.pt").symlink_to(shared / "golden/checkpoints/mn10_as_seeded.pt")
    with Server(f"--model-repository={models}") as server:
        configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=TIMEOUT).configs
        by_name = {config.name: config for config in configs}
        clips = [pcm(chirp(0.8)), pcm(chirp(11))]
        embeddings = {}
        names = ["mn10_all_b_mel_avgs", "mn10_logits", "hearwire_mn01_all_b_mel_avgs"]
        for name in names:
            scenes = server.stub.GetSceneEmbeddings(
                pb.GetSceneEmbeddingsRequest(config=name, clips=clips), timeout=TIMEOUT
            )
            rows = server.stub.GetTimestampEmbeddings(
                pb.GetTimestampEmbeddingsRequest(config=name, clips=clips), timeout=TIMEOUT
            )
            embeddings[name] = array(scenes.embeddings), [array(clip.embeddings) for clip in rows.clips]
    folder = tmp_path / "heads"
    folder.mkdir()
    heads = {}
    for i, name in enumerate(names):
        for kind in ("scene", "timestamps"):
            heads[f"{kind}-{i}"] = Head(by_name[name], [5 + i], i, kind=kind)
            heads[f"{kind}-{i}"].write(folder / f"{kind}-{i}.safetensors")
    with Server(f"--model-repository={models}", f"--heads={folder}") as server:
        before = server.metric("hearwire_batch_windows_sum")
        reply = server.stub.Classify(pb.ClassifyRequest(clips=clips), timeout=TIMEOUT)
        windows = server.metric("hearwire_batch_windows_sum") - before
        for i, answers in enumerate(reply.clips):
            for answer in answers.heads:
                head = heads[answer.head]
                scenes, rows = embeddings[head.config.name]
                check(answer, head, scenes[i : i + 1] if head.metadata["kind"] == "scene" else rows[i])
        # Each of the two networks: a window of the short clip and several of the long one, and all timestamps, once.
        timestamp_windows = sum(len(rows) for rows in embeddings["mn10_logits"][1])
        scene_windows = (windows - 2 * timestamp_windows) / 2
        assert scene_windows == 1 + 5
        assert server.metric("hearwire_requests_total", method="Classify", config="several", code="OK") == 1
