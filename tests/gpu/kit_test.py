"""The GPU kit on the CPU: what its program finds, and that it reports what fails.

kit_test.py BUILD TORCH_LIB FAKE_DRIVER_FOLDER [unittest's arguments]

Golden data is read from HEARWIRE_SHARED, too; without it the default network's goldens are compared alone.
"""

from __future__ import annotations

import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BUILD, TORCH_LIB, FAKE_DRIVER = (pathlib.Path(argument) for argument in sys.argv[1:4])
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from steps import PARTS, STEPS

TOLERANCE = 1e-4
# Says what a GPU does where there is none, so that what reads it is seen to read it.
NVIDIA_SMI = """#!/bin/sh
case "$*" in *-lms*) while :; do echo "50, 1234, 300.00"; sleep 0.1; done ;; esac
echo "Fake GPU, 1.2"
"""
# PyTorch on a GPU of 8 GiB, as far as hold_memory.py asks.
FAKE_TORCH = """
class cuda:
    free = 8 << 30
    def mem_get_info():
        return cuda.free, 8 << 30
class empty:
    def __init__(self, size, dtype, device):
        cuda.free -= size
        self.numel = lambda: size
uint8 = None
"""


class KitTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.kit = self.folder / "kit"
        (self.kit / "tests").mkdir(parents=True)
        (self.kit / "bin").symlink_to(BUILD / "bin")
        (self.kit / "lib").symlink_to(BUILD / "lib")
        (self.kit / "tests/gpu_probe").symlink_to(BUILD / "tests/gpu_probe")
        (self.kit / "tests/golden").symlink_to(HERE.parent / "golden")
        (self.kit / "tests/torch_host_test").symlink_to(BUILD / "tests/torch_host_test")
        self.script(self.folder / "path/nvidia-smi", NVIDIA_SMI)

    def script(self, path: pathlib.Path, text: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def break_probe(self, text: str) -> None:
        self.script(self.kit / "tests/gpu_probe", text)

    def command(self, *arguments: str) -> list[str]:
        golden = os.environ.get("HEARWIRE_SHARED")
        return [sys.executable, str(HERE / "run_on_device"), *arguments, "--kit", str(self.kit), "--out",
                str(self.folder / "out"), "--device", "cpu", "--torch-lib", str(TORCH_LIB),
                *(["--golden", golden] if golden else [])]  # fmt: skip

    def run_kit(self, *arguments: str) -> subprocess.CompletedProcess:
        """Its results, as the file has them, stand in `results`."""
        done = subprocess.run(
            self.command(*arguments),
            env={**os.environ, "PATH": f"{self.folder / 'path'}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=170,
        )  # fmt: skip
        results = self.folder / "out/results.txt"
        done.results = results.read_text().splitlines() if results.exists() else []
        return done

    def test_finds_the_right_numbers(self):
        steps = ["facts", "alive", "parity", "unit_tests", "rates", "equality", "lengths", "widths", "soak", "server",
                 "server_native"]  # fmt: skip
        done = self.run_kit(*steps)
        text = "\n".join(done.results)
        self.assertEqual(done.returncode, 0, done.stdout)
        for step in steps:
            self.assertRegex(text, rf"(?m)^STEP {step} rc=0 seconds=")
        self.assertIn("STEPS failed=none", text)
        parity = re.search(r"RESULT parity device=cpu precision=float32 .* cases=(\d+) absent=0 bad=0 largest=(\S+) .* first_row_s=", text)
        self.assertGreater(int(parity[1]), 0)
        self.assertLess(float(parity[2]), TOLERANCE)
        self.assertRegex(text, r"RESULT libraries programs=\d+ missing=0")
        self.assertRegex(text, r"RESULT unit_tests torch_host_test ok=[1-9]\d* failed=0 skipped=0 rc=0")
        self.assertRegex(text, r"RESULT speed device=cpu .* work=timestamps:1 frames=16 windows=201 .* windows_per_s=[1-9]")
        for device in ("native", "cpu"):
            self.assertRegex(text, rf"RESULT speed device={device} .* width=0.2 .* work=scene1:4 ")
        self.assertRegex(text, r"RESULT server name=cpu load=timestamps/1/2 calls_per_second=[1-9].* failed=0.0 "
                               r"cpu_ms_per_call=.* gpu_percent=50 gpu_mib=1234 .* rc=0")  # fmt: skip
        # What is seen while it runs is what is kept.
        seen = [line for line in done.stdout.splitlines() if line.startswith(("RESULT", "STEP"))]
        self.assertEqual(seen, [line for line in done.results if line.startswith(("RESULT", "STEP"))])
        self.assertGreater((self.folder / "out/server-cpu.log").stat().st_size, 0)

    def test_wrong_numbers_fail_the_step(self):
        done = subprocess.run(
            [BUILD / "tests/gpu_probe", "parity", "--device=cpu", "--configs=hearwire_mn01_all_b_mel_avgs", "--tolerance=1e-9"],
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"RESULT parity .* bad=[1-9]")
        self.assertRegex(done.stdout, r"RESULT parity .* failed: INTERNAL: \d+ of \d+ goldens are not met")

    def test_a_step_that_dies_keeps_its_results_and_the_others_run(self):
        self.break_probe("#!/bin/sh\necho RESULT found before the end\necho its last words\nkill -SEGV $$\n")
        done = self.run_kit("alive", "facts")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("RESULT found before the end", done.results)
        self.assertTrue(any(line.startswith(f"STEP alive rc={128 + signal.SIGSEGV} ") for line in done.results))
        self.assertTrue(any(line.startswith("STEP facts rc=0 ") for line in done.results))
        self.assertTrue(done.results[-1].startswith("STEPS failed=alive "))
        self.assertIn("    | its last words", done.stdout)

    def test_a_step_ends_with_its_time_and_all_that_it_started(self):
        marker = self.folder / "child"
        self.break_probe(f"#!/bin/sh\necho RESULT found before the end\nsleep 300 & echo $! >{marker}\nwait\n")
        begin = time.monotonic()
        done = self.run_kit("alive", "facts", "--seconds", "6")
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("RESULT found before the end", done.results)
        self.assertTrue(any(line.startswith("STEP alive rc=124 ") for line in done.results), done.results)
        self.assertIn("STEP facts skipped: no time left", done.results)
        self.assert_ended(marker)

    def assert_ended(self, marker: pathlib.Path) -> None:
        """The process whose number stands in the file."""
        status = pathlib.Path(f"/proc/{marker.read_text().strip()}/status")
        self.assertTrue(not status.exists() or "State:\tZ" in status.read_text(), "the step's child still runs")

    def test_ends_all_that_it_started_when_it_is_ended_itself(self):
        marker = self.folder / "child"
        self.break_probe(f"#!/bin/sh\nsleep 300 & echo $! >{marker}\necho RESULT found before the end\nwait\n")
        process = subprocess.Popen(self.command("alive"), stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "RESULT found before the end\n")
        process.terminate()
        self.assertEqual(process.wait(30), 128 + signal.SIGTERM)
        process.stdout.close()
        self.assertEqual((self.folder / "out/results.txt").read_text(), "RESULT found before the end\n")
        self.assert_ended(marker)

    def test_says_what_a_server_warned_of(self):
        (self.kit / "bin").unlink()
        log = "gRPC listening on 127.0.0.1:1\nmetrics listening on 127.0.0.1:2\n2026-01-01T00:00:00Z {} that\n"
        text = "".join(log.format(said) for said in ("warning this and", "info network placed", "info not"))
        self.script(self.kit / "bin/hearwire-server", f"#!/bin/sh\ncat <<E\n{text}E\nexec sleep 60\n")
        self.script(self.kit / "bin/hearwire-load", "#!/bin/sh\nexit 3\n")
        done = self.run_kit("server_native")
        logged = [line.partition(" log: ")[2] for line in done.results if " log: " in line]
        self.assertEqual(logged, ["warning this and that", "info network placed that"])
        # Neither the load nor the end was as it must be.
        self.assertRegex("\n".join(done.results), r"load=scene/1/2 no report .* rc=3")
        self.assertIn("RESULT server name=native failed: it ended with -15", done.results)
        self.assertEqual(done.returncode, 1)

    def test_a_server_that_does_not_start_fails_the_step(self):
        (self.kit / "bin").unlink()
        self.script(self.kit / "bin/hearwire-server", "#!/bin/sh\necho no such device >&2\nexit 1\n")
        done = self.run_kit("server")
        self.assertEqual(done.returncode, 1)
        self.assertIn("RESULT server name=cpu failed: it did not start; its last words:", done.results)
        self.assertIn("    | no such device", done.stdout)

    def test_a_library_that_is_missing_fails_the_facts(self):
        (self.kit / "lib").unlink()
        (self.kit / "lib/hearwire").mkdir(parents=True)
        code = "int missing(void); int found(void) { return missing(); }"
        for name, source, flags in (("libmissing.so", "int missing(void) { return 1; }", []),
                                    ("libfound.so", code, [f"-L{self.folder}", "-lmissing"])):  # fmt: skip
            subprocess.run(["c++", "-shared", "-xc++", "-", "-o", str(self.folder / name), *flags], input=source, text=True, check=True)
        (self.folder / "libfound.so").rename(self.kit / "lib/hearwire/libfound.so")
        done = self.run_kit("facts")
        self.assertEqual(done.returncode, 1)
        self.assertIn("RESULT library failed: libfound.so: libmissing.so => not found", done.results)

    def run_helper(self, *words: str, path: pathlib.Path | None = None) -> subprocess.CompletedProcess:
        environment = {**os.environ, "KIT_LIBRARY_PATH": "/nowhere", "PYTHONPATH": str(self.folder / "fakes"),
                       "PATH": f"{path or self.folder / 'path'}:{os.environ['PATH']}"}  # fmt: skip
        return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=60)

    def test_holds_memory_while_a_program_runs(self):
        self.script(self.folder / "fakes/torch.py", FAKE_TORCH)
        words = ["--leave-mib", "1500", "--", sys.executable, "-c", "import sys; print(*sys.argv); sys.exit(3)", "--", "a"]
        done = self.run_helper(str(HERE / "hold_memory.py"), *words)
        self.assertEqual(done.stdout, "RESULT memory held_mib=6692 of_free_mib=8192 left_mib=1500\n-c -- a\n", done.stderr)
        self.assertEqual(done.returncode, 3)

    def test_says_what_the_sanitizer_found(self):
        for code, said in ((0, "clean"), (9, "found something"), (1, "failed: exit code 1")):
            self.script(self.folder / "path/compute-sanitizer", f"#!/bin/sh\nexit {code}\n")
            done = self.run_helper(str(HERE / "sanitizer.py"), "probe")
            self.assertEqual((done.returncode, done.stdout), (code, "".join(f"RESULT sanitizer memcheck device={device} {said}\n" for device in ("kernels", "cuda"))))

    def test_says_how_busy_the_gpu_was(self):
        done = self.run_helper(str(HERE / "watch_gpu.py"), "--", "sleep", "1")
        self.assertEqual(done.stdout, "RESULT gpu during=1 gpu_percent=50 gpu_mib=1234 gpu_mib_early=1234 gpu_mib_last=1234 watts=300\n")

    def test_refuses_a_step_that_it_does_not_know(self):
        done = self.run_kit("faster")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no step faster; --list tells them", done.stderr)

    def test_parts_name_steps(self):
        for _, names in PARTS.values():
            self.assertLessEqual({*names}, {*STEPS})
            self.assertEqual(len(names), len({*names}))
        for part, most in {"first": 360, "second": 240}.items():
            self.assertLessEqual(PARTS[part][0], most)
        self.assertLessEqual({*STEPS}, {name for _, names in PARTS.values() for name in names})

    def test_leaves_out_what_needs_a_checkpoint_that_it_lacks(self):
        self.break_probe("#!/bin/sh\necho RESULT the probe ran: $1\n")
        command = self.command("server16", "device_lost", "official")
        command[command.index("cpu")] = "cuda"
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual([re.sub(r"[0-9.]+$", "", line) for line in done.stdout.splitlines()], [
            "STEP server16 skipped: the kit was built without mn10_as.pt",
            "WARNING device_lost in part: the kit was built without mn10_as.pt",
            "RESULT the probe ran: lose-device",
            "RESULT the probe ran: lose-device",
            "STEP device_lost rc=0 seconds=",
            "STEP official skipped: the kit was built without mn04_as.pt",
            "STEPS failed=none seconds=",
        ])  # fmt: skip
        (self.kit / "models").mkdir()
        (self.kit / "models/mn04_as.pt").touch()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertIn("RESULT the probe ran: network\n", done.stdout)

    def test_every_step_has_a_command_line_that_its_program_takes(self):
        """Without a driver each says so, which is later than it looks at its arguments."""
        try:
            subprocess.run(["/usr/bin/env", "nvidia-smi"], check=True, capture_output=True)
            self.skipTest("there is a CUDA device")
        except subprocess.CalledProcessError:
            pass
        places = {"probe": str(BUILD / "tests/gpu_probe"), "bin": str(BUILD / "bin"), "tests": str(self.kit / "tests"),
                  "python": sys.executable, "here": str(HERE), "device": "cuda", "out": str(self.folder),
                  "work": str(self.folder), "models": str(self.folder), "golden": str(self.folder), "cpus": "1"}  # fmt: skip
        for step in STEPS.values():
            for command in step.commands:
                words = [word.format(**places) for word in command.words]
                if "--" in words and words[words.index("--") + 1] == places["probe"]:
                    words = words[words.index("--") + 1 :]
                if words[0] == sys.executable:
                    self.assertTrue(pathlib.Path(words[1]).exists(), words[1])
                if words[0] != places["probe"] or words[1] == "network" or "native" in words:
                    continue
                with self.subTest(step=step.name, words=words):
                    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    self.assertRegex(done.stdout, "no CUDA driver|built without kernels")

    def test_breaks_a_context_and_looks_at_what_comes_of_it(self):
        """The driver is a fake one: the CPU goes on as before, and that is what the command must find wrong."""
        environment = {**os.environ, "LD_LIBRARY_PATH": str(FAKE_DRIVER)}
        done = subprocess.run([BUILD / "tests/gpu_probe", "lose-device", "--device=cpu", "--width=0.1"], env=environment,
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"RESULT device_lost device=cpu .* next=OK later=OK new_embedder=OK")
        self.assertIn("a batch does not say UNAVAILABLE", done.stdout)

    def test_breaks_the_context_of_a_program_that_knows_nothing_of_it(self):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(FAKE_DRIVER),
                       "LD_PRELOAD": str(BUILD / "tests/libhearwire_break_on_signal.so")}  # fmt: skip
        process = subprocess.Popen(["sleep", "60"], env=environment, stderr=subprocess.PIPE, text=True)
        try:
            # Its constructor has run when the signal is blocked.
            while not int(re.search(r"SigBlk:\s*(\w+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1], 16):
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            process.send_signal(signal.SIGUSR1)
            self.assertEqual(process.stderr.readline(), "break_on_signal: the context is broken\n")
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
