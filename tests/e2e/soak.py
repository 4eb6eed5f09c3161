"""A soak of one real server: random calls of several callers for a while, and then whether every count adds up and
whether resident memory has stopped growing. scripts/soak runs it.

    soak.py [--minutes M] [--callers N] [--pause S] [--leak KIB] [--json FILE]

Calls: scenes, timestamps, tags and heads of 0.1 to 30 s in several encodings, rates and configs; lists; health and reflection;
wrong input of six kinds; deadlines that are too short; calls that are given up; streams that are whole, broken by an infinite
sample, cancelled, or never ended; connections that change. Exit code 1 where something does not hold, which it says.
--leak: on a server that loses so many KiB with every batch, which it must find.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import pathlib
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "bench")]

from head_files import Head  # noqa: E402
from hearwire_server import BIN, PATIENCE, Server, pb  # noqa: E402
from measured import repository  # noqa: E402
from resident_slope import Growth, Sample, growth  # noqa: E402
from soak_calls import Caller, Ledger  # noqa: E402

# Zero when nobody calls.
GAUGES = ("hearwire_pending_frames", "hearwire_open_streams", "hearwire_calls_in_flight", "hearwire_reserved_bytes",
          "hearwire_open_connections")


@dataclasses.dataclass
class Outcome:
    calls: int
    codes: dict[str, int]  # As callers saw them.
    given_up: int  # Of which the server may say something else, or nothing.
    faults: list[str]  # What does not add up; empty: all does.
    growth: Growth
    calm_mb: float
    last_mb: float  # Of the run's last tenth, the median.
    quiet_mb: float  # When all is over.
    cpu_share: float  # Of one processor, the server's.


def resident_mb(pid: int) -> float:
    """Without what files back."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no RssAnon")


def _check(faults: list[str], what: str, got, wanted) -> None:
    if got != wanted:
        faults.append(f"{what}: {got} instead of {wanted}")


def _compare(ledger: Ledger, lines: list[dict], metrics: dict[str, dict]) -> list[str]:
    """Callers' ledger, access log and metrics: each call is in the log once, as its caller saw it; metrics count its lines."""
    faults = list(ledger.surprises)
    _check(faults, "calls that ended", len(ledger.ended), ledger.begun)
    dropped = sum(line.get("dropped_lines", 0) for line in lines)
    _check(faults, "lines that were dropped", dropped, 0)
    by_id = collections.Counter(line["request_id"] for line in lines)
    logged = {line["request_id"]: line for line in lines}
    faults += [f"{i} has {n} lines in the access log" for i, n in by_id.items() if n > 1]
    faults += [f"nobody has made the call {i} of the access log" for i in by_id if i not in ledger.ended]
    for request_id, ended in ledger.ended.items():
        line = logged.get(request_id)
        if line is None:
            if ended.by_server:
                faults.append(f"{request_id} {ended} is not in the access log")
            continue
        _check(faults, f"method and caller of {request_id}", (line["method"], line["caller"]), (ended.method, ended.caller))
        if ended.by_server:
            _check(faults, f"code of {request_id} {ended.method}", line["code"], ended.code)
    counted = {name: collections.Counter(line[name] for line in lines) for name in ("code", "caller", "method")}
    for name, wanted in counted.items():
        _check(faults, f"calls counted by {name}", {k: v for k, v in metrics[name].items() if v}, dict(wanted))
    audio = sum(line["audio_seconds"] for line in lines)
    if abs(metrics["audio"] - audio) > 1e-3 * len(lines):
        faults.append(f"callers' audio: {metrics['audio']} s instead of {audio}")
    return faults


def _metrics(server: Server) -> dict[str, dict]:
    """Calls by label."""
    names = {"code": "hearwire_requests_total", "method": "hearwire_requests_total", "caller": "hearwire_caller_calls_total"}
    found: dict[str, dict] = {label: collections.Counter() for label in names}
    for line in server.metrics().splitlines():
        for label, name in names.items():
            if line.startswith(name + "{"):
                found[label][line.split(f'{label}="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
    found["audio"] = server.metric("hearwire_caller_audio_seconds_total")
    return found


def run(minutes: float, callers: int = 6, pause: float = 0.15, leak_kib: int = 0) -> Outcome:
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hearwire-soak-")))
        models = stack.enter_context(repository(BIN.parent, "mn01"))
        with Server() as described:
            configs = described.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True)).configs
        (folder / "heads").mkdir()
        Head(next(config for config in configs if config.is_default), [16, 3]).write(folder / "heads/cats.safetensors")
        (folder / "fault").write_text(f"leak {leak_kib}" if leak_kib else "")
        log = folder / "access.log"
        # Refused calls would be no surprise on a busy machine: none are.
        flags = [f"--access-log={log}", f"--heads={folder / 'heads'}", f"--model-repository={models}", "--device=cpu",
                 "--trusted-proxies=127.0.0.1", "--max-queue-time=1h", "--log-level=warning"]
        program = BIN.parent / "tests/faulty_server" if leak_kib else BIN / "hearwire-server"
        server = Server(*flags, program=program, env={"FAULT_FILE": str(folder / "fault")})
        stack.callback(server.process.kill)
        configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), metadata=(("x-request-id", "first"),)).configs
        server.channel.close()
        networks = sorted({config.network for config in configs})
        calm = resident_mb(server.process.pid)
        begin, cpu = time.monotonic(), server.metric("process_cpu_seconds_total")
        ledger, samples = Ledger(), []
        crowd = [Caller(f"caller-{i}", server.address, [c.name for c in configs], networks, ledger, pause) for i in range(callers)]
        for caller in crowd:
            caller.start()
        while time.monotonic() < begin + 60 * minutes and server.process.poll() is None:
            samples.append((time.monotonic() - begin, resident_mb(server.process.pid)))
            time.sleep(0.1)
        for caller in crowd:
            caller.stop()
        for caller in crowd:
            caller.join(150 * PATIENCE)
        cpu = (server.metric("process_cpu_seconds_total") - cpu) / (time.monotonic() - begin)
        faults = [f"{caller.name} ended with {caller.fault!r}" for caller in crowd if caller.fault]
        faults += [f"{caller.name} does not end" for caller in crowd if caller.is_alive()]
        faults += _gauges(server)
        metrics = _metrics(server)
        time.sleep(3)  # Memory goes back within two seconds of quiet.
        quiet = resident_mb(server.process.pid)
        _check(faults, "exit code", server.stop(), 0)
        faults += [f"the server's log: {line}" for line in server.log().splitlines() if "calls that are left" in line]
        # The question for the configs is the server's first call.
        lines = [line for line in map(json.loads, log.read_text().splitlines()) if line["request_id"] != "first"]
        for label, value in (("code", "OK"), ("method", "ListConfigs"), ("caller", "127.0.0.1")):
            metrics[label][value] -= 1
        faults += _compare(ledger, lines, metrics)
    ended = ledger.ended.values()
    last = sorted(mb for at, mb in samples if at > 0.9 * samples[-1][0])
    return Outcome(
        calls=ledger.begun, codes=dict(collections.Counter(one.code for one in ended)),
        given_up=sum(not one.by_server for one in ended), faults=faults, growth=growth(samples), calm_mb=calm,
        last_mb=last[len(last) // 2], quiet_mb=quiet, cpu_share=cpu)


def _gauges(server: Server) -> list[str]:
    """Those that do not come to zero."""
    end = time.monotonic() + 10 * PATIENCE
    while any((left := {name: server.metric(name) for name in GAUGES}).values()) and time.monotonic() < end:
        time.sleep(0.1)
    return [f"{name} is {value} when nobody calls" for name, value in left.items() if value]


def describe(outcome: Outcome) -> str:
    grown = outcome.growth
    codes = ", ".join(f"{code} {count}" for code, count in sorted(outcome.codes.items()))
    slopes = ", ".join(
        f"{name} {one.middle:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
        for name, one in (("second half", grown.whole), ("third quarter", grown.third), ("fourth", grown.fourth)))
    faults = "\n".join(f"WRONG: {fault}" for fault in outcome.faults[:20])
    return (
        f"calls: {outcome.calls}: {codes}; {outcome.given_up} of them given up by their callers\n"
        f"counts: {faults or 'callers, access log and metrics agree; all gauges are zero'}\n"
        f"resident: {outcome.calm_mb:.1f} MB calm, {outcome.last_mb:.1f} at the end, {outcome.quiet_mb:.1f} when all was over\n"
        f"slope, MB a minute: {slopes}: {'MEMORY GROWS' if grown.is_real else 'zero within its scatter'}\n"
        f"the server used {100 * outcome.cpu_share:.0f} % of one processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--callers", type=int, default=6)
    parser.add_argument("--pause", type=float, default=0.15, help="of a caller between calls, seconds on average")
    parser.add_argument("--leak", type=int, default=0, metavar="KIB", help="the server loses so much with every batch")
    arguments = parser.parse_args()
    outcome = run(arguments.minutes, arguments.callers, arguments.pause, arguments.leak)
    print(describe(outcome))
    sys.exit(1 if outcome.faults or outcome.growth.is_real else 0)


if __name__ == "__main__":
    main()
