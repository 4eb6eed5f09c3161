"""What hours of audio in one stream take of a server's memory, and how many rows come out.

    long_stream.py BUILD [--hours N] [--networks NAME…]

A minute of noise is sent over and over, as fast as the server takes it, for timestamps and scenes; each network has a
server of its own. Resident memory is read after each hour of audio, and the most by the system, exactly (VmHWM).
"""

from __future__ import annotations

import time

import measured
import numpy as np
from processes import cpu_seconds, memory

RATE = 32000
MINUTE_SECONDS = 60
PIECE_BYTES = 1 << 20
EMBEDDED = "embedded"


def minute_of_noise() -> list[bytes]:
    noise = np.random.default_rng(1).uniform(-3000, 3000, MINUTE_SECONDS * RATE).astype("<i2").tobytes()
    return [noise[first : first + PIECE_BYTES] for first in range(0, len(noise), PIECE_BYTES)]


def run(module, hours: int, config: str, *flags: str) -> None:
    pb = module.pb
    pieces = minute_of_noise()
    hourly: list[int] = []  # Resident, in kB, as the server has taken so many hours.
    with module.Server("--device=cpu", "--log-level=warning", *flags) as server:

        def messages():
            yield pb.StreamEmbeddingsRequest(start=pb.StreamStart(
                config=config, encoding=pb.Pcm.ENCODING_LINEAR16, sample_rate_hertz=RATE, timestamps=True, scenes=True))
            for minute in range(1, 60 * hours + 1):
                for piece in pieces:
                    yield pb.StreamEmbeddingsRequest(samples=piece)
                if minute % 60 == 0 or minute == 10:
                    hourly.append(memory(server.process.pid)["VmRSS"])

        begin = time.monotonic()
        rows, windows, summary = 0, 0, None
        for message in server.stub.StreamEmbeddings(messages()):
            kind = message.WhichOneof("response")
            if kind == "timestamps":
                rows += message.timestamps.embeddings.rows
            elif kind == "scene":
                windows += 1
            elif kind == "summary":
                summary = message.summary
        took = time.monotonic() - begin
        seconds = 3600 * hours
        expected = (20 * seconds + 1, int(seconds / 2.5) + 1)
        assert (rows, windows) == (summary.timestamp_rows, summary.scene_windows) == expected, (rows, windows, expected)
        assert summary.audio_ms == 1000 * seconds
        cpu = cpu_seconds(server.process.pid)
        peak = memory(server.process.pid)["VmHWM"]
    print(f"{config or EMBEDDED}: {hours} h in {took:.0f} s ({seconds / took:.0f} times real time, {cpu:.0f} s of CPU), "
          f"{rows} rows and {windows} scene windows; resident {hourly[0] / 1024:.1f} MiB after 10 minutes, "
          f"{hourly[1] / 1024:.1f} after 1 h, {hourly[-1] / 1024:.1f} at the end, {peak / 1024:.1f} at most", flush=True)


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--networks", nargs="*", default=[EMBEDDED, "mn01"])
    arguments = parser.parse_args()
    module = measured.server_module(arguments.build)
    for network in arguments.networks:
        if network == EMBEDDED:
            run(module, arguments.hours, "")
            continue
        with measured.repository(arguments.build, network) as models:
            run(module, arguments.hours, f"{network}_all_b_mel_avgs", f"--model-repository={models}")


if __name__ == "__main__":
    main()
