#!/usr/bin/env python3
"""What several servers do together, as a table.

    run.py [--seconds N] [--short] [--ways WAY,…]

First throughput: one server, two, three, each with 0.3 of a core, behind HAProxy (HTTP/2, TLS) and behind the client's own round
robin. Then, of three servers under a third of what they bear, the last one is killed, drained, restarted, cut off, and put 100 ms away,
while hearwire-load makes calls of up to four attempts each. Takes root. Exit code 1 where calls fail that another attempt can mend.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import sys
import tempfile
import time

from cluster import CORES, DELAY_MS, SERVERS, WAYS, Cluster, Outcome

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from certificates import Certificates  # noqa: E402

# The server's work is large beside what carrying the call costs: 61 rows of three seconds at a low rate. Replies stay below HTTP/2's first window.
CALLS = ["--kind", "timestamps", "--clip-seconds", "3", "--sample-rate", "8000", "--connections", "8"]
ATTEMPTS, DEADLINE_S, CUT_S = 4, 20, 4
LEAST_GAIN, LARGEST_SPREAD, MOST_OTHERS = 0.9, 0.1, 0.8


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def mark(value: float, holds: bool) -> str:
    return f"{value:.2f}" if holds else f"**{value:.2f}**"


def throughput(cluster: Cluster, way: str, most: int, seconds: float) -> float:
    """Prints a row for each number of servers; calls a second of the most."""
    one = rate = 0.0
    for count in range(1, most + 1):
        machines = cluster.machines[:count]
        before = [machine.answered() for machine in machines]
        outcome = cluster.load(way, [machine.address for machine in machines], seconds,
                               [*CALLS, "--concurrency", str(8 * count)])
        shares = [machine.answered() - was for machine, was in zip(machines, before)]
        rate = outcome.rate
        one = one or rate
        gain = rate / (count * one)
        spread = max(abs(share * count / sum(shares) - 1) for share in shares)
        others = outcome.balancer_cores + outcome.generator_cores
        row(way, count, f"{rate:.1f}", mark(gain, gain >= LEAST_GAIN), mark(spread, spread <= LARGEST_SPREAD),
            f"{outcome.balancer_cores:.2f}", f"{outcome.generator_cores:.2f}", mark(others, others < MOST_OTHERS),
            f"{outcome.report['p50_ms']:.0f} / {outcome.report['p99_ms']:.0f}", outcome.report["failed"])
    return rate


def kill(cluster: Cluster) -> None:
    cluster.machines[-1].end(signal.SIGKILL)
    time.sleep(1)
    cluster.machines[-1].start()


def drain(cluster: Cluster) -> None:
    cluster.machines[-1].end(signal.SIGTERM)


def restart(cluster: Cluster) -> None:
    cluster.machines[-1].end(signal.SIGTERM)
    cluster.machines[-1].start()


def cut_off(cluster: Cluster) -> None:
    cluster.lan.cut_off(SERVERS, True)
    try:
        time.sleep(CUT_S)
    finally:
        cluster.lan.cut_off(SERVERS, False)


FAULTS = {
    "none": lambda cluster: None,
    "killed (SIGKILL), back after 1 s": kill,
    "drained (SIGTERM), away": drain,
    "restarted (SIGTERM)": restart,
    f"cut off for {CUT_S} s (DROP)": cut_off,
    f"{DELAY_MS} ms away": None,
}
# Servers that are left may be full, on a busy machine above all: attempts end there too. And a call that has gone to a machine which does not answer
# is not made again, for it may still be: it waits for the network, or for its deadline.
FULL = "RESOURCE_EXHAUSTED"
UNMENDABLE = {f"cut off for {CUT_S} s (DROP)": {FULL, "DEADLINE_EXCEEDED"}}


def failures(fault: str, outcome: Outcome) -> tuple[int, str]:
    """Those that another attempt should have mended, and all of them in words."""
    codes = outcome.failures
    beyond = UNMENDABLE.get(fault, {FULL})
    text = ", ".join(f"{count} {code}" + (" (not to be mended)" if code in beyond else "") for code, count in codes.items())
    return sum(count for code, count in codes.items() if code not in beyond), text or "0"


def fault_runs(cluster: Cluster, way: str, rate: float, seconds: float, faults: list[str]) -> int:
    """Prints a row for each; how many calls failed that should not have."""
    wrong = 0
    for fault in faults:
        flags = [*CALLS, "--rate", f"{rate / 3:.0f}", "--deadline", str(DEADLINE_S), "--max-attempts", str(ATTEMPTS)]
        addresses = [machine.address for machine in cluster.machines]
        action = FAULTS[fault]
        if action is None:
            with cluster.long_way() as relay:
                outcome = cluster.load(way, [*addresses[:-1], relay], seconds, flags)
        else:
            outcome = cluster.load(way, addresses, seconds, flags, lambda action=action: action(cluster))
        if cluster.machines[-1].server is None:
            cluster.machines[-1].start()
        unmended, text = failures(fault, outcome)
        wrong += unmended
        row(way, fault, outcome.report["calls"], text, f"{outcome.report['p50_ms']:.0f}", f"{outcome.report['p99_ms']:.0f}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each run [10]")
    parser.add_argument("--short", action="store_true", help="one and two servers, and only what is killed or drained")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of: HAProxy,round robin")
    options = parser.parse_args()
    ways = options.ways.split(",")
    if unknown := set(ways) - set(WAYS):
        parser.error(f"--ways: {', '.join(sorted(unknown))} is none of {', '.join(WAYS)}")
    if os.geteuid() != 0:
        parser.error("it makes namespaces and cgroups: run it as root")
    seconds, faults, most = options.seconds, list(FAULTS), SERVERS
    if options.short:
        faults, most = [faults[1], faults[2]], 2
    with tempfile.TemporaryDirectory() as folder, Cluster(Certificates(pathlib.Path(folder))) as cluster:
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} CPUs, load average {load:.1f} before the runs; {CORES} of a core for each server; {seconds:g} s a run.")
        head("way", "servers", "calls/s", "of N times one", "spread of calls", "balancer, cores", "generator, cores", "both",
             "p50 / p99, ms", "failed")
        rates = {way: throughput(cluster, way, most, seconds) * SERVERS / most for way in ways}
        head("way", "the third server is", "calls", "failed", "p50, ms", "p99, ms")
        wrong = sum(fault_runs(cluster, way, rates[way], seconds, faults) for way in ways)
    print(f"\nCalls that failed and could have been mended: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
