"""Both clients on a server with heads: what these say is what their files say of the embeddings."""

import grpc
import numpy as np
import pytest
from conftest import PATIENCE
from heads_data import layers
from test_clients import chirp

import hearwire
from hearwire import _calls
from hearwire._own_server import OwnServer
from hearwire.heads.head import Head
from hearwire.heads.head_file import write_head
from hearwire.v1 import embedding_pb2 as pb

CLIPS = [chirp(1.0), 0.3 * chirp(0.5), chirp(11.0)]


@pytest.fixture(scope="module")
def heads(own_server):
    with hearwire.Client(own_server.address, deadline=30 * PATIENCE) as client:
        space = client.get_scene_embeddings([chirp(1.0)], sample_rate=32000).space
    return {
        "animals": Head(space, "scene", ("ant", "bee", "cat"), "softmax", layers(184, 3)),
        "loud.1": Head(space, "timestamps", ("loud", "low"), "sigmoid", layers(184, 4, 2)),
    }


@pytest.fixture(scope="module")
def server(heads, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    for name, head in heads.items():
        write_head(head, folder / f"{name}.safetensors")
    running = OwnServer([f"--heads={folder}"])
    yield running
    running.stop()


@pytest.fixture
def either(kind, server):
    with kind(server.address, deadline=30 * PATIENCE) as client:
        yield client


def by_index(labels):
    return [label.score for label in sorted(labels, key=lambda label: label.index)]


def test_scene_heads_answer_of_clips(either, heads):
    reply = either.classify(CLIPS, ["animals"], sample_rate=32000)
    expected = heads["animals"].scores(either.get_scene_embeddings(CLIPS, sample_rate=32000).embeddings)
    assert [list(clip) for clip in reply.clips] == [["animals"]] * 3
    np.testing.assert_allclose([by_index(clip["animals"].labels) for clip in reply.clips], expected, atol=1e-5)
    for clip in reply.clips:
        labels = clip["animals"].labels
        assert [label.score for label in labels] == sorted((label.score for label in labels), reverse=True)
        assert [label.name for label in labels] == [heads["animals"].labels[label.index] for label in labels]
        assert clip["animals"].rows == []
    assert reply.timings.total > 0 and reply.request_id


def test_timestamp_heads_answer_every_50_ms(either, heads):
    (clip,) = either.classify(CLIPS[:1], ["loud.1"], sample_rate=32000).clips
    embedded = either.get_timestamp_embeddings(CLIPS[:1], sample_rate=32000).clips[0]
    rows = clip["loud.1"].rows
    assert clip["loud.1"].labels == []
    assert [row.timestamp_ms for row in rows] == list(embedded.timestamps_ms)
    expected = heads["loud.1"].scores(embedded.embeddings)
    np.testing.assert_allclose([by_index(row.labels) for row in rows], expected, atol=1e-5)


def test_all_heads_answer_where_none_is_named(either):
    (clip,) = either.classify(CLIPS[:1], top_k=1, sample_rate=32000).clips
    assert list(clip) == ["animals", "loud.1"]
    assert len(clip["animals"].labels) == 1
    assert {len(row.labels) for row in clip["loud.1"].rows} == {1}


def test_many_clips_get_what_each_gets_alone(server):
    with hearwire.Client(server.address, deadline=30 * PATIENCE) as client:
        replies = list(client.map_classify(CLIPS * 3, ["animals"], sample_rate=32000))
        for clip, reply in zip(CLIPS, replies):
            (alone,) = client.classify([clip], ["animals"], sample_rate=32000).clips
            np.testing.assert_allclose(
                by_index(reply.clips[0]["animals"].labels), by_index(alone["animals"].labels), atol=1e-5
            )
    assert len(replies) == 9


def test_heads_are_listed(either, heads):
    found = {head.name: head for head in either.list_heads()}
    assert list(found) == ["animals", "loud.1"]
    for name, head in heads.items():
        assert (found[name].kind, found[name].labels, found[name].space) == (head.kind, list(head.labels), head.space)
        assert found[name].config == head.space.config
        assert found[name].multi_label == (head.output == "sigmoid")
        assert len(found[name].sha256) == 64


def test_unknown_heads_have_near_names(either):
    with pytest.raises(hearwire.HearwireError, match="animals") as caught:
        either.classify(CLIPS[:1], ["animal"], sample_rate=32000)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_a_name_is_no_list_of_names(either):
    for heads in ("animals", "a"):
        with pytest.raises(TypeError, match=rf"\['{heads}'\] would be right"):
            either.classify(CLIPS[:1], heads, sample_rate=32000)
    with pytest.raises(ValueError, match="all labels"):
        either.classify(CLIPS[:1], top_k=-1, sample_rate=32000)


def test_a_generator_of_names_serves_all_clips(server):
    with hearwire.Client(server.address, deadline=30 * PATIENCE) as client:
        replies = client.map_classify(CLIPS, (name for name in ["animals"]), sample_rate=32000)
        assert [list(reply.clips[0]) for reply in replies] == [["animals"]] * 3


def test_replies_that_contradict_themselves_are_refused():
    call = _calls.classify([chirp(1.0)], [], 32000, 0)
    with pytest.raises(hearwire.HearwireError, match="0 clips of 1"):
        call.decode(pb.ClassifyResponse(), "")
    with pytest.raises(hearwire.HearwireError, match="unknown kind 7"):
        _calls.heads().decode(pb.ListHeadsResponse(heads=[pb.Head(name="a", kind=7)]), "")
