"""Every command in README.md and docs is run: here as it stands, or by the test that is named. A new one must be either."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from hearwire_server import BIN, PATIENCE, REPOSITORY, chirp
from test_command_line import write_wav

# docs/heads.md is a page of one session: client/python/tests/test_heads_esc10.py runs it as it is written.
PAGES = [REPOSITORY / "README.md", *sorted(set((REPOSITORY / "docs").glob("*.md")) - {REPOSITORY / "docs/heads.md"})]

# Commands by what they begin with, and what runs them.
ELSEWHERE = {
    "scripts/quickstart": "scripts/clean-room",
    "scripts/setup": "scripts/test",
    "scripts/test": "whoever runs this",
    "scripts/soak": "tests/e2e/test_soak.py",
    "scripts/bench": "itself, by hand: it measures for an hour",
    "cmake --preset release": "scripts/image-test",
    "hearwire checkpoints fetch": "tests/client/cli/checkpoints_command_test.cc: the network is needed here",
    "hearwire-server --model-repository models-dir --default-config birds_all": "tests/e2e/test_own_networks.py",
    "hearwire tag dog.wav --network birds": "the same",
    "hearwire embed dog.wav --config birds_all": "the same",
    "protoc ": "tests/e2e/test_go_and_java.py",
    "pip ": "client/python/tests/run",
    "python -m heareval": "scripts/hear-eval",
    "python -m hearwire plot": "client/python/tests/test_plot.py",
    "python3 scripts/make_medley.py": "client/python/tests/test_plot.py",
    "HEARWIRE_TOKEN=… hearwire": "tests/e2e/test_secure_clients.py",
    "hear-validator": "scripts/hear-eval",
    "docker ": "scripts/image-test: there is no Docker here",
    "scripts/gpu-kit": "tests/gpu/kit_test.py",
    "scp ": "tests/gpu/kit_test.py",
    "ssh ": "tests/gpu/kit_test.py",
    "./run_on_device": "tests/gpu/kit_test.py",
    ".deps/python/bin/python tests/bench/": "tests/bench, by hand: minutes each",
    "build/dev/tests/head_bench": "tests/bench, by hand: it measures",
    "build/dev/tests/load_bench": "the same",
    "build/dev/tests/native_bench": "the same",
    "build/dev/tests/scene_shares": "the same",
    ".cache/bench/bin/python tests/bench/": "scripts/bench, by hand: it measures",
    "PYTHONPATH=tests/bench .cache/bench/bin/python": "the same",
    "scripts/packages": ".ci/run, with --test",
    "scripts/wheel": ".ci/run, with --test",
    "apt-get install ./hearwire": "scripts/packages --test",
    "scripts/scale-test": "tests/scale: a short run of it",
    "kubectl ": "tests/deploy/test_kubernetes.py: the manifests; there is no cluster here",
    "systemctl reload": "tests/e2e/test_reload.py: what the unit's ExecReload does",
    "hearwire reload": "tests/e2e/test_admin.py: on a server with such a socket",
    "HEARWIRE_BIN=build/dev/bin .deps/python/bin/python tests/bench/": "tests/bench, by hand: minutes each",
    "sudo ": "tests/attack/test_front.py: the proxy, as this page sets it up",
    "cat tls.crt tls.key | sudo ": "tests/attack/test_front.py",
    "hearwire.Client(": "client/python/tests/test_connection.py",
    "hearwire.ray.": "client/python/tests/test_bulk_ray.py, as are the servers that it is given",
    "perf_analyzer ": "tests/e2e/test_open_inference.py",
    "client = hearwire.Client(": "client/python/tests/test_connection.py",
}
# A block's lines that are no commands: what is printed, and what stands in a file.
OTHERS = ("# SHA-256 of the token", "9f86d081", "60303ae2")

GRPCURL = """#!{python}
# As much of grpcurl as is documented: a request of JSON, from -d or with -d @ from standard input, to a method.
import argparse, sys
sys.path[:0] = {path!r}
import grpc
from google.protobuf import json_format
from hearwire.v1 import embedding_pb2 as pb, embedding_pb2_grpc
parser = argparse.ArgumentParser()
parser.add_argument("-plaintext", action="store_true", required=True)
parser.add_argument("-d", default="{{}}")
parser.add_argument("address")
parser.add_argument("method")
asked = parser.parse_args()
service, method = asked.method.split("/")
assert service == "hearwire.v1.EmbeddingService"
request = json_format.Parse(sys.stdin.read() if asked.d == "@" else asked.d, getattr(pb, method + "Request")())
channel = grpc.insecure_channel(asked.address)
print(json_format.MessageToJson(getattr(embedding_pb2_grpc.EmbeddingServiceStub(channel), method)(request, timeout=60)))
"""


def blocks(page: pathlib.Path) -> list[str]:
    """Those of lines that are indented by four spaces, outside fences and lists."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"(?<=\n\n)(?:    .*\n)(?:    .*\n|\n(?=    ))*", text)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def commands(block: str) -> list[str]:
    """Without comments; lines that go on are one command."""
    joined = re.sub(r"(\\|\|)\n\s+", lambda end: "| " if end[1] == "|" else "", block)
    lines = [re.sub(r"(^|\s+)# .*", "", line).strip() for line in joined.splitlines() if not line.startswith("# SHA")]
    return [line for line in lines if line]


def documented() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page):
            for command in commands(block):
                command = re.sub(r"\bbuild/\w+/bin/", "", command) if command.startswith("build/") else command
                if not command.startswith((*OTHERS, *ELSEWHERE)):
                    found.append((page.name, command))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory, server, certificates):
    """What the commands find: sounds, folders, certificates, tokens, and programs on PATH."""
    folder = tmp_path_factory.mktemp("commands")
    write_wav(folder / "dog.wav", chirp(100.0))  # 6 MB: more than a command line may have.
    write_wav(folder / "live.wav", chirp(12.0))
    for name in ("sounds/a.wav", "sounds/b/c.wav", "models-dir/x", "heads/x", "bin/x", "log/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".wav"):
            write_wav(folder / name, chirp(1.0))
    (folder / "tokens").write_text("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ingest\n")
    programs = {
        "grpcurl": GRPCURL.format(python=sys.executable, path=[part for part in sys.path if part]),
        "arecord": f"#!/bin/sh\ncat {folder}/live.wav\n",
    }
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return folder


def adapted(command: str, folder: pathlib.Path, server, certificates) -> str:
    """The same for this machine: where things are, what is served, and how long it may take."""
    pairs = [
        (r"\[(--pace fast|--max-batch-frames 16)\]", r"\1"),
        (r"127\.0\.0\.1:8001", server.address),
        (r"127\.0\.0\.1:8002", server.metrics_address),
        (r"\bmn10_all_b_mel_avgs\b", "hearwire_mn01_all_b_mel_avgs"),
        (r"--duration \d+", "--duration 1 --warm-up 0.2"),
        (r"/var/lib/hearwire/heads\b", f"{folder}/heads"),
        (r"/var/lib/hearwire\b", f"{folder}/models-dir"),
        (r"/var/log/hearwire/", f"{folder}/log/"),
        (r"--tls-cert (\S+)", f"--tls-cert {certificates.path('server.pem')}"),
        (r"--tls-key (\S+)", f"--tls-key {certificates.path('server.key')}"),
        (r"--tls-client-ca (\S+)", f"--tls-client-ca {certificates.path('ca.pem')}"),
        (r"/etc/hearwire/tokens", f"{folder}/tokens"),
        (r"--roots ca\.pem", f"--roots {certificates.path('ca.pem')}"),
    ]
    for pattern, text in pairs:
        command = re.sub(pattern, text, command)
    return command


@pytest.mark.parametrize("page, command", documented(), ids=lambda value: value[:40])
def test_a_documented_command_runs(page, command, folder, server, certificates):
    environment = {
        **os.environ,
        "PATH": f"{folder}/bin:{BIN}:{os.environ['PATH']}",
        "HEARWIRE_SERVER": server.address,
        "token": "abc",
    }
    command = adapted(command, folder, server, certificates)
    assert "…" not in command, command
    if command.startswith("hearwire-server") and "--self-test" not in command:
        started = subprocess.Popen(
            f"exec {command} --grpc-port 0 --metrics-port 0 --lame-duck 0s", shell=True, executable="/bin/bash",
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        try:
            assert started.stdout.readline().startswith("gRPC listening on"), started.stderr.read()
        finally:
            started.send_signal(signal.SIGTERM)
            started.communicate(timeout=60 * PATIENCE)
        assert started.returncode == 0
        return
    if "--compare" in command:  # What the commands before it have written, one with another --name.
        (folder / "single.json").write_text((folder / "batched.json").read_text().replace("up to 256", "16"))
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=400 * PATIENCE,
    )
    # 2: no rate was within the bound, as it may be on a busy machine.
    assert ended.returncode in ((0, 2) if "--knee-p99" in command else (0,)), f"{command}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
    if "GetTags" in command:
        assert ended.stdout.count('"probability"') == 5


def test_every_page_has_its_commands_seen():
    """The search for them finds what there is."""
    seen = [command for _, command in documented()]
    for command in (
        "hearwire embed dog.wav",
        "arecord -f S16_LE -r 32000 -t wav | hearwire stream --tags 3",
        "hearwire-load --kind stream --concurrency 32 --duration 60 --piece 100ms [--pace fast]",
        'printf %s "$token" | sha256sum',
    ):
        assert command in seen
    assert len(seen) > 20


def test_commands_of_the_table_of_promises_are_there():
    """Each regular expression names tests, each script and program is a file."""
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    table = text[text.index("| promise | command | figure |") : text.index("### Versions")].replace("\\|", "\0")
    cells = [line.split("|")[2].replace("\0", "|") for line in table.splitlines()[2:] if line.count("|") == 4]
    found = [command for cell in cells for command in re.findall(r"`([^`]+)`", cell)]
    assert len(found) > 25
    named = subprocess.run(["ctest", "--test-dir", BIN.parent, "-N"], capture_output=True, text=True, check=True).stdout
    for command in found:
        if match := re.search(r"\bctest (?:--preset dev -R )?\'?([^\' ]+)", command):
            assert re.search(rf"Test +#\d+: .*{match[1]}", named), command
        else:
            file = next(word for word in command.split() if "/" in word and not word.startswith(".deps"))
            assert (REPOSITORY / file).is_file(), command
