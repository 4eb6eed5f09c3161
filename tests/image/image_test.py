"""Tests of the container image, unpacked by scripts/image-test, as a container engine would run it.

Environment: IMAGE_ROOT (folder), IMAGE_CONFIG (JSON file, what `buildah inspect` says), IMAGE_BASE (folder
of what it is built on), HEARWIRE_SHARED (empty or unset: no published checkpoint).
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence

from container import CannotLimit, Container, CpuQuota, Image, processes_below
from sounds import golden_chirp, read_npy, write_16_bit_wav, write_float_wav

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests/golden/hearwire_mn01"
LARGEST_ADDED_BYTES = 80_000_000
INSPECTED = json.loads(pathlib.Path(os.environ["IMAGE_CONFIG"]).read_text())
IMAGE = Image(pathlib.Path(os.environ["IMAGE_ROOT"]), INSPECTED["Docker"]["config"])
PROGRAMS = ["hearwire", "hearwire-server", "hearwire-load"]


def size_of(folder: pathlib.Path) -> int:
    """Bytes of the files below, each once."""
    seen = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(parent, name))
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def log_lines(container: Container) -> list[dict]:
    return [json.loads(line) for line in container.err().splitlines()]


def workers_of(container: Container) -> int:
    return next(line["workers"] for line in log_lines(container) if line["message"] == "options")


def batches_of(container: Container) -> int:
    text = container.get("http://127.0.0.1:8002/metrics")
    return int(re.search(r"^hearwire_batch_windows_count (\d+)$", text, re.MULTILINE)[1])


def assert_close(
    test: unittest.TestCase, found: list[float], expected: Sequence[float], tolerance: float = 1e-4
) -> None:
    test.assertEqual(len(found), len(expected))
    largest = max(abs(a - b) for a, b in zip(found, expected))
    test.assertLessEqual(largest, tolerance * max(1, max(map(abs, expected))))


class ImageContentsTest(unittest.TestCase):
    """What is in it; nothing runs."""

    def test_holds_no_libtorch(self):
        found = [
            str(path.relative_to(IMAGE.root))
            for pattern in ("libtorch*", "libc10*", "libhearwire_torch*", "libcudart*")
            for path in IMAGE.root.rglob(pattern)
        ]
        self.assertEqual(found, [])

    def test_adds_less_than_80_mb_to_its_base(self):
        total, base = size_of(IMAGE.root), size_of(pathlib.Path(os.environ["IMAGE_BASE"]))
        ours = size_of(IMAGE.root / "opt/hearwire")
        print(
            f"\nimage {total / 1e6:.1f} MB: base {base / 1e6:.1f}, added {(total - base) / 1e6:.1f}"
            f" (Hearwire {ours / 1e6:.1f}, Debian packages {(total - base - ours) / 1e6:.1f})",
            file=sys.stderr,
        )
        self.assertLess(total - base, LARGEST_ADDED_BYTES)

    def test_holds_the_programs_and_no_sources(self):
        self.assertEqual(sorted(PROGRAMS), sorted(path.name for path in (IMAGE.root / "opt/hearwire/bin").iterdir()))
        self.assertFalse((IMAGE.root / "src").exists())

    def test_holds_the_licences_of_all_that_it_is_made_of(self):
        self.assertTrue((IMAGE.root / "opt/hearwire/share/doc/hearwire/LICENSE").stat().st_size)
        self.assertTrue((IMAGE.root / "opt/hearwire/share/doc/hearwire/NOTICE").stat().st_size)
        for package in ("libgrpc++1.51", "libsndfile1", "libmpg123-0", "libsoxr0"):
            self.assertTrue((IMAGE.root / "usr/share/doc" / package / "copyright").exists(), package)

    def test_holds_kernels_for_gpus(self):
        """Without them the server would say so before it looks for a driver."""
        with Container(IMAGE, env={"HEARWIRE_DEVICE": "cuda"}) as container:
            self.assertEqual(container.wait(60), 1)
            self.assertIn("no CUDA driver", container.err())
            self.assertIn("--gpus all", container.err())
            self.assertNotIn("without kernels", container.err())

    def test_says_how_it_is_run(self):
        config = IMAGE.config
        self.assertEqual(config["Entrypoint"], ["hearwire-server"])
        self.assertEqual(set(config["ExposedPorts"]), {"8001/tcp", "8002/tcp"})
        self.assertEqual(set(config["Volumes"]), {"/models"})
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(config["Labels"]["org.opencontainers.image.title"], "Hearwire")
        self.assertEqual(config["Labels"]["org.opencontainers.image.licenses"], "MIT")
        self.assertGreaterEqual(IMAGE.user_and_group()[0], 1000)


class RunningImageTest(unittest.TestCase):
    """One container as `docker run --read-only` starts it, for all of these tests."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.folder.chmod(0o755)
        write_float_wav(cls.folder / "chirp.wav", golden_chirp())
        write_16_bit_wav(cls.folder / "at_44100_hz.wav", golden_chirp(44100), 44100)
        cls.container = cls.enterClassContext(Container(IMAGE, volumes={"/sounds": cls.folder}))
        cls.container.wait_until_healthy()

    def in_container(self, *program: str) -> str:
        ended = self.container.run(*program)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def embed(self, sound: str, *options: str) -> list[dict]:
        return json.loads(self.in_container("hearwire", "embed", f"/sounds/{sound}", "--output", "-", *options))

    def status(self) -> dict[str, list[str]]:
        text = pathlib.Path(f"/proc/{self.container.pid}/status").read_text()
        return {name: value.split() for name, _, value in (line.partition(":") for line in text.splitlines())}

    def test_runs_as_process_1_and_its_user_without_capabilities(self):
        status = self.status()
        user, group = IMAGE.user_and_group()
        self.assertEqual(status["Name"], ["hearwire-server"])
        self.assertEqual(status["NSpid"][-1], "1")
        self.assertEqual(status["Uid"], [str(user)] * 4)
        self.assertEqual(status["Gid"], [str(group)] * 4)
        self.assertEqual([int(status[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd")], [0, 0, 0])

    def test_root_is_read_only_even_for_root(self):
        for folder in ("/", "/tmp", "/var/tmp", "/run", "/opt/hearwire", "/models"):
            written = self.container.run("/bin/sh", "-c", f": > {folder}/written", privileged=True)
            self.assertNotEqual(written.returncode, 0, f"{folder} can be written to")
            self.assertIn("Read-only file system", written.stderr)

    def test_health_check_says_serving(self):
        checked = self.container.check_health()
        self.assertEqual((checked.returncode, checked.stdout), (0, "SERVING\n"), checked.stderr)

    def test_listens_on_all_interfaces_at_its_ports(self):
        self.assertEqual(
            self.container.out().splitlines(),
            ["gRPC listening on 0.0.0.0:8001", "metrics listening on 0.0.0.0:8002"],
        )

    def test_scene_embedding_is_the_reference_s(self):
        _, expected = read_npy(GOLDEN / "chirp_1s.scene.npy")
        [found] = self.embed("chirp.wav")
        self.assertEqual(found["config"], "hearwire_mn01_all_b_mel_avgs")
        assert_close(self, found["embedding"], expected)

    def test_timestamp_embeddings_are_the_reference_s(self):
        (rows, columns), expected = read_npy(GOLDEN / "chirp_1s.ts.npy")
        [found] = self.embed("chirp.wav", "--kind", "timestamps")
        self.assertEqual([len(row) for row in found["embeddings"]], [columns] * rows)
        assert_close(self, [value for row in found["embeddings"] for value in row], expected)

    def test_file_of_16_bits_at_another_rate_gives_nearly_the_same(self):
        _, expected = read_npy(GOLDEN / "chirp_1s.scene.npy")
        [found] = self.embed("at_44100_hz.wav")
        assert_close(self, found["embedding"], expected, 1e-2)

    def test_log_is_json_lines_on_standard_error(self):
        lines = log_lines(self.container)
        self.assertIn("serving", [line["message"] for line in lines])
        for line in lines:
            self.assertLessEqual({"time", "level", "message"}, line.keys())

    def test_metrics_are_served(self):
        self.assertRegex(self.container.get("http://127.0.0.1:8002/metrics"), r'hearwire_build_info\{.*device="cpu"')

    def test_every_program_finds_its_libraries(self):
        for program in PROGRAMS:
            self.in_container(program, "--help")

    def test_certificates_are_there(self):
        # `hearwire checkpoints fetch` needs them.
        self.in_container("/bin/sh", "-c", "test -s /etc/ssl/certs/ca-certificates.crt")


class StartAndStopTest(unittest.TestCase):
    def test_health_check_follows_the_port_and_fails_where_nothing_serves(self):
        with Container(IMAGE, env={"HEARWIRE_GRPC_PORT": "9001"}) as container:
            container.wait_until_healthy()
            elsewhere = container.run("hearwire", "health", "--server", "127.0.0.1:8001")
            self.assertEqual(elsewhere.returncode, 1)

    def test_workers_follow_the_cpu_quota(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one CPU: a quota below it shows nothing; tests/server/machine_test.cc has the rule")
        try:
            quota = self.enterContext(CpuQuota(0.5))
        except CannotLimit as error:
            self.skipTest(f"no cgroup can be made here ({error}); tests/server/machine_test.cc has the rule")
        with Container(IMAGE) as container:
            container.wait_until_healthy()
            self.assertEqual(workers_of(container), len(os.sched_getaffinity(0)))
        with Container(IMAGE, cgroup=quota.folder) as container:
            container.wait_until_healthy()
            self.assertEqual(workers_of(container), 1)

    def test_published_checkpoint_in_models_gives_the_reference_s_numbers(self):
        shared = pathlib.Path(os.environ.get("HEARWIRE_SHARED") or "/nowhere")
        checkpoint = shared / "golden/checkpoints/mn04_as_mAP_432.pt"
        if not checkpoint.exists():
            self.assertNotEqual(os.environ.get("HEARWIRE_REQUIRE_SHARED"), "1", f"it is required, but no {checkpoint}")
            self.skipTest("HEARWIRE_SHARED has no golden/checkpoints/mn04_as_mAP_432.pt")
        _, samples = read_npy(shared / "golden/audio/clip_1s3.npy")
        _, expected = read_npy(shared / "golden/mn04_all_b_mel_avgs/clip_1s3.scene.npy")
        with tempfile.TemporaryDirectory() as folder:
            sounds = pathlib.Path(folder)
            sounds.chmod(0o755)
            write_float_wav(sounds / "clip.wav", samples)
            volumes = {"/models": checkpoint.parent, "/sounds": sounds}
            with Container(IMAGE, volumes=volumes, env={"HEARWIRE_NETWORKS": "mn04_as"}) as container:
                container.wait_until_healthy()
                ended = container.run(
                    "hearwire", "embed", "/sounds/clip.wav", "--config", "mn04_all_b_mel_avgs", "--output", "-"
                )
                self.assertEqual(ended.returncode, 0, ended.stderr)
        [found] = json.loads(ended.stdout)
        assert_close(self, found["embedding"], expected)

    def test_sigterm_with_a_call_in_flight_drains_and_exits_0(self):
        with tempfile.TemporaryDirectory() as folder:
            sounds = pathlib.Path(folder)
            sounds.chmod(0o755)
            # Half an hour: long to work on and short to send.
            write_16_bit_wav(sounds / "long.wav", golden_chirp(8000), 8000, times=1800)
            # Without the lame duck, so that the drain alone has to keep the call alive.
            env = {"HEARWIRE_LAME_DUCK": "0s", "HEARWIRE_WORKERS": "1"}
            with Container(IMAGE, volumes={"/sounds": sounds}, env=env) as container:
                container.wait_until_healthy()
                idle = batches_of(container)  # The self-test's.
                # Outside the container's processes: the end of process 1 would end it, with its answer unprinted.
                call = container.start("hearwire", "embed", "/sounds/long.wav", "--kind", "timestamps", apart=True)
                while batches_of(container) == idle:
                    self.assertIsNone(call.poll(), "the call ended before it was seen")
                started = time.monotonic()
                container.send(signal.SIGTERM)
                self.assertIsNone(call.poll(), "the call ended before the signal: it shows nothing")
                out, err = call.communicate(timeout=30)
                self.assertEqual(call.returncode, 0, err)
                self.assertIn("long.wav", out)
                self.assertEqual(container.wait(10), 0, container.err())
                self.assertLess(time.monotonic() - started, 10, "docker stop kills after 10 s")
                self.assertEqual(log_lines(container)[-1]["message"], "ended")

    def test_leaves_nothing_running(self):
        with Container(IMAGE) as container:
            container.wait_until_healthy()
            self.assertEqual(len(processes_below(IMAGE.root)), 1)
            container.send(signal.SIGTERM)
            self.assertEqual(container.wait(10), 0)
            self.assertEqual(processes_below(IMAGE.root), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
