"""The command hearwire against a real server: the same numbers as any other client."""

import json
import pathlib
import re
import subprocess
import sys
import wave

import numpy as np
import pytest

from hearwire_server import BIN, PATIENCE, array, chirp, pb

ROOT = pathlib.Path(__file__).resolve().parents[2]


def hearwire(server, *arguments, check=True, stdin=None):
    ended = subprocess.run(
        [BIN / "hearwire", *map(str, arguments), "--server", server.address],
        capture_output=True, input=stdin, timeout=60 * PATIENCE,
    )
    if check:
        assert ended.returncode == 0, ended.stderr.decode()
    return ended


def write_wav(path, samples, rate=32000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def sound(tmp_path):
    return write_wav(tmp_path / "chirp.wav", chirp(1.0))


def expected(server, path, kind="scene"):
    clips = [pb.Audio(encoded=path.read_bytes())]
    if kind == "scene":
        reply = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=clips), timeout=60)
        return array(reply.embeddings)[0]
    reply = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=clips), timeout=60)
    return array(reply.clips[0].embeddings)


@pytest.mark.parametrize("kind", ["scene", "timestamps"])
def test_embed_writes_what_the_server_answers(server, sound, tmp_path, kind):
    out = tmp_path / "out.npy"
    hearwire(server, "embed", sound, "--kind", kind, "--output", out)
    np.testing.assert_array_equal(np.load(out), expected(server, sound, kind))


def test_embed_reads_standard_input_and_writes_standard_output(server, sound):
    ended = hearwire(server, "embed", "-", "--output", "-", "--format", "json", stdin=sound.read_bytes())
    [entry] = json.loads(ended.stdout)
    assert entry["config"] == "hearwire_mn01_all_b_mel_avgs"
    np.testing.assert_array_equal(np.float32(entry["embedding"]), expected(server, sound))


def test_a_folder_goes_in_order_and_one_bad_file_fails_alone(server, tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for i in range(6):
        write_wav(folder / f"{i}.wav", chirp(0.5 + i / 10))
    (folder / "3.wav").write_bytes(b"no audio at all")
    out = tmp_path / "out"
    ended = hearwire(server, "embed", folder, "--output", out, check=False)
    assert ended.returncode == 1
    assert "3.wav" in ended.stderr.decode()
    written = sorted(p.name for p in out.rglob("*.npy"))
    assert written == [f"{i}.npy" for i in (0, 1, 2, 4, 5)] or written == [f"{i}.wav.npy" for i in (0, 1, 2, 4, 5)]


def test_an_existing_output_is_kept_without_force(server, sound, tmp_path):
    out = tmp_path / "out.npy"
    out.write_bytes(b"precious")
    ended = hearwire(server, "embed", sound, "--output", out, check=False)
    assert ended.returncode != 0 and b"--force" in ended.stderr
    assert out.read_bytes() == b"precious"
    hearwire(server, "embed", sound, "--output", out, "--force")
    assert np.load(out).shape == (184,)


def test_tags_configs_and_health(server, sound):
    lines = hearwire(server, "tag", sound, "--top-k", 3).stdout.decode().splitlines()
    assert len(lines) == 4
    assert "hearwire_mn01_all_b_mel_avgs" in hearwire(server, "configs").stdout.decode()
    assert hearwire(server, "health").stdout.decode().strip() == "SERVING"


def test_the_quick_start_names_the_siren_that_it_makes(server, tmp_path):
    siren = tmp_path / "siren.wav"
    subprocess.run([sys.executable, ROOT / "scripts" / "make_siren.py", siren], check=True)
    lines = hearwire(server, "tag", siren, "--top-k", 2, "--format", "bars").stdout.decode().splitlines()
    first, second = (re.fullmatch(r"  (0\.\d{3})  (█*)(·*)  (.+)", line).groups() for line in lines[1:])
    assert first[3] == "Siren" and second[3] == "Emergency vehicle"
    for probability, bar, rest, _ in (first, second):
        assert len(bar) == round(30 * float(probability)) and len(bar + rest) == 30


def test_without_a_server_it_says_how_to_start_one(sound):
    ended = subprocess.run(
        [BIN / "hearwire", "embed", sound, "--server", "127.0.0.1:1"], capture_output=True, timeout=60 * PATIENCE
    )
    assert ended.returncode == 1
    assert b"hearwire-server" in ended.stderr


@pytest.mark.parametrize("command", ["heads", "plot"])
def test_what_needs_python_is_the_python_package(tmp_path, command):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"$@\"\nexit 7\n")
    python.chmod(0o755)
    arguments = [BIN / "hearwire", command, "train", "--help", "-x", "a b"]
    ended = subprocess.run(arguments, capture_output=True, text=True, env={"HEARWIRE_PYTHON": str(python)})
    assert ended.stdout == f"-m hearwire {command} train --help -x a b\n"
    assert ended.returncode == 7
    ended = subprocess.run(arguments, capture_output=True, text=True, env={"HEARWIRE_PYTHON": "no-such-python"})
    assert ended.returncode == 1
    assert "HEARWIRE_PYTHON" in ended.stderr
