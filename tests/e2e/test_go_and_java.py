"""Callers in Go and Java, with stubs made from the proto as it stands by what Debian packages: the same answers as in
Python."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from hearwire_server import PATIENCE, REPOSITORY, array, chirp, pb
from test_command_line import write_wav

CALLERS = REPOSITORY / "tests/e2e/callers"
JARS = pathlib.Path("/usr/share/java")
# What grpc-java needs at run time: Debian's packages do not depend on one another.
JAVA_LIBRARIES = [
    *("grpc-api", "grpc-context", "grpc-core", "grpc-netty", "grpc-protobuf", "grpc-protobuf-lite", "grpc-stub"),
    *("protobuf", "guava", "gson", "perfmark-api", "geronimo-annotation-1.3-spec"),
    *("netty-buffer", "netty-codec", "netty-codec-http", "netty-codec-http2", "netty-codec-socks", "netty-common"),
    *("netty-handler", "netty-handler-proxy", "netty-resolver", "netty-transport"),
    "netty-transport-native-unix-common",
]


def run(*command: str | os.PathLike[str], cwd: pathlib.Path, **environment: str) -> str:
    ended = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300 * PATIENCE, env={**os.environ, **environment}
    )
    assert ended.returncode == 0, f"{command}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def protoc(cwd: pathlib.Path, *arguments: str) -> None:
    run("protoc", f"-I{REPOSITORY}/proto", *arguments, "hearwire/v1/embedding.proto", cwd=cwd)


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: scripts/setup --tests installs what is needed")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "chirp.wav"
    write_wav(path, chirp(1.0))
    return path


@pytest.fixture(scope="module")
def expected(server, sound):
    clips = [pb.Audio(encoded=sound.read_bytes())]
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True))
    tags = server.stub.GetTags(pb.GetTagsRequest(clips=clips, top_k=1))
    scene = array(server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=clips)).embeddings)
    return [
        f"config {configs.configs[0].name}",
        f"max_message_bytes {configs.limits.max_message_bytes}",
        f"tag {tags.clips[0].tags[0].index}",
        f"scene {scene.shape[1]} {np.sum(scene, dtype=np.float64):.4f}",
        "rows 21",  # Every 50 ms of a second, both ends with it.
    ]


def test_go(server, sound, expected, tmp_path):
    need("go", "protoc-gen-go")
    package = tmp_path / "src/hearwire/v1"
    package.parent.mkdir(parents=True)
    protoc(tmp_path, f"--go_out=plugins=grpc:{tmp_path}/src")
    assert [path.name for path in package.iterdir()] == ["embedding.pb.go"]
    command = ["go", "build", "-o", tmp_path / "caller", CALLERS / "main.go"]
    run(*command, cwd=tmp_path, GO111MODULE="off", GOPATH=f"{tmp_path}:/usr/share/gocode", GOFLAGS="")
    assert run(tmp_path / "caller", server.address, sound, cwd=tmp_path).splitlines() == [*expected, "error NotFound"]


def test_java(server, sound, expected, tmp_path):
    need("java", "ecj", "grpc_java_plugin")
    protoc(tmp_path, f"--java_out={tmp_path}", f"--plugin=protoc-gen-grpc-java={shutil.which('grpc_java_plugin')}",
           f"--grpc-java_out={tmp_path}")
    assert (tmp_path / "hearwire/v1/Limits.java").exists()  # java_multiple_files
    classes = ":".join([str(tmp_path), *(f"{JARS}/{name}.jar" for name in JAVA_LIBRARIES)])
    shutil.copy(CALLERS / "Caller.java", tmp_path)
    run("ecj", "-nowarn", "-proc:none", "-11", "-cp", classes, "-d", tmp_path, tmp_path, cwd=tmp_path)
    answered = run("java", "-cp", classes, "Caller", server.address, sound, cwd=tmp_path)
    assert answered.splitlines() == [*expected, "error NOT_FOUND"]
