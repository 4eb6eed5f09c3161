"""Turns what compare.py, server_cost.py, batching_gain.py and width_table.py found into the tables of docs/performance.md.

    report.py FOLDER PAGE [README]
    report.py RESULTS           prints what compare.py --bfloat16 found

FOLDER holds what those wrote. PAGE is rewritten between its lines `<!-- measured -->` and
`<!-- end of measured -->`; so is README, with the table of widths, between `<!-- widths -->` and `<!-- end of widths -->`.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import pathlib
import platform
import re
import sys

import numpy as np

WALL, CPU = 0, 1
SGEMM_FLOPS = 4 * 2 * 1024**3
# Nominal multiply-adds, from the spectrogram to block 15.
MULTIPLY_ADDS = {
    ("1.0", "timestamps10"): 201 * 11.30e6, ("1.0", "scene10"): 519.5e6, ("0.4", "scene10"): 107e6,
    ("0.4", "timestamps10"): 201 * 2.23e6, ("0.1", "timestamps10"): 201 * 0.326e6,
}
WORKLOADS = {
    "timestamps10": "timestamps of 10 s", "scene10": "scene of 10 s", "scene1": "scene of 1 s",
    "mixed64": "64 mixed clips", "scenes16": "16 scenes of 10 s", "timestamps60": "timestamps of 60 s",
    "scene60": "scene of 60 s", "scene600": "scene of 600 s",
}
PEERS = ("onnxruntime", "openvino")
BFLOAT16 = ("native_bfloat16", "openvino_default")


def name_of(width: str) -> str:
    return f"mn{round(10 * float(width)):02d}"


def ms(values: np.ndarray) -> str:
    """Median and, in brackets, the middle half."""
    low, middle, high = np.percentile(1000 * np.asarray(values), (25, 50, 75))
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


class Times:
    """What compare.py measured; of each engine only its best batch size is there."""

    def __init__(self, found: dict):
        self.times = {case.rsplit("|", 1)[0]: np.array(values) for case, values in found["times"].items()}
        self.batches = {case.rsplit("|", 1)[0]: case.rsplit("|", 1)[1] for case in found["times"]}
        self.widths = list(dict.fromkeys(case.split("|")[0] for case in self.times if case[0] != "|"))

    def get(self, width: str, workload: str, what: str, threads: object = 1, kind: int = CPU) -> np.ndarray | None:
        values = self.times.get(f"{width}|{workload}|{what}|{threads}")
        return None if values is None else values[:, kind]

    def best(self, *series: np.ndarray | None) -> np.ndarray | None:
        """The one with the least median, None when there is none."""
        return min((one for one in series if one is not None), key=np.median, default=None)

    def has_two_threads(self) -> bool:
        return self.get("", "sgemm", "torch", "1x2") is not None

    def sgemm(self, threads: int, kind: int) -> np.ndarray:
        """Of one thread's products; each of two threads makes as many."""
        mode = "1" if threads == 1 else "1x2"
        best = self.best(*(self.get("", "sgemm", library, mode, kind) for library in ("numpy", "torch")))
        return best / threads


def ratio(slower: np.ndarray | None, faster: np.ndarray | None) -> float:
    """The median over the rounds of what the two took in the same round; not a number when one was not measured."""
    if slower is None or faster is None:
        return math.nan
    return float(np.median(slower / faster))


def engines_table(times: Times, threads: int) -> str:
    kind = CPU if threads == 1 else WALL
    columns = {
        "native": "native engine", "LibTorch backend": "torch engine", "ONNX Runtime": "onnxruntime",
        "OpenVINO": "openvino", "native, all": "native all", "LibTorch, all": "torch all",
    }
    if threads == 1:
        columns["reference's way, all"] = "reference"
    rows = []
    for width in times.widths:
        for workload in ("timestamps10", "scene10", "scene1", "mixed64"):
            row = [name_of(width), WORKLOADS[workload]]
            for what in columns.values():
                values = times.get(width, workload, what, threads, kind)
                cell = "" if values is None else ms(values)
                batch = times.batches.get(f"{width}|{workload}|{what}|{threads}", "")
                row.append(cell + (f", n = {batch}" if cell and batch not in ("", "1") else ""))
            rows.append(row)
    return table(["network", "workload", *columns], rows)


def bfloat16_table(times: Times) -> str:
    """Empty where the processor does not multiply in bfloat16."""
    rows = []
    for width in times.widths:
        for workload in ("timestamps10", "scene10", "scene1", "mixed64"):
            native, full = (times.get(width, workload, f"{name} engine") for name in ("native_bfloat16", "native"))
            peer = times.get(width, workload, "openvino_default")
            if native is None or peer is None:
                continue
            rows.append([
                name_of(width), WORKLOADS[workload], ms(native), ms(full), ms(peer), ms(times.get(width, workload, "openvino")),
                f"{ratio(full, native):.2f}", f"{ratio(peer, native):.2f}",
            ])
    head = ["network", "workload", "native, bfloat16", "native, float32", "OpenVINO, bfloat16 (its default)",
            "OpenVINO, float32", "times native float32", "times OpenVINO's bfloat16"]
    return table(head, rows) if rows else ""


def long_scenes_table(times: Times) -> str:
    columns = {
        "native": "native engine", "native, all": "native all", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino",
        "native, bfloat16": "native_bfloat16 engine", "OpenVINO, bfloat16 (its default)": "openvino_default",
    }
    rows = []
    for width in times.widths:
        for workload in ("scene60", "scene600"):
            values = [times.get(width, workload, what) for what in columns.values()]
            if any(value is not None for value in values):
                rows.append([name_of(width), WORKLOADS[workload], *("" if value is None else ms(value) for value in values)])
    return table(["network", "workload", *columns], rows) if rows else ""


def verdict(what: str, reached: float, wanted: float, digits: int = 2) -> list[str]:
    if math.isnan(reached):
        return [what, "", f"{wanted:g}", "not measured"]
    good = reached >= wanted
    return [what, f"{reached:.{digits}f}", f"{wanted:g}", "reached" if good else "**missed**"]


def ratios_table(times: Times, server: dict) -> str:
    rows = []
    for width, wanted in (("1.0", 40), ("0.4", 60)):
        rows.append(verdict(
            f"1. {name_of(width)} timestamps of 10 s, samples to embeddings: times the reference's way",
            ratio(times.get(width, "timestamps10", "reference"), times.get(width, "timestamps10", "native all")),
            wanted, 1))
    for width, wanted in (("1.0", 2.5), ("0.4", 3.5), ("0.1", 3.5)):
        peers = times.best(*(times.get(width, "timestamps10", peer) for peer in PEERS))
        peak = times.get("", "multiply_adds", "native")
        most = ratio(peers, None if peak is None else peak / 1e9 * MULTIPLY_ADDS[width, "timestamps10"])
        rows.append(verdict(f"2. {name_of(width)} windows: times the better of the two engines on ONNX "
                            f"(multiply-adds alone, at the processor's peak, would give {most:.2f})",
                            ratio(peers, times.get(width, "timestamps10", "native engine")), wanted))
    for width in times.widths:
        peers = times.best(*(times.get(width, "scene10", peer) for peer in PEERS))
        rows.append(verdict(f"2. {name_of(width)} scene of 10 s: the same",
                            ratio(peers, times.get(width, "scene10", "native engine")), 1))
    for width in times.widths if times.has_two_threads() else ():
        peers = times.best(*(times.get(width, "scenes16", peer, mode, WALL) for peer in PEERS for mode in ("2", "1x2")))
        rows.append(verdict(f"2. {name_of(width)} stream of scenes on two cores: the same",
                            ratio(peers, times.get(width, "scenes16", "native workers", 2, WALL)), 1))
    for width, workload, wanted in (("1.0", "timestamps10", 0.65), ("1.0", "scene10", 0.60), ("0.4", "scene10", 0.35)):
        share = ratio(times.sgemm(1, CPU) / SGEMM_FLOPS * 2 * MULTIPLY_ADDS[width, workload],
                      times.get(width, workload, "native engine"))
        what = "windows" if workload == "timestamps10" else "scene"
        rows.append(verdict(f"3. {name_of(width)} {what}: share of sgemm's peak", share, wanted))
    rows.append(verdict("4. front end of 201 windows: times a plain one in ATen with shared frames",
                        ratio(times.get("", "timestamps10", "aten frames"),
                              times.get("", "timestamps10", "native frames")), 2.6))
    sgemm = ratio(times.sgemm(1, WALL), times.sgemm(2, WALL)) if times.has_two_threads() else 0
    for width in times.widths if sgemm else ():
        for workload, what in (("timestamps10", "windows of one call"), ("timestamps10x16", "stream of windows"),
                               ("scenes16", "stream of scenes"), ("timestamps60", "windows of one long call")):
            one, two = (times.get(width, workload, "native workers", threads, WALL) for threads in (1, 2))
            rows.append(verdict(f"5. {name_of(width)} {what}: two workers over one, by sgemm's {sgemm:.2f}",
                                ratio(one, two) / sgemm, 0.95))
    for case, wanted in (("mn10 timestamps10", 0.95), ("mn04 timestamps10", 0.9)):
        for kind in ("16-bit 1", "float32 1", "16-bit 8"):
            served, alone, _ = np.array(server["cost"][f"{case} {kind}"]).T
            rows.append(verdict(f"6. {call_name(f'{case} {kind}')}: CPU time in one process by the server's",
                                ratio(alone, served), wanted))
    return table(["ratio", "measured", "wanted", ""], rows)


def call_name(case: str) -> str:
    network, workload, encoding, at_once = case.split()
    how = "one call at a time" if at_once == "1" else f"{at_once} calls at once"
    return f"{network} {WORKLOADS[workload]}, {encoding} samples, {how}"


def server_tables(server: dict) -> str:
    start_rows = []
    for name, label in (("default", "embedded network"), ("mn10", "with mn10_as")):
        seconds, resident = np.array(server["start"][name]).T
        after = server["memory_after_calls_default" if name == "default" else "memory_after_calls"]["VmRSS"]
        note = "" if name == "default" else " (with mn01_as and mn04_as too, one worker)"
        start_rows.append([label, ms(seconds), f"{np.median(resident) / 1000:.0f}", f"{after / 1000:.0f}{note}"])
    text = table(["server", "exec to serving, ms", "resident when serving, MB", "resident after calls, MB"], start_rows)
    text += f"\nIdle, the server uses {1000 * server['idle_cpu_per_second']:.2f} ms of CPU a second.\n\n"
    cost_rows = []
    for case, values in server["cost"].items():
        served, alone, frames = np.array(values).T
        cost_rows.append([call_name(case), ms(served), ms(alone), ms(frames), f"{ratio(alone, served):.2f}"])
    text += "CPU ms of a call, callers not counted:\n\n"
    text += table(["call", "server", "in one process", "of that front end", "ratio"], cost_rows)
    text += "\nWhere it goes for mn01 on clips of 1 s, CPU µs a call by the server's threads:\n\n"
    meaning = {
        "worker": "running batches and handing rows back", "decode": "decoding and spectrograms",
        "nexting_thread": "gRPC's completion queue: reading, parsing and writing messages",
        "default-executo": "gRPC's executor", "timer_manager": "gRPC's timers", "grpc_global_tim": "gRPC's timers",
    }
    spent = sorted(server["threads"]["mn01 scene1 16-bit 1"].items(), key=lambda item: -item[1])
    return text + table(["thread", "µs", "what it does"],
                        [[thread, f"{1e6 * seconds:.0f}", meaning.get(thread, "")] for thread, seconds in spent])


def batching_table(batching: dict) -> str:
    def series(which: str, key: str) -> np.ndarray:
        return np.array([run[key] for run in batching[which]])

    engine = np.array(batching["engine"])
    rates = [series(which, "calls_per_second") for which in ("batched", "one window")]
    costs = [series(which, "cpu_ms_per_call") for which in ("batched", "one window")]
    cost_gain = "server's CPU time a call"
    gains = {"calls answered a second": rates[0] / rates[1], cost_gain: costs[1] / costs[0]}
    rows = [
        ["calls answered a second", *(f"{np.median(rate):.0f}" for rate in rates),
         f"{np.median(gains['calls answered a second']):.2f}"],
        ["server's CPU ms a call", *(f"{np.median(cost):.2f}" for cost in costs),
         f"{np.median(gains[cost_gain]):.2f}"],
        ["p99, ms", *(f"{np.median(series(which, 'p99_ms')):.0f}" for which in ("batched", "one window")), ""],
        ["windows in a batch", *(f"{np.median(series(which, 'windows_per_batch')):.1f}" for which in ("batched", "one window")), ""],
        ["calls in a batch", *(f"{np.median(series(which, 'calls_per_batch')):.1f}" for which in ("batched", "one window")), ""],
    ]
    text = table(["32 callers, mn10, timestamps of 0.2 s", "batched", "one window a batch", "gain"], rows)
    text += f"\nThe engine alone gains {np.median(engine):.2f} from batches of 64 windows over batches of one.\n\n"
    wanted = [verdict(f"{what}: gain by the engine's own", float(np.median(gain / engine)), 0.85) for what, gain in gains.items()]
    return text + table(["ratio", "measured", "wanted", ""], wanted)


def machine(times: Times, found: dict) -> str:
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    packages = ", ".join(f"{name} {importlib.metadata.version(package)}" for name, package in (
        ("PyTorch", "torch"), ("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino"), ("NumPy", "numpy")))
    rates = [f"{SGEMM_FLOPS / np.median(times.sgemm(1, CPU)) / 1e9:.0f} GFLOP/s on one thread"]
    if times.has_two_threads():
        rates.append(f"{SGEMM_FLOPS / np.median(times.sgemm(2, WALL)) / 1e9:.0f} on two")
    multiply_adds = times.get("", "multiply_adds", "native")
    peak = "not measured" if multiply_adds is None else f"{2 / np.median(multiply_adds):.0f} GFLOP/s on one thread"
    copied = 2 * (1 << 28) / np.median(times.get("", "copy", "numpy", 1, WALL)) / 1e9
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; {packages}. "
        f"{len(found['loads'])} rounds; load of the machine while they ran (this comparison is 1): "
        f"{min(found['loads']):.1f} to {max(found['loads']):.1f}.\n"
        f"sgemm of 1024 x 1024 x 1024, the better of OpenBLAS (NumPy) and PyTorch's: "
        f"{', '.join(rates)}. "
        f"Multiply-additions on registers alone: {peak}. "
        f"Copying: {copied:.1f} GB/s read and written.\n"
        "Largest difference of any program's rows from the native ones, relative to the largest value: "
        f"{max(error for name, error in found['errors'].items() if name.split()[0] not in BFLOAT16):.1e}.\n"
    )


def widths_table(widths: dict) -> str:
    rows = []
    for name, found in widths.items():
        rows.append([name, f"{found['bytes'] / 1e6:.1f}", f"{found['parameters'] / 1e6:.2f}", found["map"] or "",
                     *(f"{1000 * np.median(found[workload]):.1f}" for workload in ("scene10", "timestamps10"))])
    head = ["network", "checkpoint, MB", "parameters, M", "published mAP", "scene of 10 s, ms", "timestamps of 10 s, ms"]
    return table(head, rows)


def put(path: pathlib.Path, mark: str, text: str) -> None:
    page = path.read_text()
    start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    if start not in page:
        print(f"{path} has no {start.strip()}: left as it is", file=sys.stderr)
        return
    before, rest = page.split(start)
    path.write_text(before + start + "\n" + text + "\n" + end + rest.split(end)[1])


def main() -> None:
    if len(sys.argv) == 2:
        print(bfloat16_table(Times(json.loads(pathlib.Path(sys.argv[1]).read_text()))))
        return
    folder, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found, server, batching, widths = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("compare", "server", "batching", "widths"))
    times = Times(found)
    text = "\n".join([
        "### The machine\n", machine(times, found),
        "### One thread\n", "CPU ms: median, and in brackets the middle half of the rounds.\n", engines_table(times, 1),
        "### One thread, bfloat16\n" if bfloat16_table(times) else "",
        "CPU ms. Ratios: medians over the rounds of what the two took in the same round.\n" if bfloat16_table(times) else "",
        bfloat16_table(times),
        "### Long scenes, one thread\n", "CPU ms: windows of 10 s every 2.5 s, and their mean.\n", long_scenes_table(times),
        "### Two threads\n",
        "Wall ms; the peers with one session of two threads.\n" if times.has_two_threads() else
        "Not measured here: the second core was not free.\n",
        engines_table(times, 2) if times.has_two_threads() else "",
        "### Ratios\n", ratios_table(times, server),
        "### The server\n", server_tables(server),
        "### Batching across callers\n", batching_table(batching),
        "### Widths\n", "CPU ms on one thread, from samples to embeddings, weights random.\n", widths_table(widths),
    ])
    put(page, "measured", text)
    if len(sys.argv) > 3:
        put(pathlib.Path(sys.argv[3]), "widths", widths_table(widths))


main()
