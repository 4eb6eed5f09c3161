"""How late the rows of live streams are, on an idle server and on one that is half busy.

    stream_latency.py BUILD [--streams N] [--seconds N] [--networks NAME…]

Of each network: C, what the server bears of clips of 2 s for timestamps, in a closed loop; then live streams in pieces
of 100 ms alone; then the same beside another caller's clips at half of C, in an open loop. The server has one worker and CPU 0, the
generators (hearwire-load) CPU 1. A row's latency runs from when it can be known, which is when the last sample of its
window is due, to its arrival. `load`: the machine's load average at the start of each line; above 1 others work there
too.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile

import measured

SERVER_CPU, GENERATOR_CPU = 0, 1
EMBEDDED = "embedded"
CLIP_SECONDS = 2
WARM_UP_SECONDS = 2
BESIDE = ("alone", "half of C")


class Load:
    """A run of hearwire-load, on the generators' CPU."""

    def __init__(self, build: pathlib.Path, address: str, caller: str, *flags: str):
        self._report = tempfile.NamedTemporaryFile(suffix=".json")
        self._process = subprocess.Popen(
            ["taskset", "-c", str(GENERATOR_CPU), build / "bin/hearwire-load", f"--server={address}",
             f"--metadata=x-hearwire-caller={caller}", f"--warm-up={WARM_UP_SECONDS}s", f"--json={self._report.name}",
             *flags],
            stdout=subprocess.DEVNULL)

    def report(self) -> dict:
        assert self._process.wait() == 0
        with self._report:
            return json.load(open(self._report.name))


def run(module, build: pathlib.Path, network: str, config: list[str], options, *server_flags: str) -> None:
    clips = [*config, "--kind=timestamps", f"--clip-seconds={CLIP_SECONDS}"]
    streams = [*config, "--kind=stream", f"--concurrency={options.streams}", f"--duration={options.seconds:g}s"]
    # Of two callers, as one would take turns with itself.
    with module.Server("--device=cpu", "--workers=1", "--log-level=warning", "--trusted-proxies=127.0.0.1", *server_flags,
                       prefix=["taskset", "-c", str(SERVER_CPU)]) as server:
        closed = [*clips, "--concurrency=8", f"--duration={options.seconds:g}s"]
        capacity = Load(build, server.address, "clips", *closed).report()["calls_per_second"]
        for beside in BESIDE:
            busy = None
            load_average = os.getloadavg()[0]
            if beside != BESIDE[0]:
                # Longer than the streams, on both sides.
                busy = Load(build, server.address, "clips", *clips, f"--rate={capacity / 2}", "--deadline=10s",
                            f"--duration={options.seconds + 2 * WARM_UP_SECONDS:g}s")
            report = Load(build, server.address, "live", *streams).report()
            failed = sum(report["errors"].values())
            line = (f"| {network} | {options.streams} | {beside} | {report['p50_ms']:.1f} | {report['p99_ms']:.1f} "
                    f"| {report['stream']['rows_per_second']:.0f} | {failed} | ")
            if busy is not None:
                made = busy.report()
                line += f"{made['calls_per_second'] / capacity:.2f} of C = {capacity:.0f} calls/s | "
            else:
                line += "| "
            print(f"{line}{load_average:.1f} |", flush=True)


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--networks", nargs="*", default=[EMBEDDED, "mn04", "mn10"])
    options = parser.parse_args()
    module = measured.server_module(options.build)
    print("| network | streams | beside | p50, ms | p99, ms | rows/s | failed | clips | load |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for network in options.networks:
        if network == EMBEDDED:
            run(module, options.build, network, [], options)
            continue
        with measured.repository(options.build, network) as models:
            run(module, options.build, network, [f"--config={network}_all_b_mel_avgs"], options,
                f"--model-repository={models}")


if __name__ == "__main__":
    main()
