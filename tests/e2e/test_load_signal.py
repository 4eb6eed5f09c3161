"""What a server says of its load, which decides how many servers there are."""

import contextlib
import subprocess
import time

from hearwire_server import BIN, PATIENCE, Server, wait_until


def test_load_and_busy_time_follow_what_is_asked():
    with Server("--workers=1", "--max-queue-time=1h") as server:
        assert server.metric("hearwire_load_seconds", device="cpu") == 0
        assert server.metric("hearwire_workers", device="cpu") == 1
        before, start = server.metric("hearwire_worker_busy_seconds_total", device="cpu"), time.monotonic()
        assert server.metric("hearwire_worker_busy_seconds_total") == before, "idle workers are not busy"
        # More at a time than one worker is done with soon.
        load = subprocess.Popen(
            [str(BIN / "hearwire-load"), "--server", server.address, "--concurrency", "64", "--duration", "20s",
             "--warm-up", "0", "--kind", "timestamps", "--clip-seconds", "20"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.ExitStack() as stack:
            stack.callback(load.wait)
            stack.callback(load.terminate)
            wait_until(lambda: server.metric("hearwire_load_seconds") > 0.02, 15, "work that waits")
            wait_until(lambda: server.metric("hearwire_worker_busy_seconds_total") > before + 0.3, 15, "busy workers")
            busy = server.metric("hearwire_worker_busy_seconds_total") - before
            assert busy < time.monotonic() - start, "one worker is busy no more than all the time"
        wait_until(lambda: server.metric("hearwire_load_seconds") == 0, 20 * PATIENCE, "an idle server")
