"""Runs steps and keeps what they find: each line at once, so that nothing is lost with a step that dies."""

from __future__ import annotations

import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from machine import library_path
from steps import Command, Step

_FEWEST_SECONDS = 5  # With less left a step is not begun.
_KEPT_LINES = ("RESULT ", "WARNING ")
_MOST_LOG_BYTES = 15_000_000


def _end_group(process: subprocess.Popen) -> None:
    """A program and all that it started: servers and samplers end with their step."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass


class Runner:
    """Runs steps one after the other within `seconds` for all of them."""

    def __init__(self, *, kit: pathlib.Path, out: pathlib.Path, device: str, seconds: float,
                 torch_libraries: pathlib.Path, golden: pathlib.Path | None):  # fmt: skip
        self._models, self._out, self._device = kit / "models", out, device
        self._begin = time.monotonic()
        self._end = self._begin + seconds
        self._failed: list[str] = []
        self._work = pathlib.Path(tempfile.mkdtemp(prefix="hearwire-gpu-kit-"))
        out.mkdir(parents=True, exist_ok=True)
        self._results = open(out / "results.txt", "w", encoding="utf-8", buffering=1)
        self._log = open(out / "steps.log", "w", encoding="utf-8", errors="replace", buffering=1)
        here = pathlib.Path(__file__).resolve().parent
        self._places = {
            "probe": str(kit / "tests/gpu_probe"), "bin": str(kit / "bin"), "tests": str(kit / "tests"),
            "python": sys.executable, "here": str(here), "device": device, "out": str(out), "work": str(self._work),
            "models": str(kit / "models"), "golden": str(golden or kit / "shared"), "cpus": str(os.cpu_count()),
        }  # fmt: skip
        self._environment = {
            **os.environ,
            "KIT_LIBRARY_PATH": library_path(kit, torch_libraries),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "8"),
        }
        shared = golden or kit / "shared"
        if shared.exists():
            self._environment["HEARWIRE_SHARED"] = str(shared)

    def run(self, step: Step) -> None:
        """All commands of the step, also those after one that failed, until the step's time is over."""
        begin = time.monotonic()
        end = min(begin + step.seconds, self._end)
        if step.gpu_only and self._device == "cpu":
            self._say(f"STEP {step.name} skipped: it needs a GPU")
            return
        if end - begin < _FEWEST_SECONDS:
            self._say(f"STEP {step.name} skipped: no time left")
            return
        commands = step.on_cpu if self._device == "cpu" and step.on_cpu else step.commands
        able = [command for command in commands if not command.needs or (self._models / command.needs).exists()]
        if len(able) < len(commands):
            absent = ", ".join(sorted({command.needs for command in commands if command not in able}))
            if not able:
                self._say(f"STEP {step.name} skipped: the kit was built without {absent}")
                return
            self._say(f"WARNING {step.name} in part: the kit was built without {absent}")
        print(f"=== {step.name} (at most {end - begin:.0f} s): {step.what}", file=self._log)
        code = 0
        for command in able:
            code = self._run_command(command, end) or code
            if time.monotonic() >= end:
                break
        if code != 0:
            self._failed.append(step.name)
        self._say(f"STEP {step.name} rc={code} seconds={time.monotonic() - begin:.1f}")

    def finish(self) -> int:
        """The exit code: 1 when a step failed."""
        self._say(f"STEPS failed={','.join(self._failed) or 'none'} seconds={time.monotonic() - self._begin:.1f}")
        self._log.close()
        self._results.close()
        shutil.rmtree(self._work, ignore_errors=True)
        log = self._out / "steps.log"
        if log.stat().st_size > _MOST_LOG_BYTES:
            log.write_bytes(log.read_bytes()[-_MOST_LOG_BYTES:])
        return 1 if self._failed else 0

    def _say(self, line: str) -> None:
        print(line, file=self._results)  # First: who sees the line may end this program.
        print(line, flush=True)

    def _run_command(self, command: Command, end: float) -> int:
        """Its exit code; 124 when its time was over, 127 when it could not be started."""
        words = [word.format(**self._places) for word in command.words]
        environment = dict(self._environment)
        if command.own:
            environment["LD_LIBRARY_PATH"] = environment["KIT_LIBRARY_PATH"]
        print(f"--- {' '.join(words)}", file=self._log)
        try:
            process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        except OSError as error:
            self._say(f"RESULT {pathlib.Path(words[0]).name} failed: {error}")
            return 127
        try:
            last, timed_out = self._read(process, end)
        finally:
            _end_group(process)
        code = 124 if timed_out else process.wait()
        if code != 0:
            print("\n".join(f"    | {line[:220]}" for line in last), flush=True)
        return code if code >= 0 else 128 - code

    def _read(self, process: subprocess.Popen, end: float) -> tuple[list[str], bool]:
        """Passes lines on until the program ends or its time is over. Returns the last lines, and whether it was."""
        last: list[str] = []
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                if left <= 0:
                    return last, True
                # Who holds the pipe open after the program ended, a server that it left behind, is not waited for.
                if not selector.select(min(left, 0.5)):
                    if process.poll() is not None:
                        return last, False
                    continue
                data = os.read(process.stdout.fileno(), 65536)
                *lines, rest = (rest + data).split(b"\n") if data else [*([rest] if rest else []), b""]
                for raw in lines:
                    line = raw.decode(errors="replace")
                    print(line, file=self._log)
                    last = [*last[-4:], line]
                    if line.startswith(_KEPT_LINES):
                        self._say(line)
                if not data:
                    try:
                        process.wait(max(0.0, end - time.monotonic()))
                    except subprocess.TimeoutExpired:
                        return last, True
                    return last, False
