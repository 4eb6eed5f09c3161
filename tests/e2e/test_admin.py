"""hearwire.admin.v1.AdminService and `hearwire reload`: who may have a server read its files again, and what it tells."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import grpc
import pytest

from head_files import Head
from hearwire_server import BIN, PATIENCE, Server, admin_pb, admin_pb_grpc, open_folder, pb, wait_until
from stream_calls import error_info

NOBODY = 65534
NOTHING = admin_pb.ReloadResponse(networks=admin_pb.NameChanges(), heads=admin_pb.NameChanges())


def reload(channel: grpc.Channel, token: str = "", timeout: float = 60) -> "admin_pb.ReloadResponse":
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    stub = admin_pb_grpc.AdminServiceStub(channel)
    return stub.Reload(admin_pb.ReloadRequest(), timeout=timeout * PATIENCE, metadata=metadata)


def refusal(channel: grpc.Channel, token: str = "") -> tuple[str, str, str]:
    with pytest.raises(grpc.RpcError) as error:
        reload(channel, token)
    return error.value.code().name, error_info(error.value).reason, error.value.details()


def command(address: str, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    words = [str(BIN / "hearwire"), "reload", "--server", address, *more]
    return subprocess.run(words, capture_output=True, text=True, timeout=120 * PATIENCE, env={**os.environ, **env})


def place(source: pathlib.Path, target: pathlib.Path) -> None:
    new = target.with_suffix(".new")
    shutil.copyfile(source, new)
    new.rename(target)


@pytest.fixture(scope="module")
def folder():
    """Of checkpoints, heads and the socket."""
    with open_folder() as folder:
        for part in ("models", "heads"):
            (folder / part).mkdir()
        yield folder


@pytest.fixture(scope="module")
def server(folder):
    flags = [f"--model-repository={folder}/models", f"--heads={folder}/heads"]
    with Server(*flags, f"--unix-socket={folder}/socket", "--unix-socket-mode=0666") as running:
        yield running


@pytest.fixture
def local(server, folder):
    with grpc.insecure_channel(f"unix:{folder}/socket") as channel:
        yield channel


def test_its_own_user_reloads_on_the_socket(server, local, folder, shared):
    assert reload(local) == NOTHING
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=10 * PATIENCE).configs
    default = next(config for config in configs if config.is_default)
    Head(default, [3]).write(folder / "heads/cats.safetensors")
    place(shared / "golden/checkpoints/mn01_as_seeded.pt", folder / "models/mn01_as.pt")
    changes = reload(local)
    assert (list(changes.networks.added), list(changes.heads.added)) == (["mn01_as"], ["cats"])
    assert server.metric("hearwire_requests_total", method="Reload", code="OK") == 2
    wait_until(lambda: f"reloading caller=unix:{os.getuid()}" in server.log(), what="who has asked")

    # A bad file: nothing changes, the good ones beside it do not come either.
    checkpoint = (folder / "models/mn01_as.pt").read_bytes()
    (folder / "models/mn01_as.pt").write_bytes(checkpoint[:-5000])
    (folder / "heads/cats.safetensors").unlink()
    code, reason, details = refusal(local)
    assert (code, reason) == ("FAILED_PRECONDITION", "RELOAD_REFUSED") and "mn01_as.pt: " in details
    heads = server.stub.ListHeads(pb.ListHeadsRequest(), timeout=10 * PATIENCE).heads
    assert [head.name for head in heads] == ["cats"]
    failed = command(f"unix:{folder}/socket")
    assert failed.returncode == 1 and "mn01_as.pt: " in failed.stderr and not failed.stdout

    # The command tells the same.
    (folder / "models/mn01_as.pt").write_bytes(checkpoint)
    done = command(f"unix:{folder}/socket", "--format", "json")
    assert done.returncode == 0, done.stderr
    none = {"added": [], "replaced": [], "removed": []}
    told = {"networks": none, "heads": {**none, "removed": ["cats"]}}
    assert json.loads(done.stdout) == {**told, "certificate_replaced": False, "tokens_replaced": False}
    names = {field.name for field in admin_pb.ReloadResponse.DESCRIPTOR.fields}
    assert set(json.loads(done.stdout)) == names
    assert command(f"unix:{folder}/socket").stdout == "nothing has changed\n"
    Head(default, [4]).write(folder / "heads/dogs.safetensors")
    (folder / "models/mn01_as.pt").unlink()
    assert command(f"unix:{folder}/socket").stdout == "network mn01_as removed\nhead dogs added\n"


def test_who_asks_over_the_network_is_refused_without_tokens(server):
    code, reason, details = refusal(server.channel)
    assert (code, reason) == ("PERMISSION_DENIED", "NOT_PERMITTED")
    assert "on the Unix socket (--unix-socket) as the server's own user or root" in details
    failed = command(server.address)
    assert failed.returncode == 1 and "Reload is for the server's operator" in failed.stderr
    several = command(f"{server.address},{server.address}")
    assert several.returncode == 1 and "a reload is one server's" in several.stderr


AS_ANOTHER = """
import os, sys; sys.path.insert(0, sys.argv[1])
from hearwire_server import *
os.setuid(int(sys.argv[3]))
channel = grpc.insecure_channel("unix:" + sys.argv[2])
try:
    admin_pb_grpc.AdminServiceStub(channel).Reload(admin_pb.ReloadRequest(), timeout=60)
except grpc.RpcError as error:
    print(error.code().name)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_is_refused_on_the_socket(server, folder):
    words = [sys.executable, "-c", AS_ANOTHER, os.path.dirname(__file__), f"{folder}/socket", str(NOBODY)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.stdout.strip() == "PERMISSION_DENIED", done.stderr
    assert f"caller=unix:{NOBODY}" not in server.log()


def test_all_who_ask_at_once_are_answered(server, local):
    before = server.metric("hearwire_reloads_total", result="ok")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(reload, local) for _ in range(16)]:
            done.result()
    assert 1 <= server.metric("hearwire_reloads_total", result="ok") - before <= 16
    # No more of a request is read than it can have.
    ask = local.unary_unary("/hearwire.admin.v1.AdminService/Reload")
    with pytest.raises(grpc.RpcError) as error:
        ask(bytes([0x7A, 0x80, 0x40]) + bytes(8192), timeout=10 * PATIENCE)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "at most 4096" in error.value.details()


def test_a_token_reloads_whose_line_says_so(tmp_path):
    tokens = tmp_path / "tokens"

    def line(token: str, rest: str) -> str:
        return f"{hashlib.sha256(token.encode()).hexdigest()} {rest}\n"

    others = line("of-ingest", "ingest") + line("of-search", "search methods=ListConfigs")
    tokens.write_text(others + line("of-ops", "ops methods=Reload"))
    with Server(f"--tokens-file={tokens}", f"--unix-socket={tmp_path}/socket") as server:
        assert reload(server.channel, "of-ops") == NOTHING
        wait_until(lambda: "reloading caller=ops" in server.log(), what="who has asked")
        for token in "of-ingest", "of-search":
            code, reason, details = refusal(server.channel, token)
            assert (code, reason) == ("PERMISSION_DENIED", "NOT_PERMITTED") and "methods=Reload" in details
        assert refusal(server.channel, "guess")[:2] == ("UNAUTHENTICATED", "TOKEN_UNKNOWN")
        assert server.metric("hearwire_rejected_total", reason="TOKEN_UNKNOWN") == 1
        # Where there are tokens, no user of the machine does without.
        with grpc.insecure_channel(f"unix:{tmp_path}/socket") as channel:
            assert refusal(channel)[:2] == ("UNAUTHENTICATED", "TOKEN_MISSING")
        with pytest.raises(grpc.RpcError) as error:
            metadata = (("authorization", "Bearer of-ops"),)
            server.stub.ListConfigs(pb.ListConfigsRequest(), timeout=10 * PATIENCE, metadata=metadata)
        assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED, "it is for nothing else"

        tokens.write_text(others + line("of-new-ops", "ops methods=Reload"))
        # The server may have seen it by itself.
        done = command(server.address, HEARWIRE_TOKEN="of-new-ops")
        if done.returncode != 0:
            reload(server.channel, "of-ops")
            done = command(server.address, HEARWIRE_TOKEN="of-new-ops")
        assert done.returncode == 0, done.stderr
        assert refusal(server.channel, "of-ops")[1] == "TOKEN_UNKNOWN"
        assert "of-ops" not in server.log() and "of-new-ops" not in server.log()


def test_a_server_that_stops_reloads_no_more(folder, shared, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    flags = [f"--model-repository={models}", f"--unix-socket={folder}/stopping", "--lame-duck=2s"]
    with Server(*flags) as server, grpc.insecure_channel(f"unix:{folder}/stopping") as channel:
        reload(channel)
        place(shared / "golden/checkpoints/mn04_as_mAP_432.pt", models / "mn04_as.pt")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            begun = pool.submit(reload, channel)
            wait_until(lambda: server.log().count("reloading caller=") == 2, what="a reload that runs")
            server.process.terminate()
            # Whether it had begun its work or not, it is answered.
            assert begun.exception() is None or begun.exception().code() == grpc.StatusCode.UNAVAILABLE
        assert refusal(channel)[:2] == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert server.process.wait(30 * PATIENCE) == 0
