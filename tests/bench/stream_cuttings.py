"""Streams against unary calls, bit for bit: random sounds, formats, lengths and cuttings over all configs.

    stream_cuttings.py BUILD [COUNT] [--seed N]

Every config is served that the golden checkpoints fit. A real server answers each sound twice, as a clip and as a
stream: rows, their times, scene and tags have to be the same. Some streams begin in the middle of the recording: their
rows have to be the clip's last ones.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import json
import math
import pathlib
import random
import sys
import tempfile
import time

import measured
import numpy as np

RATES = [8000, 11025, 12345, 16000, 22050, 31999, 44100, 48000, 96000, 192000]
CHANNELS = [1, 1, 1, 2, 3, 8]
PIECES = [1, 7, 333, 4097, 40000, 1 << 20]  # Largest, in bytes.
MOST_PIECES = 1500
MOST_BYTES = 6 << 20
LONG_SHARE = 0.07  # Of sounds of about 10 s or more, whose scenes are of one window or of several.
SETTLE_MS = 60  # In which the resampler of a stream that begins in the middle has settled.


def link_checkpoints(golden: pathlib.Path, folder: pathlib.Path) -> None:
    """The golden checkpoints, under the name of every network that they fit."""
    index = json.loads((golden / "index.json").read_text())["configs"]
    for row in csv.DictReader((golden / "configs.csv").open()):
        link = folder / f"{row['network']}.pt"
        if row["config"] in index and not link.exists():
            link.symlink_to((golden / "checkpoints" / index[row["config"]]["checkpoint"]).resolve())


@dataclasses.dataclass
class Case:
    config: object
    rate: int
    channels: int
    encoding: int
    element_type: int
    seconds: float
    most_piece: int
    timestamps: bool
    scenes: bool
    top_k: int
    first_sample: int = 0

    def __str__(self) -> str:
        return (f"{self.config.name}, {self.seconds:.5f} s of {self.channels} x {self.rate} Hz, encoding "
                f"{self.encoding}, elements {self.element_type}, pieces of up to {self.most_piece}, timestamps "
                f"{self.timestamps}, scenes {self.scenes}, top_k {self.top_k}, from {self.first_sample}")


def choose(module, configs: list, draw: random.Random) -> Case:
    pb = module.pb
    config = draw.choice(configs)
    least = max(config.min_scene_samples, config.min_timestamp_samples) / 32000 + 0.001
    seconds = draw.uniform(9.9, 13) if draw.random() < LONG_SHARE else draw.uniform(0.1, 2)
    if draw.random() < 0.02:
        seconds = draw.choice([10, 10 + 1 / 32000])
    asked = draw.choice(["t", "s", "g", "ts", "tsg", "tsg", "sg"])
    case = Case(
        config, draw.choice(RATES) if draw.random() < 0.6 else 32000, draw.choice(CHANNELS),
        draw.choice([pb.Pcm.ENCODING_LINEAR16, pb.Pcm.ENCODING_FLOAT32]),
        draw.choice([pb.ELEMENT_TYPE_FLOAT32, pb.ELEMENT_TYPE_FLOAT32, pb.ELEMENT_TYPE_FLOAT16]),
        max(seconds, least), draw.choice(PIECES), "t" in asked, "s" in asked, 5 if "g" in asked else 0)
    if seconds * case.rate * case.channels * 4 > MOST_BYTES:
        case.rate, case.channels = 32000, 1
    # Where no sample falls together with one at 32 kHz within 0.1 s, resampling goes on nearly as from the start.
    if case.timestamps and draw.random() < 0.2 and math.gcd(case.rate, 32000) >= 10:
        case.first_sample = draw.randrange(int(case.seconds * case.rate))
    return case


def bytes_of(module, case: Case, seed: int) -> bytes:
    noise = np.random.default_rng(seed)
    count = int(case.seconds * case.rate)
    t = np.arange(count)[:, None] / case.rate
    tones = np.sin(2 * np.pi * (200 + 300 * np.arange(case.channels)) * t * (1 + t))
    sound = 0.3 * tones + noise.uniform(-0.1, 0.1, (count, case.channels))
    if case.encoding == module.pb.Pcm.ENCODING_LINEAR16:
        return np.round(32767 * sound).astype("<i2").tobytes()
    return sound.astype("<f4").tobytes()


def cut(data: bytes, most: int, draw: random.Random):
    most = max(most, 2 * len(data) // MOST_PIECES + 1)
    begin = 0
    while begin < len(data):
        size = draw.randrange(most + 1)
        yield data[begin : begin + size]
        begin += size


def answer_as_stream(module, server, case: Case, data: bytes, draw: random.Random) -> list:
    pb = module.pb
    sample_bytes = case.channels * (2 if case.encoding == pb.Pcm.ENCODING_LINEAR16 else 4)

    def messages():
        yield pb.StreamEmbeddingsRequest(start=pb.StreamStart(
            config=case.config.name, encoding=case.encoding, sample_rate_hertz=case.rate, channel_count=case.channels,
            element_type=case.element_type, timestamps=case.timestamps, scenes=case.scenes, tags_top_k=case.top_k,
            first_sample=case.first_sample))
        for piece in cut(data[case.first_sample * sample_bytes :], case.most_piece, draw):
            yield pb.StreamEmbeddingsRequest(samples=piece)

    return list(server.stub.StreamEmbeddings(messages(), timeout=60 * module.PATIENCE))


def check(module, server, case: Case, seed: int, draw: random.Random) -> None:
    pb, timeout = module.pb, 60 * module.PATIENCE
    data = bytes_of(module, case, seed)
    clip = pb.Audio(pcm=pb.Pcm(encoding=case.encoding, sample_rate_hertz=case.rate, channel_count=case.channels,
                               samples=data))
    asked = dict(config=case.config.name, clips=[clip], element_type=case.element_type)
    messages = answer_as_stream(module, server, case, data, draw)
    kinds = [message.WhichOneof("response") for message in messages]
    assert kinds[0] == "started" and kinds[-1] == "summary", f"{case}: {kinds}"
    summary = messages[-1].summary
    windows = [message.scene for message in messages if message.HasField("scene")]
    if case.timestamps:
        stamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(**asked), timeout=timeout).clips[0]
        parts = [message.timestamps for message in messages if message.HasField("timestamps")]
        rows = b"".join(part.embeddings.data for part in parts)
        times = [ms for part in parts for ms in part.timestamps_ms]
        assert summary.timestamp_rows == len(times), case
        if case.first_sample == 0:
            assert (rows, times) == (stamps.embeddings.data, list(stamps.timestamps_ms)), f"{case}: rows differ"
        else:
            check_tail(case, rows, times, stamps)
    if case.first_sample > 0:
        assert not summary.HasField("scene") and not summary.tags, case
        return
    assert summary.scene_windows == len(windows), case
    samples = int(case.seconds * case.rate) * 32000 / case.rate
    if abs(samples - 320000) >= 1 or case.rate == 32000:
        is_long = samples > 320000 and (case.scenes or case.top_k > 0)
        assert bool(windows) == is_long, f"{case}: {len(windows)} scene windows"
    if case.scenes:
        scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(**asked), timeout=timeout)
        assert messages[0].started.space == scene.space, case
        assert summary.scene == scene.embeddings, f"{case}: scenes differ"
    if case.top_k:
        tags = server.stub.GetTags(
            pb.GetTagsRequest(network=case.config.network, clips=[clip], top_k=case.top_k), timeout=timeout)
        assert list(summary.tags) == list(tags.clips[0].tags), f"{case}: tags differ"


def check_tail(case: Case, rows: bytes, times: list[float], stamps) -> None:
    """The rows are the clip's last ones: of all windows that begin well behind the stream's first sample."""
    all_times = list(stamps.timestamps_ms)
    window_ms = case.config.timestamp_window_ms
    # It begins where samples of both rates coincide.
    first_ms = 1000 * case.first_sample / case.rate + 1000 / math.gcd(case.rate, 32000) + SETTLE_MS
    if 1000 * case.seconds - first_ms > 2 * window_ms:
        due = sum(ms > first_ms + window_ms / 2 for ms in all_times)
        assert len(times) >= due, f"{case}: {len(times)} of {due} rows"
    begin = len(all_times) - len(times)
    assert times == all_times[begin:], f"{case}: times differ"
    row_bytes = len(stamps.embeddings.data) // len(all_times)
    assert rows == stamps.embeddings.data[begin * row_bytes :], f"{case}: rows differ"


def run(module, server, count: int, seed: int) -> collections.Counter:
    """Checks so many cases; how often each config was in one."""
    draw = random.Random(seed)
    configs = list(server.stub.ListConfigs(module.pb.ListConfigsRequest(loaded_only=True)).configs)
    met: collections.Counter[str] = collections.Counter({config.name: 0 for config in configs})
    for number in range(count):
        case = choose(module, configs, draw)
        check(module, server, case, seed + number, draw)
        met[case.config.name] += 1
    return met


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    module = measured.server_module(arguments.build)
    shared = module.shared_folder()
    if shared is None:
        sys.exit("stream_cuttings.py: no golden data: set HEARWIRE_SHARED")
    with tempfile.TemporaryDirectory() as folder:
        link_checkpoints(shared / "golden", pathlib.Path(folder))
        with module.Server("--device=cpu", "--log-level=warning", f"--model-repository={folder}") as server:
            begin = time.monotonic()
            met = run(module, server, arguments.count, arguments.seed)
            took = time.monotonic() - begin
    print(f"{arguments.count} streams equal their clips bit for bit: {len(met)} configs, each in {min(met.values())} "
          f"to {max(met.values())} of them, in {took:.0f} s")


if __name__ == "__main__":
    main()
