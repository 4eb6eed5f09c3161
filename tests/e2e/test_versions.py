"""Clients of the first published proto (0.1.0) and today's server, today's clients and a server of that proto."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from hearwire_server import BIN, PATIENCE, REPOSITORY, Server, array, chirp, pb, pcm
from python_client import package

OLD = REPOSITORY / "tests/proto/0.1.0"
PROTO = "hearwire/v1/embedding.proto"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}


@pytest.fixture(scope="module")
def old_stubs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    assert protoc.main(["protoc", f"-I{OLD}", f"--python_out={folder}", f"--grpc_python_out={folder}", PROTO]) == 0
    return folder


def old(stubs, role: str, address: str, **more) -> subprocess.Popen:
    program = pathlib.Path(__file__).resolve().parent / "old_stubs.py"
    return subprocess.Popen(
        [sys.executable, str(program), str(stubs), role, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)


def test_an_old_client_gets_right_answers(server, old_stubs):
    process = old(old_stubs, "client", server.address)
    said, _ = process.communicate(chirp(2).tobytes(), timeout=60 * PATIENCE)
    found = json.loads(said)
    clips = [pcm(chirp(2))]
    scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=clips), timeout=60)
    assert found["scene"] == scene.embeddings.data.hex()
    space = scene.space
    assert found["space"] == [space.config, space.frontend, space.precision, space.weights_sha256]
    request = pb.GetTimestampEmbeddingsRequest(clips=clips, element_type=pb.ELEMENT_TYPE_FLOAT16)
    rows = server.stub.GetTimestampEmbeddings(request, timeout=60).clips[0]
    assert found["rows"] == rows.embeddings.data.hex() and found["times"] == list(rows.timestamps_ms)
    tags = server.stub.GetTags(pb.GetTagsRequest(clips=clips, top_k=3), timeout=60).clips[0].tags
    assert found["tags"] == [[tag.index, tag.name, tag.probability] for tag in tags]
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=60).configs
    assert found["configs"] == [[one.name, one.is_default, one.scene_embedding_size] for one in configs]
    assert found["unknown_config"] == "NOT_FOUND"


@pytest.fixture(scope="module")
def old_server(server, old_stubs):
    """The address of a server of the old proto, which answers with the numbers of `server`."""
    process = old(old_stubs, "server", server.address, text=True)
    yield process.stdout.readline().strip()
    process.communicate("", timeout=30)


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(BIN / "hearwire"), *arguments], input=stdin, capture_output=True, env=CLEAN, timeout=60 * PATIENCE)


def test_the_command_works_with_an_old_server(server, old_server, tmp_path):
    rows, sound = tmp_path / "chirp.npy", tmp_path / "chirp.wav"
    data = (chirp(2) * 32767).astype("<i2").tobytes()
    header = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (32000).to_bytes(4, "little") + (64000).to_bytes(4, "little") + b"\2\0\x10\0"
    sound.write_bytes(header + b"data" + len(data).to_bytes(4, "little") + data)
    done = run("embed", str(sound), "--output", str(rows), "--server", old_server)
    assert done.returncode == 0, done.stderr.decode()
    request = pb.GetSceneEmbeddingsRequest(clips=[pb.Audio(encoded=sound.read_bytes())])
    want = array(server.stub.GetSceneEmbeddings(request, timeout=60).embeddings)
    np.testing.assert_array_equal(np.load(rows).reshape(want.shape), want)
    for command in (["tag", str(sound)], ["configs"]):
        through_old, direct = (run(*command, "--server", address) for address in (old_server, server.address))
        assert through_old.returncode == 0 and through_old.stdout == direct.stdout
    # What it does not have yet is said, and is no crash.
    refused = run("stream", "--rate", "32000", "--encoding", "s16", "--server", old_server, stdin=data)
    assert refused.returncode == 1 and refused.stderr.startswith(b"hearwire: ")


CLIENT = """
import sys, numpy as np, hearwire
clip = np.frombuffer(sys.stdin.buffer.read(), "<f4")
with hearwire.Client(sys.argv[1]) as old, hearwire.Client(sys.argv[2]) as new:
    for client in old, new:
        client.list_configs()
    for ask in "get_scene_embeddings", "get_tags":
        told = [getattr(client, ask)([clip], sample_rate=32000) for client in (old, new)]
        assert np.array_equal(told[0].embeddings, told[1].embeddings) if ask != "get_tags" else told[0].clips == told[1].clips
    for refused in (lambda: old.list_heads(), lambda: list(old.stream([clip], 32000))):
        try:
            refused()
        except hearwire.HearwireError as error:
            print(error.code.name)
"""


def test_the_python_client_works_with_an_old_server(server, old_server):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, old_server, server.address], input=chirp(2).tobytes(), capture_output=True,
        env={**CLEAN, "PYTHONPATH": package()}, timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.split() == [b"UNIMPLEMENTED"] * 2


def values_of(kind: descriptor_pb2.EnumDescriptorProto, prefix: str = "") -> dict[str, tuple]:
    """By number: their names do not go over the wire, and have got a prefix since."""
    return {f"value {prefix}{kind.name} = {value.number}": () for value in kind.value}


def parts(message, prefix: str = "") -> dict[str, tuple]:
    """Everything of a message of a proto that a client or what it has written depends on, by name."""
    name = f"{prefix}{message.name}"
    found = {f"message {name}": ()}
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
        found[f"field {name}.{field.name}"] = (field.number, field.type, field.label, field.type_name, oneof)
    for kind in message.enum_type:
        found |= values_of(kind, f"{name}.")
    for inner in message.nested_type:
        found |= parts(inner, f"{name}.")
    return found


def contract(folder: pathlib.Path, out: pathlib.Path) -> dict[str, tuple]:
    assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={out}", PROTO]) == 0
    [file] = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    found: dict[str, tuple] = {f"package {file.package}": ()}
    for message in file.message_type:
        found |= parts(message)
    for kind in file.enum_type:
        found |= values_of(kind)
    for service in file.service:
        for method in service.method:
            kinds = method.input_type, method.output_type, method.client_streaming, method.server_streaming
            found[f"rpc {service.name}.{method.name}"] = kinds
    return found


def test_the_proto_keeps_everything_that_was_published(tmp_path):
    was, now = contract(OLD, tmp_path / "old"), contract(REPOSITORY / "proto", tmp_path / "new")
    assert len(was) > 60
    assert {name: now.get(name) for name in was} == was
