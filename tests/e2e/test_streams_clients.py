"""hearwire stream, and so the C++ client's streams, against real servers: the rows of the unary calls, bit for bit."""

import json
import os
import signal
import struct
import subprocess
import time

import numpy as np
import pytest

from hearwire_server import BIN, PATIENCE, Server, array, chirp, pb, pcm, pcm16, wait_until


def command(address, *arguments):
    return [str(BIN / "hearwire"), "stream", *map(str, arguments), "--server", address]


def hearwire_stream(server, *arguments, stdin=None, code=0):
    ended = subprocess.run(
        command(getattr(server, "address", server), *arguments),
        capture_output=True, input=stdin, timeout=60 * PATIENCE,
    )
    assert ended.returncode == code, ended.stderr.decode()
    return ended


def unary(server, clip):
    """Rows, times and scene."""
    stamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=[clip]), timeout=60 * PATIENCE)
    scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=[clip]), timeout=60 * PATIENCE)
    rows = stamps.clips[0]
    return array(rows.embeddings), list(rows.timestamps_ms), array(scene.embeddings)[0]


def wav(samples, rate, size=None, extensible=False):
    """int16, mono. size: what the header says of the samples' bytes, as ffmpeg (all ones) and arecord do for a pipe."""
    data = samples.tobytes()
    size = len(data) if size is None else size
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, 1, rate, 2 * rate, 2, 16)
    if extensible:
        form += struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(size + len(chunks), 0xFFFFFFFF)) + chunks + data


def int16(samples):
    return np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")


@pytest.mark.parametrize("rate", [32000, 44100])
def test_rows_equal_the_unary_calls_bit_for_bit(server, tmp_path, rate):
    samples = chirp(12.34, high=3500, rate=rate)
    rows, times, scene = unary(server, pcm16(samples, rate))
    file = tmp_path / "sound.wav"
    file.write_bytes(wav(int16(samples), rate))
    hearwire_stream(server, file, "--output", tmp_path / "rows.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), rows)
    assert list(np.load(tmp_path / "rows.timestamps.npy")) == times

    flags = ["--timestamps", "--scenes", "--tags", 5, "--output", "-"]
    lines = [json.loads(line) for line in hearwire_stream(server, file, *flags).stdout.splitlines()]
    found = [line for line in lines if line["type"] == "row"]
    np.testing.assert_array_equal(np.array([line["embedding"] for line in found], "f4"), rows)
    windows = [line for line in lines if line["type"] == "scene"]
    assert [window["centre_ms"] for window in windows] == [0, 2500, 5000, 7500, 10000]
    values = np.array([window["embedding"] for window in windows], "f4")
    np.testing.assert_array_equal(np.mean(values.astype("f8"), axis=0).astype("f4"), scene)
    assert lines[0]["type"] == "started" and lines[-1]["type"] == "summary"
    np.testing.assert_array_equal(np.array(lines[-1]["embedding"], "f4"), scene)
    tags = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm16(samples, rate)], top_k=5), timeout=60 * PATIENCE)
    assert [tag["name"] for tag in lines[-1]["tags"]] == [tag.name for tag in tags.clips[0].tags]


def test_pipes_give_what_files_give(server):
    samples = chirp(2.5, rate=16000, high=7000)
    csv = ["--output", "-", "--format", "csv"]
    whole = wav(int16(samples), 16000)
    expected = hearwire_stream(server, "-", *csv, stdin=whole).stdout
    assert len(expected.splitlines()) == 52
    for size in (0, 0xFFFFFFFF, 0x7FFFF000):
        for extensible in (False, True):
            stream = wav(int16(samples), 16000, size, extensible)
            assert hearwire_stream(server, *csv, stdin=stream).stdout == expected, (size, extensible)
    raw = ["--rate", 16000, *csv]
    assert hearwire_stream(server, *raw, stdin=int16(samples).tobytes()).stdout == expected
    wide = (int16(samples).astype("<i4") << 16).tobytes()
    assert hearwire_stream(server, *raw, "--encoding", "s32", stdin=wide).stdout == expected
    stereo = np.repeat(int16(samples), 2).tobytes()
    assert hearwire_stream(server, *raw, "--channels", 2, stdin=stereo).stdout == expected
    # In a shell, as users do.
    shell = f"cat | {BIN}/hearwire stream - --server {server.address} --format csv"
    assert subprocess.run(["sh", "-c", shell], input=whole, capture_output=True).stdout == expected


def test_floats_travel_as_they_are(server, tmp_path):
    samples = chirp(1.0)
    rows, _, _ = unary(server, pcm(samples))
    out = tmp_path / "rows.npy"
    hearwire_stream(
        server, "--rate", 32000, "--encoding", "f32", "--output", out, stdin=samples.astype("<f4").tobytes()
    )
    np.testing.assert_array_equal(np.load(out), rows)


# A drain says where to go on; a server that is killed does not.
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("rate", [32000, 44100])
def test_a_resumed_stream_has_the_rows_of_an_uninterrupted_one(tmp_path, how, rate):
    samples = int16(chirp(30, high=3500, rate=rate))
    first, second = Server("--drain-deadline=100ms"), Server()
    with second:
        rows, times, _ = unary(second, pcm16(samples / 32768, rate))
        both = f"ipv4:{first.address},{second.address}"
        flags = ["--rate", rate, "--timestamps", "--scenes", "--resume", "--output", "-"]
        with open(tmp_path / "out", "wb") as out:
            process = subprocess.Popen(
                command(both, *flags), stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE
            )
        data, cut = samples.tobytes(), 2 * 17 * rate + 1  # Within a sample.
        process.stdin.write(data[:cut])
        process.stdin.flush()
        wait_until(lambda: (tmp_path / "out").read_bytes().count(b'"type":"scene"') >= 3, 20, "three scene windows")
        first.process.send_signal(how)
        first.process.wait(20 * PATIENCE)
        first.channel.close()
        _, err = process.communicate(data[cut:], timeout=60 * PATIENCE)
    assert process.returncode == 0, err.decode()
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    found = [line for line in lines if line["type"] == "row"]
    assert [line["timestamp_ms"] for line in found] == times
    np.testing.assert_array_equal(np.array([line["embedding"] for line in found], "f4"), rows)
    assert [line["centre_ms"] for line in lines if line["type"] == "scene"] == [2500 * i for i in range(13)]
    assert lines[-1]["resumes"] == 1 and lines[-1]["timestamp_rows"] == len(times)


# A source that is quiet for longer than the server waits, and a stream that is open for longer than it may be.
@pytest.mark.parametrize("flag", ["--stream-idle-timeout=1s", "--max-stream-duration=1s"])
def test_a_resumed_stream_outlives_the_servers_limits(tmp_path, flag):
    samples = int16(chirp(6))
    with Server(flag) as server:
        rows, times, _ = unary(server, pcm16(samples / 32768))
        with open(tmp_path / "out", "wb") as out:
            process = subprocess.Popen(
                command(server.address, "--rate", 32000, "--resume", "--output", "-"), stdin=subprocess.PIPE, stdout=out
            )
        for part in np.array_split(samples, 3):
            process.stdin.write(part.tobytes())
            process.stdin.flush()
            time.sleep(1.6)
        process.stdin.close()
        assert process.wait(30 * PATIENCE) == 0
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    found = [line for line in lines if line["type"] == "row"]
    assert [line["timestamp_ms"] for line in found] == times
    np.testing.assert_array_equal(np.array([line["embedding"] for line in found], "f4"), rows)
    assert lines[-1]["resumes"] >= 2


def test_without_resume_a_drain_ends_it_and_keeps_the_rows(tmp_path):
    server = Server("--drain-deadline=100ms")
    out = tmp_path / "rows.npy"
    process = subprocess.Popen(
        command(server.address, "--rate", 32000, "--timestamps", "--tags", 1, "--output", out),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    process.stdin.write(int16(chirp(12)).tobytes())
    process.stdin.flush()
    process.stdout.readline()  # Tags.
    server.process.send_signal(signal.SIGTERM)
    assert process.wait(30 * PATIENCE) == 1, "it ends though its input is quiet"
    process.stdin.close()
    assert server.process.wait(20 * PATIENCE) == 0
    server.channel.close()
    assert len(np.load(out)) > 100
    assert process.stderr.read().count(b"\n") == 1


def test_ctrl_c_ends_the_sound(server, tmp_path):
    out = tmp_path / "rows.npy"
    process = subprocess.Popen(
        command(server.address, "--rate", 32000, "--timestamps", "--tags", 1, "--output", out),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    samples = int16(chirp(12))
    process.stdin.write(samples.tobytes())
    process.stdin.flush()
    process.stdout.readline()
    time.sleep(1)  # All of it was read.
    process.send_signal(signal.SIGINT)
    printed, err = process.stdout.read(), process.stderr.read()
    assert process.wait(30 * PATIENCE) == 130
    process.stdin.close()
    assert err == b""
    assert b"12.000 s in all, 241 rows" in printed
    np.testing.assert_array_equal(np.load(out), unary(server, pcm16(samples / 32768))[0])


def test_a_live_stream_is_answered_as_it_sounds(server):
    process = subprocess.Popen(
        command(server.address, "--rate", 32000, "--format", "csv"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    process.stdin.write(bytes(2 * 32000))
    process.stdin.flush()
    os.set_blocking(process.stdout.fileno(), False)
    lines = []

    def rows():
        lines.extend((process.stdout.read() or b"").splitlines())
        return len(lines)

    # The header, and the rows from 0 to 900 ms: their windows of 160 ms are known.
    wait_until(lambda: rows() >= 20, 20, "the rows of a second")
    process.stdin.close()
    assert process.wait(20 * PATIENCE) == 0


def test_what_the_server_refuses_is_one_clear_line(server):
    ended = hearwire_stream(server, "--rate", 32000, "--config", "mn10_all_b_mel_avg", stdin=bytes(64000), code=1)
    lines = ended.stderr.decode().splitlines()
    assert len(lines) == 1 and "mn10_all_b_mel_avgs" in lines[0], lines
