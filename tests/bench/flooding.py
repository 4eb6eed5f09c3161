"""What one caller's flood does to another caller's short calls, and what long calls do to short ones of the same caller.

    flooding.py BUILD [--seconds N]

Each caller is a process in a network namespace of its own, so that the server sees two addresses. All share the
machine's CPUs; the flooding process gives way to the others (nice). The short calls are scenes of 1 s on mn04, one
after the other. Aims: against a flood, their p99 is at most 5 times the idle one plus the time of one full batch
of what floods; beside the same caller's long calls, at most 10 times; and none fails.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import flac
import grpc
import measured
import numpy as np
from namespaces import Star

SHORT_CONFIG = "mn04_all_b_mel_avgs"
OTHER_CONFIG = "mn10_all_b_mel_avgs"
PAUSE_S = 0.01
RATE = 44100
# Calls at once, over as many connections, and the config.
FLOODS = {
    "hours": (8, 4, SHORT_CONFIG),  # An hour of silence as FLAC: half a megabyte.
    "pcm": (32, 32, SHORT_CONFIG),  # 5 minutes at 44.1 kHz: 26 MB.
    "small": (256, 8, SHORT_CONFIG),  # Scenes of 1 s.
    "network": (32, 8, OTHER_CONFIG),  # Timestamps of 10 s on another network.
    "streams": (32, 8, SHORT_CONFIG),  # Of timestamps and scenes, as fast as they are taken.
}
BATCH_SECONDS = 12.8  # 256 windows of timestamps of 16 frames: a full batch.


def channel_to(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=[
        ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])


def noise(module, seconds: float, rate: int = 32000):
    return module.pcm16(np.random.default_rng(1).uniform(-0.1, 0.1, int(rate * seconds)), rate)


# --- The short calls: a process of its own.


def make_short_calls(module, address: str, seconds: float) -> None:
    stub = module.pb_grpc.EmbeddingServiceStub(channel_to(address))
    request = module.pb.GetSceneEmbeddingsRequest(clips=[noise(module, 1)], config=SHORT_CONFIG)
    taken: list[float] = []
    failed: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            stub.GetSceneEmbeddings(request, timeout=30)
            taken.append(time.monotonic() - start)
        except grpc.RpcError as error:
            failed[error.code().name] += 1
        time.sleep(PAUSE_S)
    json.dump({"taken": taken, "failed": failed}, sys.stdout)


def time_batches(module, address: str) -> None:
    """The least time of a call that is one full batch, of each config."""
    stub = module.pb_grpc.EmbeddingServiceStub(channel_to(address))
    clip = noise(module, BATCH_SECONDS - 0.05)
    times = {}
    for config in (SHORT_CONFIG, OTHER_CONFIG):
        request = module.pb.GetTimestampEmbeddingsRequest(clips=[clip], config=config)
        times[config] = min(stub.GetTimestampEmbeddings(request, timeout=60).timings.inference_ns for _ in range(7)) / 1e9
    json.dump(times, sys.stdout)


# --- The flood: likewise, until it is killed.


def make_flood(module, address: str, kind: str) -> None:
    at_once, connections, config = FLOODS[kind]
    pb = module.pb
    os.nice(10)
    method, request = "GetSceneEmbeddings", None
    if kind == "hours":
        with tempfile.TemporaryDirectory() as folder:
            file = flac.write(pathlib.Path(folder) / "hour.flac", (np.zeros(RATE) for _ in range(3600)), RATE)
        request = pb.GetSceneEmbeddingsRequest(clips=[pb.Audio(encoded=file)], config=config)
    elif kind == "pcm":
        request = pb.GetSceneEmbeddingsRequest(clips=[noise(module, 300, RATE)], config=config)
    elif kind == "small":
        request = pb.GetSceneEmbeddingsRequest(clips=[noise(module, 1)], config=config)
    else:
        method, request = "GetTimestampEmbeddings", pb.GetTimestampEmbeddingsRequest(clips=[noise(module, 10)], config=config)
    stubs = [module.pb_grpc.EmbeddingServiceStub(channel_to(address)) for _ in range(connections)]
    piece = pb.StreamEmbeddingsRequest(samples=noise(module, 16).pcm.samples)
    start = pb.StreamEmbeddingsRequest(start=pb.StreamStart(
        config=config, encoding=pb.Pcm.ENCODING_LINEAR16, sample_rate_hertz=32000, timestamps=True, scenes=True))

    def call(i: int) -> None:
        stub = stubs[i % connections]
        while True:
            try:
                if kind == "streams":
                    for _ in stub.StreamEmbeddings(itertools.chain([start], itertools.repeat(piece)), timeout=120):
                        pass
                else:
                    getattr(stub, method)(request, timeout=120)
            except grpc.RpcError:
                time.sleep(0.02)  # A refusal: as clients do, if not for long.

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(at_once)]
    for thread in threads:
        thread.start()
    print("flooding", flush=True)
    threading.Event().wait()


# --- The comparison.


def run(build: pathlib.Path, seconds: float) -> None:
    module = measured.server_module(build)
    with Star(2) as star, measured.repository(build, "mn04", "mn10") as models:
        with module.Server("--device=cpu", f"--model-repository={models}", "--host=0.0.0.0",
                           "--log-level=warning", prefix=star.inside(0)) as server:
            port = server.address.rsplit(":", 1)[1]

            def start(caller: int, *role: str) -> subprocess.Popen:
                command = [*star.inside(caller), sys.executable, __file__, str(build), "--address",
                           f"{star.server_address(caller)}:{port}", *role]
                return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

            def answer(*role: str) -> dict:
                process = start(1, *role)
                text, _ = process.communicate(timeout=seconds + 120)
                assert process.returncode == 0, role
                return json.loads(text)

            batches = answer("--role", "batches")
            print("one full batch: " + ", ".join(f"{config} {1e3 * s:.1f} ms" for config, s in batches.items()))
            short = ("--role", "short", "--seconds", str(seconds))
            # The least of three: what else the machine does would loosen the aims.
            idle = min(measured.percentile(answer(*short)["taken"], 0.99) for _ in range(3))
            print(f"idle: p99 {1e3 * idle:.2f} ms")
            for kind, flooder, times in [*((kind, 2, 5) for kind in FLOODS), ("hours", 1, 10)]:
                flood = start(flooder, "--role", "flood", "--kind", kind)
                try:
                    assert flood.stdout.readline() == "flooding\n"
                    time.sleep(1)
                    found = answer(*short)
                finally:
                    flood.kill()
                    flood.wait()
                p50, p99 = (measured.percentile(found["taken"], share) for share in (0.5, 0.99))
                bound = times * idle + (batches[FLOODS[kind][2]] if flooder == 2 else 0)
                print(f"{kind}, from {'another' if flooder == 2 else 'the same'} address: {len(found['taken'])} short "
                      f"calls, p50 {1e3 * p50:.2f} ms, p99 {1e3 * p99:.2f} ms = {p99 / idle:.1f} x idle, "
                      f"{p99 / bound:.2f} of the aim; failed: {found['failed'] or 'none'}", flush=True)
                time.sleep(2)  # What was let in ends.


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each phase")
    parser.add_argument("--role", choices=("short", "batches", "flood"), help="of a process of a run")
    parser.add_argument("--address", help="likewise")
    parser.add_argument("--kind", choices=FLOODS, help="likewise")
    arguments = parser.parse_args()
    if arguments.role is None:
        return run(arguments.build, arguments.seconds)
    module = measured.server_module(arguments.build)
    if arguments.role == "short":
        make_short_calls(module, arguments.address, arguments.seconds)
    elif arguments.role == "batches":
        time_batches(module, arguments.address)
    else:
        make_flood(module, arguments.address, arguments.kind)


if __name__ == "__main__":
    main()
