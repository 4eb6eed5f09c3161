"""What serving costs: the server's CPU time per call beside the same work in one process, in turns; start-up; idling.

    server_cost.py BUILD FOLDER RESULTS [--rounds N]
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

import grpc
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import arguments
from hearwire_server import Server, pb, pcm, pcm16
from processes import cpu_seconds, memory, thread_seconds
from workloads import make_sound

NETWORKS = {"mn01": "0.1", "mn04": "0.4", "mn10": "1.0"}
# Network, workload, encoding of the samples, calls at once; how many times a round.
CASES = {
    ("mn10", "timestamps10", "16-bit", 1): 8,
    ("mn10", "timestamps10", "float32", 1): 8,
    ("mn10", "timestamps10", "16-bit", 8): 2,
    ("mn04", "timestamps10", "16-bit", 1): 16,
    ("mn04", "timestamps10", "float32", 1): 16,
    ("mn04", "timestamps10", "16-bit", 8): 4,
    ("mn01", "scene1", "16-bit", 1): 50,
    ("mn01", "scene1", "16-bit", 8): 20,
}
ENCODINGS = {"16-bit": pcm16, "float32": pcm}


def start_up(program: pathlib.Path, flags: list[str]) -> tuple[float, int]:
    """Seconds from exec until it says that it serves, and its resident kB then."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [program, "--grpc-port=0", "--metrics-port=0", "--lame-duck=0s", "--device=cpu", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("gRPC listening on ")
    seconds, resident = time.perf_counter() - start, memory(process.pid)["VmRSS"]
    process.terminate()
    process.wait()
    return seconds, resident


def main() -> None:
    options = arguments.parser().parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    sound = make_sound()
    sound.tofile(options.folder / "sound")
    worker = subprocess.Popen(
        [options.build / "tests/bench_worker", "native", options.folder / "sound"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(*words) -> str:
        worker.stdin.write(" ".join(map(str, words)) + "\n")
        worker.stdin.flush()
        return worker.stdout.readline().strip()

    repository = options.folder / "repository"
    for name, width in NETWORKS.items():
        for folder in (repository, options.folder / f"repository-{name}"):
            folder.mkdir(exist_ok=True)
            ask("checkpoint", width, folder / f"{name}_as.pt")
    program = options.build / "bin/hearwire-server"
    found: dict = {"start": {}, "cost": {}, "threads": {}}
    for _ in range(options.rounds):
        for name, flags in {"default": [], "mn10": [f"--model-repository={options.folder}/repository-mn10"]}.items():
            found["start"].setdefault(name, []).append(start_up(program, flags))

    # One worker beside one thread: two at once cost more CPU time wherever cores share something.
    flags = ["--device=cpu", "--workers=1", f"--model-repository={repository}", "--max-queue-time=1h",
             "--log-level=warning"]
    with Server(*flags) as server:
        pid = server.process.pid

        def send(network: str, workload: str, encoding: str) -> grpc.Future:
            clips = [ENCODINGS[encoding](sound[: 32000 if workload == "scene1" else 320000])]
            config = f"{network}_all_b_mel_avgs"
            if workload.startswith("timestamps"):
                return server.stub.GetTimestampEmbeddings.future(
                    pb.GetTimestampEmbeddingsRequest(clips=clips, config=config), timeout=60)
            return server.stub.GetSceneEmbeddings.future(
                pb.GetSceneEmbeddingsRequest(clips=clips, config=config), timeout=60)

        for (network, workload, encoding, at_once), turns in CASES.items():
            def call() -> None:
                for future in [send(network, workload, encoding) for _ in range(at_once)]:
                    future.result()

            def alone(part: str) -> float:
                return float(ask("run", NETWORKS[network], workload, 1, part).split()[1])

            call(), alone("with_mel_avgs"), alone("frames")
            rounds = []
            threads: dict[str, float] = {}
            for _ in range(options.rounds):
                turn_values = []
                for _ in range(turns):
                    before, of_threads = cpu_seconds(pid), thread_seconds(pid)
                    call()
                    beside = [alone("with_mel_avgs"), alone("frames")]
                    # After the others, so that what the server does behind its reply counts too.
                    turn_values.append([(cpu_seconds(pid) - before) / at_once, *beside])
                    for thread, seconds in thread_seconds(pid).items():
                        threads[thread] = threads.get(thread, 0) + (seconds - of_threads.get(thread, 0)) / at_once
                rounds.append(np.median(turn_values, axis=0).tolist())
            name = f"{network} {workload} {encoding} {at_once}"
            found["cost"][name] = rounds
            found["threads"][name] = {
                thread: seconds / turns / options.rounds for thread, seconds in threads.items() if seconds > 0
            }
        found["memory_after_calls"] = memory(pid)
        before = cpu_seconds(pid)
        time.sleep(5)
        found["idle_cpu_per_second"] = (cpu_seconds(pid) - before) / 5
    with Server("--device=cpu") as small:
        for seconds in (1, 10) * 20:
            small.stub.GetSceneEmbeddings(
                pb.GetSceneEmbeddingsRequest(clips=[pcm(sound[: 32000 * seconds])]), timeout=60)
        found["memory_after_calls_default"] = memory(small.process.pid)
    worker.stdin.close()
    worker.wait()
    options.results.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
