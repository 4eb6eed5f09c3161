"""configs.json: a network of ten classes with labels of its own, through all clients, and what is refused."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import zipfile

import grpc
import numpy as np
import pytest

import stream_calls
from head_files import Head
from hearwire_server import BIN, PATIENCE, REPOSITORY, Server, array, chirp, inference_pb, inference_pb_grpc, pb, pcm
from python_client import package
from test_command_line import hearwire, write_wav
from test_open_inference import outputs, waves
from test_reload import reload, wait_for_log

CLASSES = 10
LABELS = [f"species {i} \u2013 call" for i in range(CLASSES)]
CLIP = chirp(2.0)
PUBLISHED = "hearwire_mn01_all_b_mel_avgs"
FILE = {
    "networks": [{"name": "birds", "checkpoint": "fine-tuned.pt", "classes": CLASSES, "labels": "birds.txt"}],
    "configs": [
        {"name": "birds_all", "network": "birds", "features": ["mel_avgs", "b5", "b11", "b13", "b15"]},
        {"name": "birds_logits", "network": "birds", "features": ["logits"], "timestamp_window_ms": 320},
        {"name": "mn01_b7", "network": "hearwire_mn01", "features": ["b7"], "pooling": "max_ch"},
    ],
}


def make_fine_tuned(path: pathlib.Path) -> None:
    """The embedded network with a last layer of ten classes: AudioSet's first ten, so that their numbers are known."""
    source = REPOSITORY / "models/weights/hearwire_mn01.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("/data.pkl"):
                # The shapes [527, 128] and [527], as pickled; the storages stay as they are.
                for shape in (b"K\x80\x86", b"\x85"):
                    assert data.count(b"M\x0f\x02" + shape) == 1
                    data = data.replace(b"M\x0f\x02" + shape, b"K\x0a" + shape)
            new.writestr(zipfile.ZipInfo(name), data)


def write_repository(folder: pathlib.Path, file: dict = FILE) -> pathlib.Path:
    make_fine_tuned(folder / "fine-tuned.pt")
    (folder / "birds.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    write_file(folder, file)
    return folder


def write_file(folder: pathlib.Path, file: dict) -> None:
    (folder / "configs.json").write_text(json.dumps(file, indent=1))


def tags(server: Server, network: str, top_k: int = 0) -> dict[str, float]:
    request = pb.GetTagsRequest(network=network, clips=[pcm(CLIP)], top_k=top_k)
    [clip] = server.stub.GetTags(request, timeout=60 * PATIENCE).clips
    return {tag.name: tag.probability for tag in clip.tags}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return write_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def own(repository):
    with Server(f"--model-repository={repository}", "--default-config=birds_all") as running:
        yield running


@pytest.fixture(scope="module")
def expected(own) -> dict[str, float]:
    """What the ten classes have: the numbers of AudioSet's first ten."""
    request = pb.GetTagsRequest(network="hearwire_mn01", clips=[pcm(CLIP)])
    [clip] = own.stub.GetTags(request, timeout=60 * PATIENCE).clips
    first = {tag.index: tag.probability for tag in clip.tags if tag.index < CLASSES}
    return {LABELS[i]: first[i] for i in range(CLASSES)}


def test_tags_have_the_networks_own_labels(own, expected):
    assert tags(own, "birds") == expected == tags(own, "birds", CLASSES + 1)
    best = sorted(expected, key=expected.get, reverse=True)
    assert list(tags(own, "birds", 3)) == best[:3]
    assert tags(own, "") == expected, "the default config's network"


def test_embeddings_are_those_of_the_same_body(own):
    def scene(config: str) -> np.ndarray:
        request = pb.GetSceneEmbeddingsRequest(config=config, clips=[pcm(CLIP)])
        return array(own.stub.GetSceneEmbeddings(request, timeout=60 * PATIENCE).embeddings)

    np.testing.assert_array_equal(scene("birds_all"), scene(PUBLISHED))
    assert scene("mn01_b7").shape == (1, 8)
    request = pb.GetTimestampEmbeddingsRequest(config="birds_logits", clips=[pcm(CLIP)])
    [clip] = own.stub.GetTimestampEmbeddings(request, timeout=60 * PATIENCE).clips
    assert array(clip.embeddings).shape == (41, CLASSES)


def test_list_configs_has_them_behind_the_published_ones(own):
    reply = own.stub.ListConfigs(pb.ListConfigsRequest(), timeout=10 * PATIENCE)
    *published, birds_all, birds_logits, b7 = reply.configs
    assert len(published) == 77
    assert (birds_all.name, birds_all.network) == ("birds_all", "birds")
    assert birds_all.loaded and birds_all.is_default
    assert (birds_logits.scene_embedding_size, birds_logits.timestamp_window_ms) == (CLASSES, 320)
    assert (b7.name, b7.network) == ("mn01_b7", "hearwire_mn01")


def test_a_stream_has_them(own, expected):
    first = stream_calls.start(config="birds_all", tags_top_k=CLASSES + 5)
    summary = stream_calls.stream(own, [first, stream_calls.piece(stream_calls.bytes_of(CLIP))]).summary
    assert {tag.name: tag.probability for tag in summary.tags} == expected


def test_the_open_inference_protocol_has_them(own, expected):
    stub = inference_pb_grpc.GRPCInferenceServiceStub(own.channel)
    answer = outputs(stub.ModelInfer(waves("birds.tags", CLIP), timeout=60 * PATIENCE))
    assert dict(zip(answer["LABELS"][0], answer["SCORES"][0].tolist())) == pytest.approx(expected)
    request = waves("birds.tags", CLIP)
    request.parameters["top_k"].int64_param = 527
    assert outputs(stub.ModelInfer(request, timeout=60 * PATIENCE))["LABELS"].shape == (1, CLASSES)
    index = stub.RepositoryIndex(inference_pb.RepositoryIndexRequest(ready=True), timeout=10 * PATIENCE)
    assert {"birds.tags", "birds_all.scene", "birds_logits.timestamps"} <= {model.name for model in index.models}
    counted = stub.ModelStatistics(inference_pb.ModelStatisticsRequest(name="birds.tags"), timeout=10 * PATIENCE)
    assert counted.model_stats[0].execution_count == 2


def test_the_command_has_them(own, expected, tmp_path):
    sound = write_wav(tmp_path / "sound.wav", CLIP)
    [entry] = json.loads(hearwire(own, "tag", sound, "--network", "birds", "--top-k", 0, "--format", "json").stdout)
    found = {tag["name"]: tag["probability"] for tag in entry["tags"]}
    assert found == pytest.approx(tags(own, "birds"), abs=1e-3)  # 16 bits a sample.
    assert "birds_logits" in hearwire(own, "configs").stdout.decode()
    live = hearwire(own, "stream", sound, "--config", "birds_all", "--tags", 600).stdout.decode()
    assert LABELS[0] in live


PYTHON = """
import asyncio, json, sys
import numpy as np, hearwire
server, clip = sys.argv[1], np.load(sys.argv[2])
def names(reply):
    return {tag.name: tag.probability for tag in reply.clips[0]}
async def later():
    async with hearwire.AsyncClient(server) as client:
        return names(await client.get_tags([clip], network="birds", top_k=0, sample_rate=32000))
with hearwire.Client(server) as client:
    print(json.dumps({
        "tags": names(client.get_tags([clip], network="birds", top_k=0, sample_rate=32000)),
        "later": asyncio.run(later()),
        "configs": [config.name for config in client.list_configs()],
        "size": client.get_scene_embeddings([clip], config="birds_logits", sample_rate=32000).embeddings.shape[1]}))
"""


def test_the_python_client_has_them(own, expected, tmp_path):
    np.save(tmp_path / "clip.npy", CLIP)
    command = [sys.executable, "-c", PYTHON, own.address, str(tmp_path / "clip.npy")]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120 * PATIENCE, env={"PYTHONPATH": package()}
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["tags"] == found["later"] == pytest.approx(expected)
    assert found["size"] == CLASSES and "mn01_b7" in found["configs"]


def test_heads_read_them(own, repository, tmp_path):
    configs = {config.name: config for config in own.stub.ListConfigs(pb.ListConfigsRequest()).configs}
    head = Head(configs["birds_logits"], [4])
    head.write(tmp_path / "calls.safetensors")
    with Server(f"--model-repository={repository}", f"--heads={tmp_path}") as server:
        reply = server.stub.Classify(pb.ClassifyRequest(clips=[pcm(CLIP)]), timeout=60 * PATIENCE)
        assert len(reply.clips[0].heads[0].labels) == 4


def test_errors_name_them(own):
    with pytest.raises(grpc.RpcError) as raised:
        tags(own, "bird")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert "birds" in raised.value.details()


def test_a_reload_takes_the_file_anew_or_not_at_all(tmp_path):
    folder = write_repository(tmp_path)
    with Server(f"--model-repository={folder}") as server:
        before = tags(server, "birds")
        reload(server)  # Nothing has changed.
        assert "networks=unchanged" in server.log()

        more = json.loads(json.dumps(FILE))
        more["networks"].append({**FILE["networks"][0], "name": "more_birds", "mel_bands": 64})
        more["configs"].append({"name": "more_all", "network": "more_birds", "features": ["b15"]})
        write_file(folder, more)
        reload(server)
        assert list(tags(server, "more_birds", 1))
        assert server.metric("hearwire_requests_total", method="GetTags", config="more_birds", code="OK") == 1

        (folder / "birds.txt").write_text("\n".join(LABELS[:-1]) + "\n", encoding="utf-8")
        reload(server, "refused")
        wait_for_log(server, r"configs\.json:\d+: networks\[0\]\.labels: birds\.txt has 9 labels")
        (folder / "configs.json").write_text('{\n "networks": [\n')
        reload(server, "refused")
        wait_for_log(server, r"configs\.json:3: no JSON")
        assert tags(server, "birds") == before and tags(server, "more_birds"), "what was served is served on"

        (folder / "birds.txt").write_text("\n".join(reversed(LABELS)) + "\n", encoding="utf-8")
        write_file(folder, FILE)
        reload(server)
        after = tags(server, "birds")
        assert after == dict(zip(reversed(LABELS), [before[label] for label in LABELS]))
        with pytest.raises(grpc.RpcError) as raised:
            tags(server, "more_birds")
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND

        (folder / "configs.json").unlink()
        reload(server)
        with pytest.raises(grpc.RpcError):
            tags(server, "birds")


def test_a_reload_keeps_the_default_config(tmp_path):
    folder = write_repository(tmp_path)
    with Server(f"--model-repository={folder}", "--default-config=birds_all") as server:
        (folder / "configs.json").unlink()
        reload(server, "refused")
        wait_for_log(server, "--default-config birds_all is no config any more")
        assert len(tags(server, "")) == CLASSES


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        (lambda file: file["networks"][0].update(name="mn10_as"), [], "networks[0].name: 'mn10_as' is a published"),
        (lambda file: file["configs"][0].update(name=PUBLISHED), [], f"configs[0].name: '{PUBLISHED}' is a"),
        (lambda file: file["configs"][0]["features"].append("se3"), [], "configs[0].features[5]: this block has no"),
        (lambda file: file["networks"][0].update(classes=11), [], "networks[0].classes: fine-tuned.pt has 10"),
        (lambda file: file["networks"][0].pop("labels"), [], "networks[0]: its labels are missing"),
        (lambda file: None, ["--default-config=birds_al"], "did you mean birds_all"),
        (lambda file: None, ["--networks=bird"], 'no network is called "bird"'),
    ],
)
def test_a_start_is_refused(repository, tmp_path, change, flags, message):
    file = json.loads(json.dumps(FILE))
    change(file)
    for name in ("fine-tuned.pt", "birds.txt"):
        shutil.copyfile(repository / name, tmp_path / name)
    write_file(tmp_path, file)
    ended = subprocess.run(
        [BIN / "hearwire-server", f"--model-repository={tmp_path}", "--grpc-port=0", "--metrics-port=0", *flags],
        capture_output=True, text=True, timeout=60 * PATIENCE,
    )
    assert ended.returncode == 1 and message in ended.stderr, ended.stderr
