"""Tests of the container image with CUDA, unpacked by scripts/image-test --cuda, on a machine without a GPU.

Environment: as for image_test.py, and IMAGE_FAKE_DRIVER, a folder with a libcuda.so.1 that has one device and can do
nothing (tests/gpu/fake_cuda.cc).
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import image_test
from container import Container
from image_test import GOLDEN, IMAGE, size_of
from sounds import golden_chirp, read_npy, write_float_wav

FAKE_DRIVER = pathlib.Path(os.environ["IMAGE_FAKE_DRIVER"])
LIBRARIES = "opt/hearwire/lib/hearwire"
LARGEST_BYTES = 3_800_000_000
# Of the driver, which comes from the machine.
FROM_OUTSIDE = {"libcuda.so.1"}
# Loaded by name when they are needed, so that no other library's list of needed ones has them.
LOADED_BY_NAME = [
    "libtorch_cuda.so", "libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9", "libcudnn_heuristic.so.9",
    "libcudnn_engines_precompiled.so.9", "libcudnn_engines_runtime_compiled.so.9", "libnvrtc.so.13",
    "libnvrtc-builtins.so.13.*", "libnvJitLink.so.13",
]  # fmt: skip
LEFT_OUT = ["libcusolver*", "libcudnn_adv*", "libnvrtc*.alt*", "libtorch_cuda_linalg*", "libtorch_python*"]


class CudaImageContentsTest(unittest.TestCase):
    def test_every_library_finds_what_it_needs(self):
        names = sorted(path.name for path in (IMAGE.root / LIBRARIES).iterdir())
        found = subprocess.run(
            ["chroot", str(IMAGE.root), "/usr/bin/ldd", *(f"/{LIBRARIES}/{name}" for name in names)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        missing = {line.split()[0] for line in found.stdout.splitlines() if "not found" in line}
        self.assertLessEqual(missing, FROM_OUTSIDE)
        self.assertGreater(len(names), 20)

    def test_has_what_is_loaded_by_name(self):
        for pattern in LOADED_BY_NAME:
            self.assertTrue(list((IMAGE.root / LIBRARIES).glob(pattern)), pattern)

    def test_leaves_out_what_is_never_loaded(self):
        for pattern in LEFT_OUT:
            self.assertEqual(list((IMAGE.root / LIBRARIES).glob(pattern)), [])

    def test_is_as_small_as_it_is_said_to_be(self):
        total, base = size_of(IMAGE.root), size_of(pathlib.Path(os.environ["IMAGE_BASE"]))
        libraries = size_of(IMAGE.root / LIBRARIES)
        print(f"\nimage {total / 1e6:.0f} MB: base {base / 1e6:.0f}, libraries of LibTorch and CUDA {libraries / 1e6:.0f}, "
              f"the rest {(total - base - libraries) / 1e6:.0f}", file=sys.stderr)  # fmt: skip
        self.assertLess(total, LARGEST_BYTES)


class CudaImageTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o755)
        write_float_wav(self.folder / "chirp.wav", golden_chirp())

    def start(self, driver: bool = False, **env: str) -> Container:
        volumes = {"/sounds": self.folder}
        if driver:
            volumes["/driver"] = FAKE_DRIVER
            env["LD_LIBRARY_PATH"] = "/driver"
        return self.enterContext(Container(IMAGE, env=env, volumes=volumes))

    def assert_serves_on_the_cpu(self, container: Container) -> None:
        container.wait_until_healthy(60)
        ended = container.run("hearwire", "embed", "/sounds/chirp.wav", "--output", "-")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        [found] = json.loads(ended.stdout)
        _, expected = read_npy(GOLDEN / "chirp_1s.scene.npy")
        image_test.assert_close(self, found["embedding"], expected)
        self.assertRegex(container.get("http://127.0.0.1:8002/metrics"), r'hearwire_build_info\{.*device="cpu"')

    def test_says_that_there_is_no_driver(self):
        container = self.start(HEARWIRE_DEVICE="cuda")
        self.assertEqual(container.wait(60), 1)
        self.assertIn("install NVIDIA's driver, in a container run with --gpus all, or use --device=cpu", container.err())

    def test_serves_on_the_cpu_without_a_driver(self):
        self.assert_serves_on_the_cpu(self.start())

    def test_module_serves_on_the_cpu(self):
        container = self.start(HEARWIRE_DEVICE="cpu", HEARWIRE_BACKEND="torch")
        self.assert_serves_on_the_cpu(container)
        self.assertRegex(container.get("http://127.0.0.1:8002/metrics"), r'hearwire_build_info\{.*backend="torch"')

    def test_libraries_load_with_every_symbol(self):
        """LibTorch's CUDA library is loaded with all its symbols at once before it looks for a device of its own."""
        container = self.start(driver=True, HEARWIRE_DEVICE="cuda", HEARWIRE_BACKEND="torch")
        self.assertEqual(container.wait(120), 1)
        self.assertIn("LibTorch finds no usable CUDA device", container.err())
        self.assertNotIn("cannot be loaded", container.err())

    def test_cudnn_s_libraries_load_with_every_symbol(self):
        container = self.start()
        container.wait_until_healthy(60)
        for name in sorted(path.name for path in (IMAGE.root / LIBRARIES).glob("libcudnn*")):
            ended = container.run("/usr/bin/env", f"LD_PRELOAD=/{LIBRARIES}/{name}", "LD_BIND_NOW=1",
                                  f"LD_LIBRARY_PATH=/{LIBRARIES}", "hearwire", "--version")  # fmt: skip
            self.assertEqual((ended.returncode, ended.stderr), (0, ""), name)

    def test_serves_on_the_cpu_where_the_device_is_of_no_use(self):
        container = self.start(driver=True)
        self.assert_serves_on_the_cpu(container)
        warnings = [line for line in image_test.log_lines(container) if line["level"] == "warning"]
        self.assertTrue(any("the CUDA driver has no " in json.dumps(line) for line in warnings), warnings)


if __name__ == "__main__":
    unittest.main(verbosity=2)
