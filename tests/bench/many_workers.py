"""Where the batcher's one lock would bend with more workers than this machine has CPUs: a simulation from measured costs.

    many_workers.py BUILD [--workers N…]

queue_bench measures what is done under the lock for a call, here and now. Each worker takes a batch under the lock,
computes it (docs/performance.md's time of one thread), and ends it under the lock; for each call that ends, another
comes, whose thread takes the lock too. The lock goes to whoever has waited longest, and takes the measured time to get
there where somebody waits. Memory, caches and the threads that speak with callers are left out: it tells what the lock
allows, not what a machine reaches. Printed is the share of the workers' time in which they compute.
"""

from __future__ import annotations

import argparse
import collections
import heapq
import pathlib
import subprocess

# CPU ms of a call on one thread: "One thread", column "native", of docs/performance.md.
NETWORKS = {
    "mn01": {"scene_1s": 0.04, "scene_10s": 0.33, "timestamps_10s": 1.05},
    "mn04": {"scene_1s": 0.18, "scene_10s": 1.48, "timestamps_10s": 4.67},
    "mn10": {"scene_1s": 0.87, "scene_10s": 6.52, "timestamps_10s": 22.6},
}
WAITING, CALLERS = "64", "64"
SECONDS = 0.2
COSTS = ("arrive_us", "take_us", "finish_us", "batches_per_call")


def measure(build: pathlib.Path) -> tuple[dict[str, dict[str, float]], float]:
    """Microseconds under the lock for a call of each kind; and of a hand-over."""
    said = subprocess.run([build / "tests/queue_bench"], capture_output=True, text=True, check=True).stdout.splitlines()
    columns = said[0].split()
    rows = [dict(zip(columns, line.split())) for line in said[1:-1]]
    kinds = {row["kind"]: {name: float(row[name]) for name in COSTS} for row in rows
             if row["waiting"] == WAITING and row["callers"] == CALLERS}
    return kinds, float(said[-1].split()[1])


class Lock:
    """First come, first served."""

    def __init__(self, hand_over: float):
        self._hand_over, self._waiting, self._held = hand_over, collections.deque(), False

    def ask(self, now: float, hold: float, then, events: list) -> None:
        if self._held:
            self._waiting.append((hold, then))
            return
        self._held = True
        heapq.heappush(events, (now + hold, id(then), then, True))

    def release(self, now: float, events: list) -> None:
        self._held = bool(self._waiting)
        if self._held:
            hold, then = self._waiting.popleft()
            heapq.heappush(events, (now + self._hand_over + hold, id(then), then, True))


def busy_share(workers: int, call_us: float, costs: dict[str, float], hand_over: float) -> float:
    """Of the workers' time, the part in which they compute."""
    calls = 1 / costs["batches_per_call"]  # Of a batch; a part of one is possible.
    compute, take, finish = call_us * calls, costs["take_us"] * calls, costs["finish_us"] * calls
    lock, events, computed, arriving = Lock(hand_over), [], 0.0, 0.0
    end = SECONDS * 1e6

    def arrived(now: float) -> None:
        pass

    def take_next(now: float) -> None:
        lock.ask(now, take, taken, events)

    def taken(now: float) -> None:
        heapq.heappush(events, (now + compute, id(events), ran, False))

    def ran(now: float) -> None:
        nonlocal computed
        computed += compute
        lock.ask(now, finish, finished, events)

    def finished(now: float) -> None:
        nonlocal arriving
        arriving += calls
        while arriving >= 1:
            arriving -= 1
            lock.ask(now, costs["arrive_us"], arrived, events)
        take_next(now)

    for worker in range(workers):
        heapq.heappush(events, (compute * worker / workers, worker, take_next, False))
    while events and events[0][0] < end:
        now, _, then, held = heapq.heappop(events)
        if held:
            lock.release(now, events)
        then(now)
    return computed / (workers * end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8, 16, 32, 64, 128])
    arguments = parser.parse_args()
    kinds, hand_over = measure(arguments.build)
    print(f"A hand-over takes {hand_over:.2f} µs.\n")
    print("| network | call | µs under the lock | of µs | " + " | ".join(str(count) for count in arguments.workers) + " |")
    print("| --- " * (4 + len(arguments.workers)) + "|")
    for network, calls in NETWORKS.items():
        for kind, milliseconds in calls.items():
            costs, call_us = kinds[kind], milliseconds * 1e3
            held = costs["arrive_us"] + costs["take_us"] + costs["finish_us"]
            shares = [busy_share(count, call_us, costs, hand_over) for count in arguments.workers]
            print(f"| {network} | {kind} | {held:.1f} | {call_us:.0f} | "
                  + " | ".join(f"{share:.2f}" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
