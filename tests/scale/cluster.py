"""Servers on machines of their own, each with a part of a CPU, and two ways to them: HAProxy, and the client's own round robin.

Machines are network namespaces on one switch: servers are 1, 2, 3, then the balancer, the caller, and a relay that makes a way long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("attack", "bench", "e2e"):
    sys.path.insert(0, str(HERE.parent / folder))

from cpu_group import cpu_group  # noqa: E402
from front import Front  # noqa: E402
from hearwire_server import BIN, Server  # noqa: E402
from namespaces import Lan  # noqa: E402
from processes import cpu_seconds  # noqa: E402

SERVERS, BALANCER, CALLER, RELAY = 3, 4, 5, 6
GRPC_PORT, METRICS_PORT, DELAY_MS = 8001, 8002, 100
CORES = 0.3
WAYS = ("HAProxy", "round robin")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}
FETCH = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())"


class Machine:
    """A server that can be ended and started again on its machine."""

    def __init__(self, lan: Lan, number: int, group: list[str]):
        self._lan, self._number = lan, number
        self._prefix = [*group, *lan.inside(number)]  # Inside, the groups are out of sight.
        self.address = f"{lan.address(number)}:{GRPC_PORT}"
        self.answered_before = 0.0  # By those that have ended, as far as they said.
        self.server: Server | None = None
        self.start()

    def start(self) -> None:
        assert self.server is None
        self.server = Server(
            f"--host={self._lan.address(self._number)}", f"--grpc-port={GRPC_PORT}", f"--metrics-port={METRICS_PORT}",
            "--lame-duck=2s", f"--trusted-proxies={self._lan.address(BALANCER)}", "--log-level=warning", prefix=self._prefix)

    def end(self, how: signal.Signals) -> None:
        """SIGTERM waits until it has drained."""
        server, self.server = self.server, None
        if how == signal.SIGTERM:
            server.stop()
        else:
            server.process.send_signal(how)
            server.process.wait()
            server.channel.close()

    def answered(self) -> float:
        """Calls that this server has answered well."""
        url = f"http://{self._lan.address(self._number)}:{METRICS_PORT}/metrics"
        text = subprocess.run([*self._lan.inside(self._number), sys.executable, "-c", FETCH, url], capture_output=True,
                              text=True, check=True).stdout
        lines = [line for line in text.splitlines() if line.startswith("hearwire_requests_total{") and 'code="OK"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@dataclasses.dataclass
class Outcome:
    """What hearwire-load reports of a run, and what the run used."""

    report: dict
    balancer_cores: float

    @property
    def rate(self) -> float:
        return self.report["succeeded"] / self.report["measured_seconds"]

    @property
    def generator_cores(self) -> float:
        return self.report["generator_cpu_cores"]

    @property
    def failures(self) -> dict[str, int]:
        return dict(self.report["errors"])


class Cluster:
    """Until the end of a with block."""

    def __init__(self, certificates, cores: float = CORES):
        self._certificates = certificates
        self._stack = contextlib.ExitStack()
        self.lan = self._stack.enter_context(Lan(RELAY))
        try:
            self.machines = []
            for number in range(1, SERVERS + 1):
                group = self._stack.enter_context(cpu_group(cores))
                self.machines.append(Machine(self.lan, number, group))
                self._stack.callback(self._end, self.machines[-1])
        except BaseException:
            self._stack.close()
            raise

    @staticmethod
    def _end(machine: Machine) -> None:
        if machine.server is not None:
            machine.end(signal.SIGKILL)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def long_way(self):
        """The address of the relay, by which the third server is DELAY_MS away."""
        address = f"{self.lan.address(RELAY)}:{GRPC_PORT}"
        relay = subprocess.Popen([*self.lan.inside(RELAY), sys.executable, str(HERE / "relay.py"), address,
                                  self.machines[-1].address, str(DELAY_MS / 2)], stdout=subprocess.PIPE, text=True)
        try:
            assert relay.stdout.readline() == "relaying\n"
            yield address
        finally:
            relay.kill()
            relay.wait()
            relay.stdout.close()

    def load(self, way: str, addresses: list[str], seconds: float, flags: list[str], meanwhile=lambda: None) -> Outcome:
        """Load by that way to these servers; meanwhile is done a quarter of the time after its start."""
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            front = None
            if way == "HAProxy":
                front = stack.enter_context(Front(self._certificates, addresses, host=self.lan.address(BALANCER),
                                                  prefix=self.lan.inside(BALANCER)))
                to = ["--server", f"https://{front.address}", "--server-name", "localhost",
                      "--roots", str(self._certificates.path("ca.pem"))]
            else:
                to = ["--server", ",".join(addresses)]

            def balancer() -> float:
                return sum(map(cpu_seconds, front.workers())) if front else 0.0

            warm_up = 1.0
            command = [*self.lan.inside(CALLER), str(BIN / "hearwire-load"), *to, "--warm-up", str(warm_up), "--duration",
                       str(seconds), "--json", str(folder / "report.json"), *flags]
            before, start = balancer(), time.monotonic()
            load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=CLEAN)
            try:
                time.sleep(warm_up + seconds / 4)
                meanwhile()
                said, _ = load.communicate(timeout=seconds + 120)
            finally:
                if load.poll() is None:
                    load.kill()
                    load.wait()
            cores = (balancer() - before) / (time.monotonic() - start)
            if not (folder / "report.json").exists():
                raise RuntimeError(f"hearwire-load made no report:\n{said}")
            return Outcome(json.loads((folder / "report.json").read_text()), cores)
