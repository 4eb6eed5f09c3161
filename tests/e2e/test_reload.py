"""SIGHUP: checkpoints, heads, tokens and certificates are read again while the server serves."""

import concurrent.futures
import hashlib
import itertools
import pathlib
import re
import shutil
import signal
import socket
import threading
import time
import zipfile

import grpc
import numpy as np
import pytest

import stream_calls
from head_files import Head
from hearwire_server import PATIENCE, Server, array, chirp, pb, pb_grpc, pcm, wait_until

CONFIG = "mn04_all_b_mel_avgs"
CLIP = chirp(1.0)


def alter(source: pathlib.Path, target: pathlib.Path, factor: float) -> None:
    """Another checkpoint of the same network: its large tensors are scaled."""
    new = target.with_suffix(".new")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as altered:
        for name in old.namelist():
            data = old.read(name)
            if re.search(r"/data/\d+$", name) and len(data) > 4096:
                data = (np.frombuffer(data, "<f4") * np.float32(factor)).astype("<f4").tobytes()
            altered.writestr(zipfile.ZipInfo(name), data)
    new.rename(target)


def place(source: pathlib.Path, target: pathlib.Path) -> None:
    """In one step, as an operator should."""
    new = target.with_suffix(".new")
    shutil.copyfile(source, new)
    new.rename(target)


def embed(stub, config: str = CONFIG) -> bytes:
    request = pb.GetSceneEmbeddingsRequest(config=config, clips=[pcm(CLIP)])
    return stub.GetSceneEmbeddings(request, timeout=60 * PATIENCE).embeddings.data


LINES = {"ok": r"\breloaded networks=", "refused": "reload refused: "}


def reloads(server: Server, result: str) -> int:
    """By the log, whose lines come last."""
    return len(re.findall(LINES[result], server.log()))


def reload(server: Server, result: str = "ok") -> None:
    """Asks for a reload and waits for its end."""
    before = {name: reloads(server, name) for name in LINES}
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: sum(reloads(server, name) for name in LINES) > sum(before.values()), 60, "a reload")
    assert reloads(server, result) == before[result] + 1, server.log()


def wait_for_log(server: Server, pattern: str) -> None:
    """A line that is written by another thread."""
    wait_until(lambda: re.search(pattern, server.log()), 10, f"a line with {pattern}")


def loaded(server: Server) -> set[str]:
    reply = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=10 * PATIENCE)
    return {config.name.split("_")[0] for config in reply.configs}


@pytest.fixture(scope="module")
def checkpoints(shared, tmp_path_factory):
    """Two of mn04, and what each gives."""
    folder = tmp_path_factory.mktemp("checkpoints")
    first = shared / "golden/checkpoints/mn04_as_mAP_432.pt"
    second = folder / "second.pt"
    alter(first, second, 1.02)
    numbers = []
    for source in (first, second):
        models = tmp_path_factory.mktemp("models")
        place(source, models / "mn04_as.pt")
        with Server(f"--model-repository={models}") as server:
            numbers.append(embed(server.stub))
    assert numbers[0] != numbers[1]
    return [first, second], numbers


def test_replaces_a_network_under_load(checkpoints, tmp_path):
    (first, second), (old, new) = checkpoints
    target = tmp_path / "mn04_as.pt"
    place(first, target)
    with Server(f"--model-repository={tmp_path}", "--stream-idle-timeout=10m") as server:
        # A stream that has begun before keeps its network to its end.
        samples = np.tile(CLIP, 6)
        begun, resumed = threading.Event(), threading.Event()

        def messages():
            yield stream_calls.start(config=CONFIG, timestamps=True)
            data = samples.astype("<f4").tobytes()
            yield stream_calls.piece(data[: len(data) // 2])
            begun.set()
            assert resumed.wait(120 * PATIENCE)
            yield stream_calls.piece(data[len(data) // 2 :])

        stream = server.stub.StreamEmbeddings(messages(), timeout=300 * PATIENCE)
        assert next(stream).WhichOneof("response") == "started"
        assert begun.wait(60 * PATIENCE)

        stop = threading.Event()
        answers: list[tuple[float, bytes]] = []

        def call():
            with grpc.insecure_channel(server.address) as channel:
                stub = pb_grpc.EmbeddingServiceStub(channel)
                while not stop.is_set():
                    asked = time.monotonic()
                    answers.append((asked, embed(stub)))

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(call) for _ in range(4)]
            wait_until(lambda: len(answers) > 20, 60, "calls")
            place(second, target)
            reload(server)
            served = time.monotonic()
            count = len(answers)
            wait_until(lambda: len(answers) > count + 20, 60, "calls")
            stop.set()
            for done in calls:
                done.result()  # None has failed.
        assert {answer for _, answer in answers} == {old, new}
        assert {answer for asked, answer in answers if asked > served} == {new}

        resumed.set()
        rest = list(stream)
        rows = np.concatenate([array(m.timestamps.embeddings) for m in rest if m.WhichOneof("response") == "timestamps"])
        wait_for_log(server, 'networks="replaced mn04_as"')
        # Of a new stream every row differs.
        again = stream_calls.Answer(
            list(
                server.stub.StreamEmbeddings(
                    iter([stream_calls.start(config=CONFIG, timestamps=True), stream_calls.piece(samples.tobytes())]),
                    timeout=60 * PATIENCE,
                )
            ),
            None,
        ).rows
    with Server(f"--model-repository={tmp_path}") as server:
        place(first, target)
        reload(server)
        request = pb.GetTimestampEmbeddingsRequest(config=CONFIG, clips=[pcm(samples)])
        expected = array(server.stub.GetTimestampEmbeddings(request, timeout=60 * PATIENCE).clips[0].embeddings)
    np.testing.assert_array_equal(rows, expected)
    assert again.shape == rows.shape and not np.any(np.all(again == rows, axis=1))


def test_a_bad_file_changes_nothing_and_is_named(checkpoints, tmp_path):
    (first, _), (old, _) = checkpoints
    models, heads = tmp_path / "models", tmp_path / "heads"
    models.mkdir()
    heads.mkdir()
    target = models / "mn04_as.pt"
    place(first, target)
    with Server(f"--model-repository={models}", f"--heads={heads}") as server:
        configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=10 * PATIENCE).configs
        config = next(config for config in configs if config.name == CONFIG)
        # A good head beside a bad checkpoint does not come either.
        Head(config, [3]).write(heads / "cats.safetensors")
        target.write_bytes(first.read_bytes()[:-5000])
        reload(server, "refused")
        wait_for_log(server, r"reload refused.*mn04_as\.pt: ")
        assert embed(server.stub) == old
        assert not server.stub.ListHeads(pb.ListHeadsRequest(), timeout=10 * PATIENCE).heads

        place(first, target)
        (heads / "dogs.safetensors").write_bytes(b"no head")
        reload(server, "refused")
        wait_for_log(server, r"reload refused.*dogs\.safetensors")
        assert not server.stub.ListHeads(pb.ListHeadsRequest(), timeout=10 * PATIENCE).heads

        (heads / "dogs.safetensors").unlink()
        reload(server)
        assert [h.name for h in server.stub.ListHeads(pb.ListHeadsRequest(), timeout=10 * PATIENCE).heads] == ["cats"]


def test_networks_come_and_go(checkpoints, shared, tmp_path):
    (first, _), (old, _) = checkpoints
    with Server(f"--model-repository={tmp_path}", "--default-config=hearwire_mn01_all_b_mel_avgs") as server:
        with pytest.raises(grpc.RpcError) as error:
            embed(server.stub)
        assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        place(first, tmp_path / "mn04_as.pt")
        place(shared / "golden/checkpoints/mn01_as_seeded.pt", tmp_path / "mn01_as.pt")
        reload(server)
        assert loaded(server) == {"hearwire", "mn01", "mn04"}
        assert embed(server.stub) == old
        assert server.metric("hearwire_network_info", network="mn04_as") == 1
        assert server.metric("hearwire_requests_total", config=CONFIG, method="GetSceneEmbeddings", code="OK") == 1
        (tmp_path / "mn04_as.pt").unlink()
        reload(server)
        assert loaded(server) == {"hearwire", "mn01"}
        assert 'network="mn04_as"' not in server.metrics()
        wait_until(lambda: server.metric("hearwire_reloads_total", result="ok") == 2, 10, "a count of reloads")
        assert server.metric("hearwire_reloads_total", result="refused") == 0
        with pytest.raises(grpc.RpcError) as error:
            embed(server.stub)
        assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_the_default_configs_network_cannot_go(checkpoints, tmp_path):
    (first, _), (old, _) = checkpoints
    target = tmp_path / "mn04_as.pt"
    place(first, target)
    with Server(f"--model-repository={tmp_path}", f"--default-config={CONFIG}") as server:
        target.unlink()
        reload(server, "refused")
        wait_for_log(server, f"reload refused.*--default-config {CONFIG} needs the network mn04_as")
        assert embed(server.stub, "") == old


def test_heads_come_and_go(server, tmp_path):
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=10 * PATIENCE).configs
    config = next(config for config in configs if config.is_default)

    def classify(stub, head: str):
        request = pb.ClassifyRequest(heads=[head], clips=[pcm(CLIP)])
        return stub.Classify(request, timeout=10 * PATIENCE).clips[0].heads[0]

    Head(config, [3]).write(tmp_path / "cats.safetensors")
    with Server(f"--heads={tmp_path}") as reloading:
        before = classify(reloading.stub, "cats")
        Head(config, [4], 2).write(tmp_path / "dogs.safetensors")
        reload(reloading)
        assert len(classify(reloading.stub, "dogs").labels) == 4
        assert classify(reloading.stub, "cats") == before
        (tmp_path / "cats.safetensors").unlink()
        Head(config, [5], 3).write(tmp_path / "dogs.safetensors")
        reload(reloading)
        assert len(classify(reloading.stub, "dogs").labels) == 5
        with pytest.raises(grpc.RpcError) as error:
            classify(reloading.stub, "cats")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        wait_for_log(reloading, 'heads="replaced dogs, removed cats"')


def test_tokens_are_looked_at_at_once(tmp_path):
    tokens = tmp_path / "tokens"

    def write(token: str) -> None:
        tokens.write_text(f"{hashlib.sha256(token.encode()).hexdigest()} team\n")

    write("old")
    with Server(f"--tokens-file={tokens}") as server:

        def tags(token: str):
            return server.stub.GetTags(
                pb.GetTagsRequest(clips=[pcm(CLIP)], top_k=1),
                timeout=10 * PATIENCE,
                metadata=(("authorization", f"Bearer {token}"),),
            )

        tags("old")
        write("new")
        reload(server)
        tags("new")
        with pytest.raises(grpc.RpcError) as error:
            tags("old")
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        tokens.write_text("nonsense\n")
        reload(server, "refused")
        wait_for_log(server, f"reload refused.*{re.escape(str(tokens))}")
        tags("new")


def resident_mb(server: Server) -> float:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def test_memory_is_given_back(checkpoints, tmp_path):
    files, _ = checkpoints
    target = tmp_path / "mn04_as.pt"
    place(files[0], target)
    with Server(f"--model-repository={tmp_path}") as server:
        turns = itertools.cycle((files[1], files[0]))

        def turn(count: int) -> None:
            for source in itertools.islice(turns, count):
                place(source, target)
                reload(server)
                embed(server.stub)

        turn(4)
        time.sleep(3)  # It is given back when it has been quiet.
        settled = resident_mb(server)
        turn(20)
        least = settled + 8  # A copy of mn04 takes as much, and there would be twenty.
        wait_until(lambda: resident_mb(server) < least, 30, f"less than {least:.0f} MB")


def test_a_burst_of_signals_is_one_reload_or_few(tmp_path):
    with Server(f"--model-repository={tmp_path}") as server:
        for _ in range(10):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        wait_until(lambda: reloads(server, "ok") >= 1, 30, "a reload")
        reload_count = 0
        while reload_count != reloads(server, "ok"):
            reload_count = reloads(server, "ok")
            time.sleep(0.3)
        assert 1 <= reload_count <= 10 and reloads(server, "refused") == 0
        assert embed(server.stub, "")


def test_a_signal_while_it_stops_is_ignored(tmp_path):
    with Server(f"--model-repository={tmp_path}", "--lame-duck=1s") as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in server.log(), 10, "the drain")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in server.log(), 10, "a word about it")
        assert server.stop() == 0


def test_a_signal_while_it_starts_reloads_later(tmp_path):
    """At any moment of the start it does no harm, and it is not lost."""
    started = threading.Event()

    def disturb(process) -> None:
        while not started.wait(0.002) and process.poll() is None:
            process.send_signal(signal.SIGHUP)

    def begin(process) -> None:
        threading.Thread(target=disturb, args=(process,), daemon=True).start()

    # Until the program runs, its process is as it was made.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = Server(f"--model-repository={tmp_path}", on_start=begin)
    finally:
        started.set()
        signal.signal(signal.SIGHUP, before)
    with server:
        wait_until(lambda: reloads(server, "ok") >= 1, 30, "a reload")
        wait_for_log(server, "reloading once it serves")


def test_systemd_is_told_when_it_serves_reloads_and_stops(tmp_path):
    (tmp_path / "models").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30 * PATIENCE)

        def told() -> dict[str, str]:
            return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))

        with Server(f"--model-repository={tmp_path / 'models'}", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as server:
            assert told() == {"READY": "1", "STATUS": f"serving on {server.address}, metrics on {server.metrics_address}"}
            (tmp_path / "models/mn04_as.pt").write_bytes(b"damaged")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            server.process.send_signal(signal.SIGHUP)
            reloading = told()
            assert reloading["RELOADING"] == "1"
            assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            refused = told()
            assert refused["READY"] == "1"
            assert re.fullmatch(r"serving on .*; reload refused: .*mn04_as\.pt.*", refused["STATUS"])
        assert told() == {"STOPPING": "1", "STATUS": "finishing the calls in flight"}
