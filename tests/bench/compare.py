"""Measures Hearwire's engine beside others on this machine, in turns, and writes what it found as JSON.

    compare.py BUILD FOLDER RESULTS [--rounds N] [--widths 0.1,0.4,1.0,2.0] [--threads 1] [--bfloat16]

Every program keeps its process; a round runs each case of each program, one after the other, so that whatever the
machine does meets all of them. First all programs must give the same rows.
"""

from __future__ import annotations

import atexit
import collections
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import time

import numpy as np

import arguments
from workloads import write_sound

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = ("onnxruntime", "openvino")
# On one thread, where the processor multiplies in bfloat16.
BFLOAT16_NATIVE, BFLOAT16_ENGINE = "native_bfloat16", "openvino_default"
WORKLOADS = ("timestamps10", "scene10", "scene1", "mixed64")
# On one thread, of the networks of which it does not take minutes: windows of 10 s every 2.5 s, and their mean.
LONG_SCENES, LONG_WIDTHS = ("scene60", "scene600"), ("0.4", "1.0")
WALL, CPU = 0, 1
TRIALS = 3  # Of each batch size, to find an engine's best.
BATCHES = {"timestamps10": (16, 64, 201), "scene10": (1,), "scene1": (1,), "mixed64": (1, 8), "scenes16": (1, 4),
           "scene60": (1,), "scene600": (1,)}
TOLERANCE = {BFLOAT16_NATIVE: 0.1, BFLOAT16_ENGINE: 0.1}  # Of random networks, which carry errors far.
FLOAT32_TOLERANCE = 1e-4
PATIENCE = 600  # Seconds, for one answer.
# A case is run until it has taken so many seconds, for what is short is at the mercy of every interrupt; an odd number of
# times, so that there is one in the middle, and at most so often.
LEAST_SECONDS = 0.03
MOST_RUNS = 15


def has_bfloat16() -> bool:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return cpuinfo.exists() and re.search(r"\bavx512_bf16\b", cpuinfo.read_text()) is not None


class Program:
    def __init__(self, *command: str):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)  # Nothing is left running when something fails.

    def ask(self, *words) -> str:
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], f"{self.process.args} hangs at {words}"
        answer = self.process.stdout.readline().strip()
        assert answer, f"{self.process.args} ended at {words}"
        return answer

    def time(self, *words) -> list[float]:
        """Wall and CPU seconds: medians of a few runs where one is short."""
        runs: list[list[float]] = []
        while len(runs) % 2 == 0 or (len(runs) < MOST_RUNS and sum(run[WALL] for run in runs) < LEAST_SECONDS):
            runs.append([float(word) for word in self.ask(*words).split()])
        return np.median(runs, axis=0).tolist()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Comparison:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path, widths: list[str], threads: tuple[int, ...],
                 engines: tuple[str, ...], others: bool):
        self.folder, self.widths, self.threads, self.engines, self.programs = folder, widths, threads, engines, {}
        folder.mkdir(parents=True, exist_ok=True)
        write_sound(folder / "sound")
        worker = str(build / "tests/bench_worker")
        self.programs["native"] = Program(worker, "native", str(folder / "sound"))
        if others and (build / "lib/hearwire/libhearwire_torch.so").exists():
            self.programs["torch"] = Program(worker, "torch", str(folder / "sound"))
        for kind in engines:
            for mode in ("1", "2", "1x2") if 2 in threads else ("1",):
                self.start(kind, mode)
        if has_bfloat16():
            self.programs[BFLOAT16_NATIVE] = Program(worker, BFLOAT16_NATIVE, str(folder / "sound"))
            self.start(BFLOAT16_ENGINE, "1")
        for mode in () if not others else ("1", "1x2") if 2 in threads else ("1",):
            self.start("pytorch", mode)
        for width in widths:
            self.programs["native"].ask("network", width, folder / f"network-{width}")
        for workload in BATCHES:
            self.programs["native"].ask("windows", workload, folder / f"windows-{workload}")

    def start(self, kind: str, mode: str) -> None:
        self.programs[f"{kind} {mode}"] = Program(
            sys.executable, str(HERE / "contender.py"), kind, str(self.folder), mode
        )

    def check_rows(self) -> dict[str, float]:
        """The largest difference of each program's rows from the native ones, relative to the largest value."""
        largest: dict[str, float] = {}
        for width in self.widths:
            for workload in ("timestamps10", "scene10"):
                expected = None
                for name, program in self.programs.items():
                    if name.split()[-1] in ("2", "1x2"):
                        continue
                    program.ask("rows", width, workload, self.folder / "rows")
                    rows = np.fromfile(self.folder / "rows", "<f4")
                    expected = rows if expected is None else expected
                    assert rows.shape == expected.shape, f"{name}: {rows.shape} instead of {expected.shape}"
                    error = float(np.abs(rows - expected).max() / np.abs(expected).max())
                    assert error < TOLERANCE.get(name.split()[0], FLOAT32_TOLERANCE), f"{name} differs by {error} for width {width}, {workload}"
                    largest[name] = max(largest.get(name, 0), error)
        return largest

    def cases(self) -> dict[str, tuple]:
        """Name: program and words. Names are width|workload|what|threads|batch."""
        cases = {}
        for width in self.widths:
            for workload in WORKLOADS:
                for name in ("native", "torch"):
                    if name not in self.programs:
                        continue
                    for parts in ("engine", "all"):
                        for threads in self.threads:
                            cases[f"{width}|{workload}|{name} {parts}|{threads}|"] = (
                                name, "run", width, workload, threads, parts)
                for kind in self.engines:
                    for mode in map(str, self.threads):
                        for batch in BATCHES[workload]:
                            cases[f"{width}|{workload}|{kind}|{mode}|{batch}"] = (
                                f"{kind} {mode}", "run", width, workload, batch)
                if BFLOAT16_NATIVE in self.programs:
                    for parts in ("engine", "all"):
                        cases[f"{width}|{workload}|{BFLOAT16_NATIVE} {parts}|1|"] = (
                            BFLOAT16_NATIVE, "run", width, workload, 1, parts)
                    for batch in BATCHES[workload]:
                        cases[f"{width}|{workload}|{BFLOAT16_ENGINE}|1|{batch}"] = (
                            f"{BFLOAT16_ENGINE} 1", "run", width, workload, batch)
                if workload != "mixed64" and "pytorch 1" in self.programs:
                    cases[f"{width}|{workload}|reference|1|"] = ("pytorch 1", "run", width, workload, 1)
            for workload in LONG_SCENES if width in LONG_WIDTHS else ():
                for name in ("native", BFLOAT16_NATIVE):
                    if name in self.programs:
                        for parts in ("engine", "all"):
                            cases[f"{width}|{workload}|{name} {parts}|1|"] = (name, "run", width, workload, 1, parts)
                for kind in (*self.engines, BFLOAT16_ENGINE):
                    if f"{kind} 1" in self.programs:
                        cases[f"{width}|{workload}|{kind}|1|1"] = (f"{kind} 1", "run", width, workload, 1)
            for threads in self.threads if 2 in self.threads else ():
                for workload in ("timestamps10", "timestamps10x16", "scenes16", "timestamps60"):
                    cases[f"{width}|{workload}|native workers|{threads}|"] = (
                        "native", "run", width, workload, threads, "workers")
            for kind in self.engines:
                for mode in ("2", "1x2") if 2 in self.threads else ():
                    for batch in BATCHES["scenes16"]:
                        cases[f"{width}|scenes16|{kind}|{mode}|{batch}"] = (
                            f"{kind} {mode}", "run", width, "scenes16", batch)
        cases["|timestamps10|native frames|1|"] = ("native", "run", self.widths[0], "timestamps10", 1, "frames")
        cases["|multiply_adds|native|1|"] = ("native", "multiply_adds")
        if "pytorch 1" not in self.programs:
            return cases
        cases["|timestamps10|aten frames|1|"] = ("pytorch 1", "frames")
        for mode in ("1", "1x2") if 2 in self.threads else ("1",):
            for library in ("numpy", "torch"):
                cases[f"|sgemm|{library}|{mode}|"] = (f"pytorch {mode}", "sgemm", library)
        cases["|copy|numpy|1|"] = ("pytorch 1", "copy")
        return cases


def drop_slow_batches(times: dict[str, list]) -> set[str]:
    """The cases to keep: of each engine's batch sizes the fastest, in the time that its table shows."""
    best: dict[str, tuple[float, str]] = {}
    for case, values in times.items():
        key = case.rsplit("|", 1)[0]
        kind = CPU if key.endswith("|1") else WALL
        least = min(value[kind] for value in values)
        if key not in best or least < best[key][0]:
            best[key] = (least, case)
    return {case for _, case in best.values()}


def main() -> None:
    parser = arguments.parser()
    parser.add_argument("--widths", default="0.1,0.4,1.0,2.0")
    parser.add_argument("--threads", choices=("1", "1,2"), default="1,2", help="1: where a second core is not free")
    parser.add_argument("--bfloat16", action="store_true",
                        help="only native and OpenVINO, in float32 and bfloat16, on one thread: needs no PyTorch")
    options = parser.parse_args()

    threads = (1,) if options.bfloat16 else tuple(map(int, options.threads.split(",")))
    engines = ("openvino",) if options.bfloat16 else ENGINES
    comparison = Comparison(options.build, options.folder, options.widths.split(","), threads, engines,
                            others=not options.bfloat16)
    errors = comparison.check_rows()
    print("all programs give the same rows:", {name: f"{error:.1e}" for name, error in errors.items()}, flush=True)

    cases = comparison.cases()
    times: dict[str, list] = {}
    # Warming up: compiles models, and finds each engine's best batch size where there is a choice.
    for case, (program, *words) in cases.items():
        comparison.programs[program].ask(*words)
    alternatives = collections.Counter(case.rsplit("|", 1)[0] for case in cases)
    for case, (program, *words) in cases.items():
        choice = alternatives[case.rsplit("|", 1)[0]] > 1
        times[case] = [comparison.programs[program].time(*words) for _ in range(TRIALS)] if choice else [[0, 0]]
    kept = drop_slow_batches(times)
    cases = {case: run for case, run in cases.items() if case in kept}
    print("warm", flush=True)
    times = {case: [] for case in cases}
    loads = []
    for number in range(options.rounds):
        started = time.time()
        loads.append(os.getloadavg()[0])
        for case, (program, *words) in cases.items():
            # Once before: each finds the caches as a service has them that does nothing else, whatever ran in between.
            comparison.programs[program].ask(*words)
            times[case].append(comparison.programs[program].time(*words))
        print(f"round {number + 1} of {options.rounds}: {time.time() - started:.0f} s", flush=True)
        # After every round: what is cut short is not lost.
        options.results.write_text(json.dumps({"errors": errors, "loads": loads, "times": times}, indent=1))
    for program in comparison.programs.values():
        program.close()


if __name__ == "__main__":
    main()
