"""What a server does when it is offered twice what it can compute.

    overload.py BUILD [--seconds N]

The server has one worker and CPU 0, the generator (hearwire-load) CPU 1. C is the goodput of a closed loop over the
same connections, c the server's CPU time of a call there. Then 2 C are offered in an open loop, whose calls have
deadlines. What a refused call costs, r, is what gRPC's threads took beyond their part of the calls that were let in.
An ideal server that spends r on each refusal answers C (c - 2 r) / (c - r).
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time

import grpc
import numpy as np
import measured
from processes import cpu_seconds, thread_seconds

SERVER_CPU, GENERATOR_CPU = 0, 1
CASES = [("mn10", "timestamps", 2.0), ("mn04", "scene", 1.0)]
CONNECTIONS = (8, 64)
DEADLINES_S = (0.5, 1.0, 2.0)
PROBES_PER_SECOND = 10


@dataclasses.dataclass
class Counts:
    """What the server has counted and used so far."""

    ok: float
    refused: float
    expired_inside: float  # Let in and not answered.
    windows: float
    cpu: float
    compute_cpu: float  # Of it, of the threads that prepare and compute.

    @staticmethod
    def read(server) -> Counts:
        threads = thread_seconds(server.process.pid)
        return Counts(
            server.metric("hearwire_requests_total", absent=0, code="OK"),
            server.metric("hearwire_requests_total", absent=0, code="RESOURCE_EXHAUSTED"),
            server.metric("hearwire_cancelled_total"),
            server.metric("hearwire_batch_windows_sum"),
            cpu_seconds(server.process.pid),
            threads.get("worker", 0) + threads.get("decode", 0),
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other))))


class Prober(threading.Thread):
    """Makes a call now and then, and keeps how long its refusals took and whether they say when to come again."""

    def __init__(self, module, address: str, method: str, request, deadline_s: float):
        super().__init__(daemon=True)
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)])
        self._call = getattr(module.pb_grpc.EmbeddingServiceStub(self._channel), method)
        self._request, self._deadline_s = request, deadline_s
        self._ended = threading.Event()
        self.refusals_s: list[float] = []
        self.without_hint = 0
        self.answered = 0

    def run(self) -> None:
        while not self._ended.wait(1 / PROBES_PER_SECOND):
            start = time.monotonic()
            call = self._call.future(self._request, timeout=self._deadline_s)
            call.add_done_callback(lambda call, start=start: self._on_end(call, time.monotonic() - start))

    def _on_end(self, call: grpc.Future, seconds: float) -> None:
        self.answered += call.code() == grpc.StatusCode.OK
        if call.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
            return
        self.refusals_s.append(seconds)
        hints = {key for key, _ in call.trailing_metadata() or ()}
        self.without_hint += "grpc-retry-pushback-ms" not in hints

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._channel.close()


def run_load(build: pathlib.Path, address: str, *flags: str) -> dict:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [build / "bin/hearwire-load", f"--server={address}", "--warm-up=0s", f"--json={report.name}", *flags],
            stdout=subprocess.DEVNULL, check=True)
        return json.load(open(report.name))


def measure(build: pathlib.Path, module, models: str, case: tuple[str, str, float], connections: int,
            seconds: float) -> None:
    network, kind, clip_seconds = case
    config = f"{network}_all_b_mel_avgs"
    load = [f"--kind={kind}", f"--config={config}", f"--clip-seconds={clip_seconds:g}",
            f"--connections={connections}"]
    clip = module.pcm16(np.random.default_rng(1).uniform(-0.1, 0.1, int(32000 * clip_seconds)))
    method = "GetTimestampEmbeddings" if kind == "timestamps" else "GetSceneEmbeddings"
    request = getattr(module.pb, f"{method}Request")(clips=[clip], config=config)
    with module.Server("--device=cpu", "--workers=1", f"--model-repository={models}", "--log-level=warning",
                       prefix=["taskset", "-c", str(SERVER_CPU)]) as server:
        def phase(*flags: str) -> tuple[dict, Counts]:
            before = Counts.read(server)
            report = run_load(build, server.address, *load, *flags)
            return report, Counts.read(server) - before

        phase("--concurrency=4", "--duration=1s")  # The server learns its pace.
        calm, used = phase(f"--concurrency={connections}", f"--duration={seconds:g}s")
        capacity = calm["calls_per_second"]
        c, c_outside = used.cpu / used.ok, (used.cpu - used.compute_cpu) / used.ok
        windows = used.windows / used.ok
        print(f"\n{network}, {kind} of {clip_seconds:g} s, {connections} connections: "
              f"C = {capacity:.0f} calls/s, c = {1e3 * c:.2f} ms")
        print("  deadline  goodput/C  aim  r/c    expired  useful  refusals p50  no hint  sent = answered + refused + expired")
        for deadline in DEADLINES_S:
            prober = Prober(module, server.address, method, request, deadline)
            prober.start()
            report, used = phase(f"--rate={2 * capacity}", f"--duration={seconds:g}s", f"--deadline={deadline}s")
            answered_probes = prober.answered
            prober.stop()
            # Answered while calls were offered, not later.
            goodput = report["calls_per_second"] + answered_probes / report["measured_seconds"]
            let_in = used.ok + used.expired_inside
            r = (used.cpu - used.compute_cpu - let_in * c_outside) / max(used.refused, 1)
            aim = 0.95 * (c - 2 * r) / (c - r)
            errors = report["errors"]
            refused, expired = errors.get("RESOURCE_EXHAUSTED", 0), errors.get("DEADLINE_EXCEEDED", 0)
            total = report["succeeded"] + refused + expired
            print(f"  {deadline:5.1f} s   {goodput / capacity:8.2f}  {aim:5.2f}  {r / c:5.3f}  "
                  f"{used.expired_inside / max(let_in, 1):6.3f}  {used.ok * windows / max(used.windows, 1):6.3f}  "
                  f"{1e3 * measured.percentile(prober.refusals_s, 0.5):6.1f} ms ({len(prober.refusals_s)})  "
                  f"{prober.without_hint:7d}  {report['calls']} {'=' if total == report['calls'] else '!='} "
                  f"{report['succeeded']} + {refused} + {expired}", flush=True)


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each phase")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {GENERATOR_CPU})  # The generator's too; the server is put elsewhere.
    module = measured.server_module(arguments.build)
    with measured.repository(arguments.build, *(case[0] for case in CASES)) as models:
        for case in CASES:
            for connections in CONNECTIONS:
                measure(arguments.build, module, models, case, connections, arguments.seconds)


if __name__ == "__main__":
    main()
