"""What a CPU server is before its first call: small, free of LibTorch, tested."""

import os
import pathlib
import re
import subprocess

import pytest

from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pcm

# Sanitizers multiply memory.
sanitized = bool(os.environ.get("HEARWIRE_SANITIZE"))

# A CUDA driver with a device that fails at whatever is asked of it.
FAKE_DRIVER = BIN.parent / "tests/fake_driver"
# One that does whatever is asked of it, but whose kernels compute nothing.
IDLE_DRIVER = BIN.parent / "tests/whole_driver"


def status(server, field):
    """Of /proc/PID/status, in MB."""
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text).group(1)) / 1000


def has_bfloat16():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return cpuinfo.exists() and re.search(r"\bavx512_bf16\b", cpuinfo.read_text()) is not None


def self_test(*flags):
    return subprocess.run(
        [BIN / "hearwire-server", "--self-test", *flags], capture_output=True, text=True, timeout=60 * PATIENCE
    )


def test_a_cpu_server_does_not_load_libtorch(server):
    maps = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libgrpc" in maps
    assert "libtorch" not in maps and "libc10" not in maps


@pytest.mark.skipif(sanitized, reason="sanitizers need memory of their own")
def test_memory_stays_small_when_serving_begins_and_after_calls():
    with Server("--device=cpu") as server:
        assert status(server, "VmRSS") < 60
        for seconds in (0.5, 1, 10):
            server.stub.GetSceneEmbeddings(
                pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(seconds))]), timeout=60 * PATIENCE
            )
        assert status(server, "VmRSS") < 90


@pytest.mark.skipif(sanitized, reason="sanitizers need memory of their own")
def test_mn10_fits_into_little_memory(shared, tmp_path):
    (tmp_path / "mn10_as.pt").symlink_to(shared / "golden/checkpoints/mn10_as_seeded.pt")
    with Server("--device=cpu", f"--model-repository={tmp_path}") as server:
        assert status(server, "VmHWM") < 120


def test_it_serves_before_it_says_so(server):
    reply = server.stub.GetSceneEmbeddings(
        pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(1.0))]), timeout=60 * PATIENCE
    )
    assert reply.embeddings.rows == 1
    log = server.log()
    assert log.index("network loaded") < log.index("listening; testing before serving") < log.index("self_test_error")


def test_self_test_prints_the_largest_errors_and_ends():
    ended = self_test("--device=cpu")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "backend native, device cpu, precision float32"
    errors = [float(re.search(r": largest error (\S+)$", line).group(1)) for line in lines[1:-1]]
    assert any("one window" in line for line in lines) and any("chirp_1s, logits" in line for line in lines)
    assert 0 < max(errors) <= 1e-4
    assert lines[-1].startswith("self-test passed")


def test_bfloat16_is_refused_where_the_processor_lacks_it():
    if has_bfloat16():
        pytest.skip("this processor has it")
    ended = self_test("--precision=bfloat16")
    assert ended.returncode == 1
    assert "needs a processor with AVX512-BF16" in ended.stderr
    assert self_test("--precision=auto", "--device=cpu").stdout.startswith(
        "backend native, device cpu, precision float32"
    )


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no AVX512-BF16")
@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_bfloat16_is_what_the_space_says(precision):
    ended = self_test(f"--precision={precision}", "--device=cpu")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "backend native, device cpu, precision bfloat16"
    errors = [float(re.search(r": largest error (\S+)$", line).group(1)) for line in lines[1:-1]]
    assert 1e-4 < max(errors) <= 5e-2
    with Server(f"--precision={precision}", "--device=cpu") as server:
        reply = server.stub.GetSceneEmbeddings(
            pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(1.0))]), timeout=60 * PATIENCE
        )
        assert reply.space.precision == "bfloat16"
        assert server.metric("hearwire_network_info", precision="bfloat16") == 1
        assert re.search(r"kernels chosen for this processor.*bfloat16", server.log())


def test_self_test_covers_every_loaded_network(shared, tmp_path):
    (tmp_path / "mn04_as.pt").symlink_to(shared / "golden/checkpoints/mn04_as_mAP_432.pt")
    ended = self_test(f"--model-repository={tmp_path}", "--device=cpu")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^mn04_as, one window: largest error \S+$", ended.stdout, re.MULTILINE)


def test_self_test_of_what_cannot_be_loaded_ends_with_code_1_and_one_clear_line(tmp_path):
    (tmp_path / "mn04_as.pt").write_bytes(b"no checkpoint")
    ended = self_test(f"--model-repository={tmp_path}", "--log-level=error")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1 and "mn04_as.pt" in ended.stderr


@pytest.mark.skipif(not FAKE_DRIVER.exists(), reason="the driver that has a device and can do nothing is not built")
def test_a_gpu_that_cannot_be_used_is_left_out_with_one_warning():
    with Server(env={"LD_LIBRARY_PATH": str(FAKE_DRIVER)}) as server:
        assert server.log().count("warning") == 1, server.log()
        assert "there is a CUDA device, but it cannot be used: running on the CPU" in server.log()
        assert server.metric("hearwire_network_info", device="cpu") == 1
        assert server.metric("hearwire_build_info", device="cpu", backend="native") == 1


@pytest.mark.skipif(not FAKE_DRIVER.exists(), reason="the driver that has a device and can do nothing is not built")
def test_a_gpu_that_was_asked_for_and_cannot_be_used_ends_the_start():
    ended = subprocess.run(
        [BIN / "hearwire-server", "--device=cuda", "--log-level=error"],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        env={**os.environ, "LD_LIBRARY_PATH": str(FAKE_DRIVER)},
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1 and ended.stderr.startswith("hearwire-server: "), ended.stderr


@pytest.mark.skipif(sanitized, reason="built without kernels for GPUs")
def test_a_gpu_that_gives_wrong_numbers_is_left_out_with_one_warning():
    with Server(env={"LD_LIBRARY_PATH": str(IDLE_DRIVER)}) as server:
        log = server.log()
        if "built without kernels" in log:
            pytest.skip("built without kernels for GPUs")
        assert "network placed where it is faster" in log and "cuda:0 " in log
        assert log.count("warning") == 1, log
        assert re.search(r"warning a device cannot be used: its networks run on another device=cuda:0 instead=cpu", log), log
        assert server.metric("hearwire_network_info", device="cpu", backend="native") == 1
