"""What an hour of audio takes of a server's memory, beside a minute of the same.

    long_audio.py BUILD [--seconds N]

FLAC at 44.1 kHz: tones and faint noise, so that an hour is a message of some 50 MB. Each call meets a server of its
own, whose peak (VmHWM) is exact. Taken off are the request and the reply: once each, and as gRPC and Protobuf hold
them while they come and go, which is twice (their bytes on the wire, and the message).
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator

import flac
import measured
import numpy as np
from processes import memory

RATE = 44100
CASES = [("mn04", "scene"), ("mn01", "timestamps")]
SHORT_SECONDS = 60


@dataclasses.dataclass
class Use:
    request_bytes: int
    reply_bytes: int
    start_bytes: int  # Resident before the call,
    peak_bytes: int  # and at most.

    def beyond_messages(self, copies: int) -> int:
        return self.peak_bytes - self.start_bytes - copies * (self.request_bytes + self.reply_bytes)


def _pieces(seconds: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(1)
    for second in range(seconds):
        t = second + np.arange(RATE) / RATE
        tones = 300 * np.sin(2 * np.pi * 440 * t) + 100 * np.sin(2 * np.pi * 1000.5 * t)
        yield np.round(tones + random.uniform(-1, 1, RATE))


def sound(seconds: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return flac.write(pathlib.Path(folder) / "sound.flac", _pieces(seconds), RATE)


def measure(module, kind: str, config: str, file: bytes, *flags: str) -> Use:
    method = "GetTimestampEmbeddings" if kind == "timestamps" else "GetSceneEmbeddings"
    request = getattr(module.pb, f"{method}Request")(clips=[module.pb.Audio(encoded=file)], config=config)
    with module.Server("--device=cpu", "--max-queue-time=1h", "--log-level=warning", *flags) as server:
        call = getattr(server.stub, method)
        warm = getattr(module.pb, f"{method}Request")(clips=[module.pcm(module.chirp(1))], config=config)
        call(warm, timeout=60)
        start = memory(server.process.pid)["VmRSS"]
        reply = call(request, timeout=280)
        peak = memory(server.process.pid)["VmHWM"]
        return Use(request.ByteSize(), reply.ByteSize(), start * 1024, peak * 1024)


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    arguments = parser.parse_args()
    module = measured.server_module(arguments.build)
    files = {seconds: sound(seconds) for seconds in (SHORT_SECONDS, arguments.seconds)}
    with measured.repository(arguments.build, *(network for network, _ in CASES)) as models:
        for network, kind in CASES:
            uses = [measure(module, kind, f"{network}_all_b_mel_avgs", file, f"--model-repository={models}")
                    for file in files.values()]
            for seconds, use in zip(files, uses):
                print(f"{network}, {kind} of {seconds} s: {use.start_bytes / 1e6:.0f} MB resident before, "
                      f"{use.peak_bytes / 1e6:.0f} at most; request {use.request_bytes / 1e6:.1f} MB, "
                      f"reply {use.reply_bytes / 1e6:.1f} MB")
            once, twice = (uses[1].beyond_messages(n) - uses[0].beyond_messages(n) for n in (1, 2))
            print(f"  {once / 1e6:.0f} MB more than {SHORT_SECONDS} s beyond request and reply (aim: at most 60); "
                  f"{twice / 1e6:.0f} MB beyond two copies of each", flush=True)


if __name__ == "__main__":
    main()
