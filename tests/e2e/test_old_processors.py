"""One program runs on any x86-64 processor: emulated ones without AVX2 give the same numbers, after one warning."""

import os
import platform
import shutil

import numpy as np
import pytest

import hearwire_server
from hearwire_server import Server, array, chirp, pb, pcm

QEMU = shutil.which("qemu-x86_64")
pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is for another architecture"),
    pytest.mark.skipif(bool(os.environ.get("HEARWIRE_SANITIZE")), reason="sanitizers do not run under QEMU"),
    pytest.mark.skipif(QEMU is None, reason="no qemu-x86_64: apt-get install qemu-user"),
]


def scene_and_timestamps(server):
    clips = [pcm(chirp(1.5))]
    scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=clips), timeout=300)
    timestamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=clips), timeout=300)
    return array(scene.embeddings), array(timestamps.clips[0].embeddings)


# With SSE3 at most; without AVX; with AVX, without AVX2.
@pytest.mark.parametrize("processor, kernels", [("qemu64", "SCALAR"), ("Westmere", "SSE4"), ("SandyBridge", "SSE4")])
def test_the_server_runs_and_warns_once(server, tmp_path, processor, kernels):
    expected = scene_and_timestamps(server)
    program = tmp_path / "hearwire-server"
    program.write_text(f'#!/bin/sh\nexec {QEMU} -cpu {processor} {hearwire_server.BIN}/hearwire-server "$@"\n')
    program.chmod(0o755)
    with Server("--device=cpu", program=program) as emulated:
        for found, wanted in zip(scene_and_timestamps(emulated), expected):
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
        warnings = [line for line in emulated.log().splitlines() if " warning " in line]
    assert len(warnings) == 1, warnings
    assert warnings[0].endswith(f"fast with kernels={kernels}")
