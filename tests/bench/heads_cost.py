"""What heads cost on a server: CPU and wall time of a call with one head, with nineteen, and of the embeddings alone, in
turns. Prints medians and their ratios.

    heads_cost.py MODELS CONFIG FOLDER [--rounds N]

MODELS: a folder with the checkpoint of CONFIG's network. FOLDER: one to work in. Nineteen tasks of HEAR have from 2 to
200 labels; the heads here have as many, half of them with a hidden layer of 1024.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from head_files import Head
from hearwire_server import Server, chirp, pb, pcm16

LABELS = [2, 2, 3, 4, 5, 7, 7, 8, 10, 10, 10, 11, 12, 20, 35, 50, 88, 100, 200]


def cpu_seconds(pid: int) -> float:
    """Of all its threads, those that ended too: the clock that clock_getcpuclockid names."""
    return time.clock_gettime((~pid << 3) | 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("config")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    flags = ["--device=cpu", f"--model-repository={options.models}"]
    with Server(*flags) as server:
        configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=60).configs
        config = next(config for config in configs if config.name == options.config)
    names = {}
    options.folder.mkdir(parents=True, exist_ok=True)
    for kind in ("scene", "timestamps"):
        names[kind] = [f"{kind}-{i}" for i in range(len(LABELS))]
        for i, name in enumerate(names[kind]):
            sizes = [1024, LABELS[i]] if i % 2 else [LABELS[i]]
            Head(config, sizes, i, kind=kind).write(options.folder / f"{name}.safetensors")

    clip = pcm16(chirp(10))
    methods = {"scene": "GetSceneEmbeddings", "timestamps": "GetTimestampEmbeddings"}
    with Server(*flags, f"--heads={options.folder}") as server:
        for kind in ("scene", "timestamps"):
            embed = getattr(pb, methods[kind] + "Request")(config=config.name, clips=[clip])
            # One without a hidden layer and with 10 labels, and all of them.
            requests = {
                "embeddings": (methods[kind], embed),
                "1 head": ("Classify", pb.ClassifyRequest(heads=[names[kind][8]], clips=[clip])),
                "19 heads": ("Classify", pb.ClassifyRequest(heads=names[kind], clips=[clip])),
                "19 heads, top_k 1": ("Classify", pb.ClassifyRequest(heads=names[kind], clips=[clip], top_k=1)),
            }
            figures: dict[str, list[tuple[float, float]]] = {what: [] for what in requests}
            sizes = {}
            for round_number in range(options.rounds + 1):
                for what, (method, request) in requests.items():
                    cpu, wall = cpu_seconds(server.process.pid), time.perf_counter()
                    reply = getattr(server.stub, method)(request, timeout=120)
                    spent = cpu_seconds(server.process.pid) - cpu, time.perf_counter() - wall
                    sizes[what] = reply.ByteSize()
                    if round_number > 0:  # The first warms up.
                        figures[what].append(spent)
            medians = {what: [statistics.median(column) for column in zip(*rows)] for what, rows in figures.items()}
            print(f"{config.name}, {kind}, 10 s:")
            for what, (cpu, wall) in medians.items():
                ratio = cpu / medians["1 head"][0]
                print(f"  {what:18} {1e3 * cpu:8.2f} ms CPU {1e3 * wall:8.2f} ms wall {sizes[what]:9} bytes, "
                      f"{ratio:.3f} of 1 head's CPU")


if __name__ == "__main__":
    main()
