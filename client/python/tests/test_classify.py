"""Both clients on a server with heads: what these say is what their files say of the embeddings."""

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


def test_heads_are_listed(either, heads):
    found = {head.name: head for head in either.list_heads()}
    assert list(found) == ["animals", "loud.1"]
    for name, head in heads.items():
        assert (found[name].kind, found[name].labels, found[name].space) == (head.kind, list(head.labels), head.space)
        assert found[name].config == head.space.config
        assert found[name].multi_label == (head.output == "sigmoid")
        assert len(found[name].sha256) == 64


def test_a_name_is_no_list_of_names(either):
    for heads in ("animals", "a"):
        with pytest.raises(TypeError, match=rf"\['{heads}'\] would be right"):
            either.classify(CLIPS[:1], heads, sample_rate=32000)
    with pytest.raises(ValueError, match="all labels"):
        either.classify(CLIPS[:1], top_k=-1, sample_rate=32000)


def test_replies_that_contradict_themselves_are_refused():
    call = _calls.classify([chirp(1.0)], [], 32000, 0)
    with pytest.raises(hearwire.HearwireError, match="0 clips of 1"):
        call.decode(pb.ClassifyResponse(), "")
    with pytest.raises(hearwire.HearwireError, match="unknown kind 7"):
        _calls.heads().decode(pb.ListHeadsResponse(heads=[pb.Head(name="a", kind=7)]), "")
