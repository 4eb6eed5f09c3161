"""What a server of little memory does when callers do not read their replies.

    slow_readers.py BUILD [--calls N] [--reply-mb N] [--memory-mb N]

The callers are other processes, each of which is stopped (SIGSTOP) once it has sent its calls: their replies then wait
in the server. They come one after the other, so that what is refused is refused for replies that wait.
Where cgroups (v1) can be made, the server runs in one that is held to so much memory, gRPC's and the kernel's socket
buffers with it; a server that outgrows it is killed. Elsewhere it believes in a machine of so much: in a mount namespace
of its own, its /proc/meminfo says so. The most that was resident is read from the system, exactly (VmHWM).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import flac
import grpc
import measured
import numpy as np
from processes import memory

ROW_BYTES = 184 * 4  # Of the network in the program.
ROWS_PER_SECOND = 20
CONNECTIONS = 2  # Of each process.
PROCESSES = 10

MEMORY_GROUPS = pathlib.Path("/sys/fs/cgroup/memory")

# A calling process: it sends its calls when a line comes.
CALLERS = """
import sys, grpc
sys.path.insert(0, sys.argv[1])
import hearwire_server as h
address, calls, connections = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
request = h.pb.GetTimestampEmbeddingsRequest.FromString(open(sys.argv[5], "rb").read())
options = h.MESSAGE_OPTIONS + [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
stubs = [h.pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(address, options=options)) for _ in range(connections)]
for stub in stubs:
    stub.ListConfigs(h.pb.ListConfigsRequest(), timeout=60)
print("connected", flush=True)
sys.stdin.readline()
futures = [stubs[i % connections].GetTimestampEmbeddings.future(request, timeout=240) for i in range(calls)]
print("sent", flush=True)
for future in futures:
    future.code()
"""


@dataclasses.dataclass
class Outcome:
    reply_bytes: int  # Of each reply.
    limit_bytes: int  # Of memory.
    before_kb: int  # Resident before the calls,
    peak_kb: int  # at most,
    after_kb: int  # and when the callers were gone.
    refused_for_memory: int
    computed: int  # Their replies wait, or have left into the callers' buffers.
    others_refused: int
    metrics_answer: bool  # While replies wait.
    call_after: str  # The status of a call when the callers were gone, of a reply that takes much of the room.


def can_make_groups() -> bool:
    return (MEMORY_GROUPS / "memory.limit_in_bytes").exists() and os.access(MEMORY_GROUPS, os.W_OK)


@contextlib.contextmanager
def group_of(memory_mb: int):
    """The start of a command that runs what follows in a cgroup of so much memory."""
    group = MEMORY_GROUPS / f"hearwire-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(memory_mb << 20))
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$0" "$@"']
    finally:
        group.rmdir()


@contextlib.contextmanager
def machine_of(memory_mb: int):
    """The start of a command that runs what follows on a machine of so much memory, by its /proc/meminfo."""
    with tempfile.NamedTemporaryFile("w", prefix="meminfo-") as meminfo:
        meminfo.write(f"MemTotal: {memory_mb * 1024} kB\nMemFree: {memory_mb * 1024} kB\n")
        meminfo.flush()
        yield ["unshare", "-m", "sh", "-c", f'mount --bind {meminfo.name} /proc/meminfo && exec "$0" "$@"']


def can_lie_about_memory() -> bool:
    with machine_of(512) as command:
        return subprocess.run([*command, "true"], capture_output=True).returncode == 0


def large_reply(module, reply_bytes: float):
    """A small request: quiet tones as FLAC. Its reply is so large."""
    return module.pb.GetTimestampEmbeddingsRequest(clips=[module.pb.Audio(encoded=_tones(_seconds(reply_bytes)))])


def _seconds(reply_bytes: float) -> float:
    return reply_bytes / (ROW_BYTES * ROWS_PER_SECOND)


def _tones(seconds: float) -> bytes:
    t = np.arange(int(32000 * seconds)) / 32000
    with tempfile.TemporaryDirectory() as folder:
        return flac.write(pathlib.Path(folder) / "tones.flac", [200 * np.sin(2 * np.pi * 440 * t)], 32000)


def run(module, calls: int, reply_mb: float, memory_mb: int) -> Outcome:
    reply_bytes = reply_mb * 2**20
    request = large_reply(module, reply_bytes)
    # A quarter of the memory is for calls, and a reply takes twice its bytes: with others beside it, it has no room.
    larger = large_reply(module, 0.2 * memory_mb * 2**20 / 4)
    # Nothing but memory refuses here.
    flags = ["--device=cpu", "--max-queue-time=1h", "--log-level=warning"]
    place = group_of if can_make_groups() else machine_of
    with place(memory_mb) as prefix, module.Server(*flags, prefix=prefix) as server:
        small = module.pb.GetSceneEmbeddingsRequest(clips=[module.pcm(module.chirp(1))])
        server.stub.GetSceneEmbeddings(small, timeout=60)
        before = memory(server.process.pid)["VmRSS"]
        with tempfile.NamedTemporaryFile() as file:
            file.write(request.SerializeToString())
            file.flush()
            command = [sys.executable, "-c", CALLERS, str(pathlib.Path(module.__file__).parent), server.address,
                       str(calls // PROCESSES), str(CONNECTIONS), file.name]
            callers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                       for _ in range(PROCESSES)]
            try:
                for process in callers:
                    assert process.stdout.readline() == "connected\n"
                for process in callers:
                    process.stdin.write("go\n")
                    process.stdin.flush()
                    assert process.stdout.readline() == "sent\n"
                    time.sleep(0.05)  # For the last of the requests to leave.
                    process.send_signal(signal.SIGSTOP)
                    _wait_until_still(server)
                for_memory = int(server.metric("hearwire_rejected_total", reason="MEMORY_FULL"))
                others = int(server.metric("hearwire_rejected_total")) - for_memory
                windows = server.metric("hearwire_batch_windows_sum")
                alive = server.process.poll() is None and "hearwire_pending_frames 0" in server.metrics()
            finally:
                for process in callers:
                    process.kill()
                    process.wait()
        computed = round(windows / (_seconds(reply_bytes) * ROWS_PER_SECOND))
        peak = memory(server.process.pid)["VmHWM"]
        status = call_until_let_in(server, larger)
        time.sleep(1)
        return Outcome(
            round(reply_bytes), memory_mb * 2**20, before, peak, memory(server.process.pid)["VmRSS"], for_memory,
            computed, others, alive, status)


def _wait_until_still(server) -> None:
    """Until nothing is computed or refused any more."""
    last, still = -1.0, 0
    while still < 3:
        time.sleep(0.1)
        now = server.metric("hearwire_rejected_total") + server.metric("hearwire_batch_windows_sum")
        still = still + 1 if now == last else 0
        last = now


def call_until_let_in(server, request) -> str:
    """The status of a call, made again while the server has not found yet that the others have gone."""
    end = time.monotonic() + 20
    while True:
        try:
            server.stub.GetTimestampEmbeddings(request, timeout=60)
            return "OK"
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED or time.monotonic() > end:
                return error.code().name
        time.sleep(0.2)


def main() -> None:
    parser = measured.parser(__doc__)
    parser.add_argument("--calls", type=int, default=300, help=f"by {PROCESSES} processes")
    parser.add_argument("--reply-mb", type=float, default=4)
    parser.add_argument("--memory-mb", type=int, default=768)
    arguments = parser.parse_args()
    if not can_make_groups() and not can_lie_about_memory():
        sys.exit("slow_readers.py: making cgroups and mounting over /proc/meminfo take root")
    outcome = run(measured.server_module(arguments.build), arguments.calls, arguments.reply_mb, arguments.memory_mb)
    print(f"{arguments.calls} calls of replies of {outcome.reply_bytes / 2**20:.1f} MiB, unread; a "
          f"{'cgroup' if can_make_groups() else 'machine'} of {outcome.limit_bytes / 2**20:.0f} MiB")
    print(f"refused for memory: {outcome.refused_for_memory}, for anything else: {outcome.others_refused}, "
          f"computed: {outcome.computed} ({outcome.computed * outcome.reply_bytes / 2**20:.0f} MiB)")
    print(f"resident: {outcome.before_kb / 1024:.0f} MiB before, {outcome.peak_kb / 1024:.0f} at most "
          f"({outcome.peak_kb * 1024 / outcome.limit_bytes:.2f} of the machine), {outcome.after_kb / 1024:.0f} after")
    print(f"metrics while replies waited: {'answered' if outcome.metrics_answer else 'NO ANSWER'}; "
          f"a large call when the callers were gone: {outcome.call_after}")


if __name__ == "__main__":
    main()
