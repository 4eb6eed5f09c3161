"""What a live stream costs the server, against the same audio as clips and against gRPC alone: CPU time for timestamps,
in one run.

    tests/bench/stream_cost.py [--config NAME] [--streams N] [--seconds S] [--rounds N] [-- FLAGS OF THE SERVER]

Each of the streams sends a piece of 100 ms every 100 ms; the clips are as long as the streams, one at a time; gRPC alone
is a server that answers the same pieces with rows of zeros (stream_echo). Rounds alternate; medians and their ratios are
printed. HEARWIRE_BIN: the folder of the programs (default build/dev/bin).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import grpc
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from hearwire_server import BIN, Server, chirp, pb, pb_grpc, pcm16  # noqa: E402

PIECE_SECONDS = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Echo:
    """gRPC alone, on a free port of 127.0.0.1."""

    def __init__(self, columns: int):
        self.process = subprocess.Popen(
            [str(BIN.parent / "tests/stream_echo"), str(columns)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        address = self.process.stdout.readline().split()[-1]
        self.stub = pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(address))

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def live(server: Server | Echo, config: str, data: bytes, begin: float) -> None:
    size = int(PIECE_SECONDS * 32000) * 2

    def messages():
        yield pb.StreamEmbeddingsRequest(
            start=pb.StreamStart(
                config=config, encoding=pb.Pcm.ENCODING_LINEAR16, sample_rate_hertz=32000, timestamps=True
            )
        )
        for number, first in enumerate(range(0, len(data), size)):
            time.sleep(max(0.0, begin + number * PIECE_SECONDS - time.monotonic()))
            yield pb.StreamEmbeddingsRequest(samples=data[first : first + size])

    for _ in server.stub.StreamEmbeddings(messages()):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("server_flags", nargs="*")
    options = parser.parse_args()

    clip = pcm16(chirp(options.seconds))
    costs: dict[str, list[float]] = {"streams": [], "clips": [], "gRPC alone": []}
    with Server(*options.server_flags) as server:
        request = pb.GetTimestampEmbeddingsRequest(config=options.config, clips=[clip])
        columns = server.stub.GetTimestampEmbeddings(request).clips[0].embeddings.columns

        def measured(process: subprocess.Popen, work) -> float:
            before = cpu_seconds(process.pid)
            work()
            return (cpu_seconds(process.pid) - before) / (options.streams * options.seconds)

        def streams(to: Server | Echo) -> None:
            # Not in step with each other, as callers are not.
            begin = time.monotonic() + 0.1
            threads = [
                threading.Thread(
                    target=live,
                    args=(to, options.config, clip.pcm.samples, begin + PIECE_SECONDS * i / options.streams),
                )
                for i in range(options.streams)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        def clips() -> None:
            for _ in range(options.streams):
                server.stub.GetTimestampEmbeddings(request)

        with Echo(columns) as echo:
            for _ in range(options.rounds):
                costs["clips"].append(measured(server.process, clips))
                costs["streams"].append(measured(server.process, lambda: streams(server)))
                costs["gRPC alone"].append(measured(echo.process, lambda: streams(echo)))
    for what, values in costs.items():
        spread = f"{1000 * min(values):.2f} to {1000 * max(values):.2f}"
        print(f"{what}: {1000 * statistics.median(values):.2f} ms of CPU for a second of audio ({spread})")
    ratios = np.array(costs["streams"]) / np.array(costs["clips"])
    print(f"streams / clips: {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")
    ratios = np.array(costs["streams"]) / (np.array(costs["clips"]) + np.array(costs["gRPC alone"]))
    print(f"streams / (clips + gRPC alone): {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")


if __name__ == "__main__":
    main()
