"""A client made only from the proto gets the published reference's numbers."""

import numpy as np
import pytest

from hearwire_server import REPOSITORY, Server, array, chirp, pb, pcm

GOLDEN = REPOSITORY / "tests/golden/hearwire_mn01"


def assert_close(found, expected):
    limit = 1e-4 * max(1.0, np.abs(expected).max())
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= limit


@pytest.fixture(scope="module")
def golden_server(shared):
    with Server(f"--model-repository={shared}/golden/checkpoints") as running:
        yield running


CASES = ["clip_10s", "clip_1s3", "long_12s", "noise_3s", "quiet_0s5", "short_100ms", "silence_1s"]


@pytest.mark.parametrize("case", CASES)
def test_official_mn04_scene(golden_server, shared, case):
    audio = np.load(shared / f"golden/audio/{case}.npy")
    reply = golden_server.stub.GetSceneEmbeddings(
        pb.GetSceneEmbeddingsRequest(config="mn04_all_b_mel_avgs", clips=[pcm(audio)]), timeout=60
    )
    assert_close(array(reply.embeddings)[0], np.load(shared / f"golden/mn04_all_b_mel_avgs/{case}.scene.npy"))
    assert reply.space.config == "mn04_all_b_mel_avgs"
    assert reply.space.weights_sha256 == "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
    assert reply.space.precision == "float32"


@pytest.mark.parametrize("case", ["clip_1s3", "noise_3s", "quiet_0s5", "short_100ms", "silence_1s"])
def test_official_mn04_timestamps(golden_server, shared, case):
    audio = np.load(shared / f"golden/audio/{case}.npy")
    reply = golden_server.stub.GetTimestampEmbeddings(
        pb.GetTimestampEmbeddingsRequest(config="mn04_all_b_mel_avgs", clips=[pcm(audio)]), timeout=60
    )
    assert_close(array(reply.clips[0].embeddings), np.load(shared / f"golden/mn04_all_b_mel_avgs/{case}.ts.npy"))
    times = np.load(shared / f"golden/mn04_all_b_mel_avgs/{case}.t.npy")
    np.testing.assert_allclose(reply.clips[0].timestamps_ms, times, atol=1e-6)


def test_embedded_network_scene_timestamps_and_tags(server):
    audio = chirp(1.0)
    scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=[pcm(audio)]), timeout=60)
    assert scene.space.config == "hearwire_mn01_all_b_mel_avgs"
    assert_close(array(scene.embeddings)[0], np.load(GOLDEN / "chirp_1s.scene.npy"))

    stamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=[pcm(audio)]), timeout=60)
    assert_close(array(stamps.clips[0].embeddings), np.load(GOLDEN / "chirp_1s.ts.npy"))

    tags = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(audio)]), timeout=60).clips[0].tags
    assert len(tags) == 527
    probabilities = [tag.probability for tag in tags]
    assert probabilities == sorted(probabilities, reverse=True)
    expected = 1 / (1 + np.exp(-np.load(GOLDEN / "chirp_1s.logits.npy").astype(np.float64)))
    by_index = {tag.index: tag.probability for tag in tags}
    np.testing.assert_allclose([by_index[i] for i in range(527)], expected, atol=1e-5)


def test_long_clip_tags_are_those_of_the_mean_logits(server):
    tags = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(11.0))], top_k=3), timeout=60).clips[0].tags
    expected = 1 / (1 + np.exp(-np.load(GOLDEN / "chirp_11s.logits.npy").astype(np.float64)))
    assert [tag.index for tag in tags] == list(np.argsort(-expected)[:3])
    np.testing.assert_allclose([tag.probability for tag in tags], np.sort(expected)[::-1][:3], atol=1e-5)


def test_float16_replies_are_the_rounded_values(server):
    request = pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(1.0))])
    full = array(server.stub.GetSceneEmbeddings(request, timeout=60).embeddings)
    request.element_type = pb.ELEMENT_TYPE_FLOAT16
    half = server.stub.GetSceneEmbeddings(request, timeout=60)
    assert half.embeddings.element_type == pb.ELEMENT_TYPE_FLOAT16
    np.testing.assert_array_equal(array(half.embeddings), full.astype(np.float16))
