"""One attack on one target: four attackers, and callers beside them whose calls are timed before and meanwhile.

The attackers are processes with addresses of their own (127.x.y.z), and of the lowest priority, for they have machines of
their own elsewhere. The callers come from 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "bench")]

import grpc  # noqa: E402
from certificates import Certificates  # noqa: E402
from front import BEHIND, Front  # noqa: E402
from hearwire_server import MESSAGE_OPTIONS, PATIENCE, Server, chirp, pb, pb_grpc, pcm  # noqa: E402
from processes import memory  # noqa: E402
from slow_readers import can_make_groups, group_of  # noqa: E402

ATTACKERS = 4
TOKEN = "the-victims-token"


@dataclasses.dataclass(frozen=True)
class Attack:
    """What attacks.py is told, for each attacker."""

    name: str
    seconds: float = 6
    mbytes: float = 32
    connections: int = 100
    descriptors: int = 0  # The server may have no more.
    nice: int = 19


# Of attacks that hold something: longer than the 10 s after which the front gives up.
HOLDING = 13
ATTACKS = [
    Attack("rapid_reset", 10, mbytes=64),
    Attack("continuation", mbytes=300),
    Attack("settings_flood", mbytes=200),
    Attack("ping_flood", mbytes=64),
    Attack("headers_without_data", HOLDING),
    Attack("slow_headers", HOLDING),
    Attack("slow_bodies", HOLDING),
    Attack("half_open"),
    Attack("idle_connections", connections=50, descriptors=64),
    Attack("comes_and_goes"),
    Attack("unread_replies", mbytes=64),
    Attack("unknown_fields", mbytes=300),
    Attack("gzip_bomb"),
    Attack("token_guesses"),
]


@dataclasses.dataclass
class Target:
    """Who is attacked: `address` is what all call, `server` what must live."""

    name: str
    server: Server
    address: str
    certificates: Certificates | None = None  # Where callers speak TLS.
    front: Front | None = None

    def channel(self) -> grpc.Channel:
        """A connection of its own, that does not try a call again."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        if self.certificates:
            return self.certificates.channel(self.address, options=options)
        return grpc.insecure_channel(self.address, options=[*MESSAGE_OPTIONS, *options])

    def alive(self) -> bool:
        return self.server.process.poll() is None

    def resident_mb(self, which: str = "VmRSS") -> float:
        """0 of one that was killed."""
        return memory(self.server.process.pid).get(which, 0) / 1024 if self.alive() else 0


@contextlib.contextmanager
def target(kind: str, certificates: Certificates, attack: Attack | None = None, memory_mb: int = 768):
    """kind: bare; small, a bare server in a cgroup; front, a server in a cgroup behind HAProxy. The cgroup is left out
    where none can be made, and then `small` makes no sense."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "tokens").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + " victims\n")
        flags = [f"--tokens-file={folder / 'tokens'}", "--reflection=on", *(BEHIND if kind == "front" else ())]
        prefix = stack.enter_context(group_of(memory_mb)) if kind != "bare" and can_make_groups() else []
        if attack and attack.descriptors:
            prefix = [*prefix, "sh", "-c", f'ulimit -n {attack.descriptors}; exec "$0" "$@"']
        server = Server(*flags, "--log-level=warning", prefix=prefix)
        stack.callback(_end, server)
        if kind != "front":
            yield Target(kind, server, server.address)
            return
        front = stack.enter_context(Front(certificates, [server.address]))
        yield Target(kind, server, front.address, certificates, front)


def _end(server: Server) -> None:
    """Also one that the attack has killed, or that does not end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.stop()


class Victim(threading.Thread):
    """A call every 50 ms on one connection; times in seconds of those that were answered, and what failed."""

    def __init__(self, aim: Target):
        super().__init__(daemon=True)
        self._channel = aim.channel()
        self._halt = threading.Event()
        self.times: list[float] = []
        self.failures: list[str] = []
        self.start()

    def run(self) -> None:
        while not self._halt.wait(0.05):
            begin = time.monotonic()
            try:
                call(self._channel, 10 * PATIENCE)
                self.times.append(time.monotonic() - begin)
            except grpc.RpcError as error:
                self.failures.append(f"{error.code().name}: {error.details()}")

    def take(self) -> tuple[list[float], list[str]]:
        """What there is since the last time."""
        times, self.times = self.times, []
        failures, self.failures = self.failures, []
        return times, failures

    def stop(self) -> None:
        self._halt.set()
        self.join()
        self._channel.close()


def call(channel: grpc.Channel, timeout: float) -> None:
    request = pb.GetTagsRequest(clips=[pcm(chirp(1))], top_k=1)
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    pb_grpc.EmbeddingServiceStub(channel).GetTags(request, timeout=timeout, metadata=metadata)


@dataclasses.dataclass
class Outcome:
    calm: list[float]
    during: list[float]
    failures: list[str]  # Of victims' calls during the attack.
    alive: bool
    after: str  # Of a call on a new connection, after the attack.
    before_mb: float
    peak_mb: float
    after_mb: float
    front_mb: float
    sent_mb: float
    counts: dict[str, int]  # Of all attackers together.


def run(aim: Target, attack: Attack, network: str, calm_seconds: float = 3, after_seconds: float = 2) -> Outcome:
    """network: the first three numbers of the attackers' addresses, such as 127.1.2; one for each attack, for the front
    remembers addresses."""
    victims = [Victim(aim) for _ in range(2)]
    time.sleep(calm_seconds)
    calm = [victim.take() for victim in victims]
    before = aim.resident_mb()
    attackers = [
        subprocess.Popen(
            [sys.executable, str(HERE / "attacks.py"), attack.name, aim.address, "--source", f"{network}.{i + 1}",
             "--seconds", str(attack.seconds), "--mbytes", str(attack.mbytes), "--connections", str(attack.connections),
             "--nice", str(attack.nice), *(["--tls"] if aim.certificates else [])],
            stdout=subprocess.PIPE, text=True)
        for i in range(ATTACKERS)
    ]
    peak = before
    try:
        while any(process.poll() is None for process in attackers):
            if aim.alive():
                peak = max(peak, aim.resident_mb())
            time.sleep(0.05)
    finally:
        for process in attackers:
            process.kill()
    said = [json.loads(process.communicate()[0] or "{}") for process in attackers]
    time.sleep(after_seconds)
    for victim in victims:
        victim.stop()
    during = [victim.take() for victim in victims]  # Those too that were waiting when the attack ended.
    counts: dict[str, int] = {}
    for one in said:
        for name, value in one.items():
            counts[name] = counts.get(name, 0) + value
    return Outcome(
        calm=[t for times, _ in calm for t in times],
        during=[t for times, _ in during for t in times],
        failures=[failure for _, failures in [*calm, *during] for failure in failures],
        alive=aim.alive(),
        after=_after(aim),
        before_mb=before,
        peak_mb=peak,
        after_mb=aim.resident_mb(),
        front_mb=aim.front.resident_mb() if aim.front else 0,
        sent_mb=counts.pop("sent_bytes", 0) / 1e6,
        counts=counts,
    )


def _after(aim: Target) -> str:
    if not aim.alive():
        return "dead"
    with aim.channel() as channel:
        try:
            call(channel, 10 * PATIENCE)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name
