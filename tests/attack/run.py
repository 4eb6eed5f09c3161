"""All attacks on all targets, as a table: scripts/attack runs it.

    run.py [--targets bare,small,front] [--attacks NAME,…] [--seconds S] [--mbytes M] [--connections N] [--nice N]

bare: a server on its own. small: the same in a cgroup of 768 MB (cgroups of version 1, and root). front: the same behind
deploy/haproxy. Each attack has a new server and ends by itself; all of it takes about 10 minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import signal
import sys
import tempfile

import trial
from measured import percentile

COLUMNS = (
    "attack", "target", "calm p50/p99, ms", "during p50/p99, ms", "failed calls", "server", "call after it",
    "server's MB before/most/after", "front's MB", "sent, MB", "attackers' counts",
)


def milliseconds(times: list[float]) -> str:
    return f"{percentile(times, 0.5) * 1e3:.0f}/{percentile(times, 0.99) * 1e3:.0f}" if times else "none"


def row(attack: str, target: str, found: trial.Outcome) -> list[str]:
    return [
        attack,
        target,
        milliseconds(found.calm),
        milliseconds(found.during),
        f"{len(found.failures)} of {len(found.failures) + len(found.during)}",
        "lives" if found.alive else "KILLED",
        found.after,
        f"{found.before_mb:.0f}/{found.peak_mb:.0f}/{found.after_mb:.0f}",
        f"{found.front_mb:.0f}" if found.front_mb else "",
        f"{found.sent_mb:.0f}",
        ", ".join(f"{name} {value}" for name, value in sorted(found.counts.items())),
    ]


def print_row(cells) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def names(text: str, known: list[str], what: str) -> list[str]:
    wanted = text.split(",")
    for name in wanted:
        if name not in known:
            sys.exit(f"run.py: no {what} is called {name}; there are {', '.join(known)}")
    return wanted


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that servers and attackers end with it.
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    attacks = [attack.name for attack in trial.ATTACKS]
    parser.add_argument("--targets", default="bare,small,front")
    parser.add_argument("--attacks", default=",".join(attacks))
    parser.add_argument("--seconds", type=float, help="of each attack; default: 6, and 13 where something is held")
    parser.add_argument("--mbytes", type=float, help="of each attacker")
    parser.add_argument("--connections", type=int, help="of each attacker, where it holds several")
    parser.add_argument("--nice", type=int, default=19, help="attackers' priority; 0: the server's own")
    arguments = parser.parse_args()
    targets = names(arguments.targets, ["bare", "small", "front"], "target")
    wanted = names(arguments.attacks, attacks, "attack")
    if "small" in targets and not trial.can_make_groups():
        print("run.py: no cgroups can be made here: the target small is left out", file=sys.stderr)
        targets.remove("small")
    print_row(COLUMNS)
    print_row(["---"] * len(COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        certificates = trial.Certificates(pathlib.Path(folder))
        for at, attack in enumerate(trial.ATTACKS):
            if attack.name not in wanted:
                continue
            attack = dataclasses.replace(
                attack, seconds=arguments.seconds or attack.seconds, mbytes=arguments.mbytes or attack.mbytes,
                connections=arguments.connections or attack.connections, nice=arguments.nice)
            for target in targets:
                with trial.target(target, certificates, attack) as aim:
                    print_row(row(attack.name, target, trial.run(aim, attack, f"127.1.{at}")))


if __name__ == "__main__":
    main()
