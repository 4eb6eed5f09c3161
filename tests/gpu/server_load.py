"""Starts a server on free ports of 127.0.0.1, loads it with hearwire-load, and stops it.

server_load.py --name NAME --bin FOLDER --out FOLDER --config CONFIG --load KIND/SECONDS/CALLERS … -- SERVER_FLAG …

A RESULT line for the start and for each load: rate, latencies, the server's CPU per call, how busy the GPU was. Fails
when the server does not start, a call fails, the counts of calls differ, or the server does not end well.
--break-device LIBRARY: the last load is met by the loss of the device, and the server must end with exit code 70.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

from gpu_sampler import GpuSampler
from machine import own_environment

START_SECONDS = 60
STOP_SECONDS = 15  # --lame-duck and --drain-deadline are 9.
DEVICE_LOST = 70
KEPT = ("calls_per_second", "audio_seconds_per_second", "p50_ms", "p99_ms", "failed")


class Server:
    def __init__(self, given: argparse.Namespace):
        self._log = given.out / f"server-{given.name}.log"
        self._file = open(self._log, "w")
        environment = own_environment()
        if given.break_device:
            environment["LD_PRELOAD"] = str(given.break_device)
        self._begin = time.monotonic()
        self.process = subprocess.Popen(
            [str(given.bin / "hearwire-server"), "--grpc-port=0", "--metrics-port=0", *given.flags],
            env=environment, stdin=subprocess.DEVNULL, stdout=self._file, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def text(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_addresses(self) -> tuple[str, str] | None:
        """Of gRPC and of metrics; None when it ended, or took too long."""
        while time.monotonic() - self._begin < START_SECONDS and self.process.poll() is None:
            text = self.text()
            grpc = re.search(r"^gRPC listening on (\S+)$", text, re.MULTILINE)
            metrics = re.search(r"^metrics listening on (\S+)$", text, re.MULTILINE)
            if grpc and metrics:
                return grpc[1], metrics[1]
            time.sleep(0.05)
        return None

    def start_text(self) -> str:
        resident = re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        return f"started_s={time.monotonic() - self._begin:.1f} resident_mib={int(resident[1]) // 1024 if resident else -1}"

    def end(self, seconds: float = STOP_SECONDS) -> int:
        """Waits for its end; kills it when it takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def load_command(given: argparse.Namespace, load: str, address: str, metrics: str) -> list[str]:
    kind, seconds, callers = load.split("/")
    return [
        str(given.bin / "hearwire-load"), "--server", address, "--config", given.config, "--kind", kind,
        "--clip-seconds", seconds, "--concurrency", callers, "--duration", f"{given.seconds}s", "--warm-up", "1s",
        "--metrics-url", f"http://{metrics}/metrics", "--json", str(given.out / ".load.json"),
    ]  # fmt: skip


def run_load(given: argparse.Namespace, load: str, address: str, metrics: str) -> bool:
    report_file = given.out / ".load.json"
    report_file.unlink(missing_ok=True)
    with GpuSampler() as sampler:
        code = subprocess.call(load_command(given, load, address, metrics), env=own_environment())
    figures = "no report"
    if report_file.exists():
        report = json.loads(report_file.read_text())
        figures = " ".join(f"{key}={report.get(key, -1):.1f}" for key in KEPT)
        if seen := report.get("server"):
            figures += " " + " ".join(f"{key}={seen[key]:.2f}" for key in ("cpu_ms_per_call", "cpu_cores", "windows_per_batch"))
        figures += f" generator_cpu_cores={report.get('generator_cpu_cores', -1):.1f}"
        code = code or (1 if report.get("failed") else 0)
        report_file.unlink()
    print(f"RESULT server name={given.name} load={load} {figures} {sampler.text()} rc={code}", flush=True)
    return code == 0


def lose_device(given: argparse.Namespace, load: str, server: Server, address: str, metrics: str) -> bool:
    generator = subprocess.Popen(load_command(given, load, address, metrics), env=own_environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)  # fmt: skip
    time.sleep(2)
    server.process.send_signal(signal.SIGUSR1)
    begin = time.monotonic()
    code = server.end()
    print(f"RESULT server name={given.name} device_lost exit_code={code} ended_after_s={time.monotonic() - begin:.1f}", flush=True)
    generator.terminate()
    generator.wait()
    return code == DEVICE_LOST


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("--name", required=True)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--load", action="append", required=True)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--break-device", type=pathlib.Path)
    parser.add_argument("flags", nargs="*")
    given = parser.parse_args()

    server = Server(given)
    try:
        addresses = server.wait_for_addresses()
        if addresses is None:
            print(f"RESULT server name={given.name} failed: it did not start; its last words:")
            print("\n".join(server.text().splitlines()[-5:]))
            return 1
        print(f"RESULT server name={given.name} {server.start_text()}", flush=True)
        # What the server says of its choices at the start.
        for line in server.text().splitlines():
            if match := re.match(r"\S+ (warning .*|info network placed .*)", line):
                print(f"RESULT server name={given.name} log: {match[1]}", flush=True)
        good = True
        for load in given.load if not given.break_device else given.load[:-1]:
            good = run_load(given, load, *addresses) and good
        if given.break_device:
            return 0 if lose_device(given, given.load[-1], server, *addresses) and good else 1
        server.process.send_signal(signal.SIGTERM)
        code = server.end()
        if code != 0:
            print(f"RESULT server name={given.name} failed: it ended with {code}")
        return 0 if good and code == 0 else 1
    finally:
        server.end(0)


if __name__ == "__main__":
    sys.exit(main())
