"""Heads: small classifiers on embeddings, from files in a folder."""

import hashlib
import io
import json
import pickle
import struct
import subprocess
import zipfile

import numpy as np
import pytest

from head_files import Head, write_safetensors
from hearwire_server import BIN, PATIENCE, Server, pb


@pytest.fixture(scope="module")
def config(server):
    """The embedded network's config, as a server without heads describes it."""
    configs = server.stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=10 * PATIENCE).configs
    return next(config for config in configs if config.is_default)


def ended(folder, *flags):
    """A start that must fail: its one line of complaint."""
    process = subprocess.run(
        [BIN / "hearwire-server", "--grpc-port=0", "--metrics-port=0", "--log-level=error", f"--heads={folder}", *flags],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
    )
    assert process.returncode == 1, process.stderr
    assert process.stdout == ""
    assert len(process.stderr.splitlines()) == 1, process.stderr
    return process.stderr


def test_heads_are_loaded_and_logged(config, tmp_path):
    Head(config, [3]).write(tmp_path / "cats.safetensors")
    Head(config, [8, 2], kind="timestamps").write(tmp_path / "Dogs-2.safetensors")
    with Server(env={"HEARWIRE_HEADS": str(tmp_path)}) as server:
        log = server.log()
        assert log.count("head loaded") == 2 and "cats.safetensors" in log and "Dogs-2.safetensors" in log
        heads = server.stub.ListHeads(pb.ListHeadsRequest(), timeout=10 * PATIENCE).heads
        assert [(head.name, head.kind) for head in heads] == [
            ("Dogs-2", pb.HEAD_KIND_TIMESTAMPS),
            ("cats", pb.HEAD_KIND_SCENE),
        ]
        assert all(head.space == config.space and head.config == config.name for head in heads)
        digest = hashlib.sha256((tmp_path / "cats.safetensors").read_bytes()).hexdigest()
        assert heads[1].sha256 == digest and list(heads[1].labels) == ["label 0", "label 1", "label 2"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-4])


def lie_of_gigabytes(path):
    path.write_bytes(struct.pack("<Q", 8 << 30) + path.read_bytes()[8:])


def empty(path):
    path.write_bytes(b"")


def with_header(change):
    """The same tensors behind a header that was changed."""

    def damage(path):
        content = path.read_bytes()
        end = 8 + struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8:end])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[end:])

    return damage


def shorter_header(path):
    content = path.read_bytes()
    path.write_bytes(struct.pack("<Q", struct.unpack("<Q", content[:8])[0] - 30) + content[8:])


def header_behind_the_end(path):
    path.write_bytes(struct.pack("<Q", 1 << 20) + path.read_bytes()[8:])


def written(dtype, name):
    """The tensor 0.bias in another type, as many values, and everything as that type wants it."""

    def damage(path):
        content = path.read_bytes()
        end = 8 + struct.unpack("<Q", content[:8])[0]
        header, data = json.loads(content[8:end]), content[end:]
        begin, behind = header["0.bias"]["data_offsets"]
        assert behind == max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        values = np.frombuffer(data[begin:behind], "<f4").astype(dtype).tobytes()
        header["0.bias"].update(dtype=name, data_offsets=[begin, begin + len(values)])
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[:begin] + values)

    return damage


def foreign(make):
    return lambda path: path.write_bytes(make())


def checkpoint() -> bytes:
    """What torch.save makes: a zip file with a pickle."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("head/data.pkl", pickle.dumps({"0.weight": [1.0] * 100}))
    return content.getvalue()


@pytest.mark.parametrize(
    "damage, said",
    [
        (cut, "truncated"),
        (lie_of_gigabytes, "at most 1048576"),
        (empty, "has 0 bytes"),
        (shorter_header, "no JSON"),
        (header_behind_the_end, "ends within its header"),
        (with_header(lambda h: h["0.bias"].update(data_offsets=[0, 1 << 40])), "'0.bias' ends at byte 1099511627776"),
        (with_header(lambda h: h["scale"].update(data_offsets=h["mean"]["data_offsets"])), "overlap"),
        (with_header(lambda h: h.pop("0.bias")), "belong to no tensor"),
        (with_header(lambda h: h["0.weight"].update(shape=[1 << 62, 1 << 62])), "does not fit its"),
        (with_header(lambda h: h["0.weight"].update(shape=h["0.weight"]["shape"][::-1])), "0.weight has the shape"),
        (written("<f2", "F16"), "has the type 'F16'; only F32"),
        (written("<f2", "BF16"), "has the type 'BF16'; only F32"),
        (written("<f8", "F64"), "has the type 'F64'; only F32"),
        (written("<i4", "I32"), "has the type 'I32'; only F32"),
        (written("<i8", "I64"), "has the type 'I64'; only F32"),
        (written("?", "BOOL"), "has the type 'BOOL'; only F32"),
        (foreign(checkpoint), "is no safetensors file"),
        (foreign(lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000)), "is no safetensors file"),
        (foreign(lambda: b'{"labels": ["cat", "dog"]}'), "is no safetensors file"),
        (foreign(lambda: bytes(4096)), "no JSON"),
    ],
)
def test_a_damaged_head_ends_the_start_with_its_name(config, tmp_path, damage, said):
    Head(config, [3]).write(tmp_path / "good.safetensors")
    Head(config, [3]).write(tmp_path / "bad.safetensors")
    damage(tmp_path / "bad.safetensors")
    line = ended(tmp_path)
    assert f"{tmp_path}/bad.safetensors" in line and said in line


@pytest.mark.parametrize(
    "metadata, said",
    [
        ({"format": "another"}, "hearwire.head.v1"),
        ({"config": "mn99"}, "mn99"),
        ({"config": "mn10_all_b_mel_avgs"}, "hearwire checkpoints fetch mn10_as"),
        ({"labels": json.dumps(["a", "b"])}, "has 2 labels, and its last layer 3"),
        ({"labels": json.dumps(["a", "b", "c", "d"])}, "has 4 labels, and its last layer 3"),
        ({"labels": json.dumps(["a", "b", "\x1b[2J"])}, "label 2 is '\\x1b[2J', which has characters that control"),
        ({"labels": json.dumps(["a", "b\n", "c"])}, "label 1 is 'b\\n', which has characters that control"),
        ({"activation": "tanh"}, "activation is 'tanh'; it must be 'relu'"),
        ({"weights_sha256": "0" * 64}, "0" * 64),
        ({"frontend": "another"}, "frontend 'another'"),
        ({"precision": "float16"}, "precision 'float16', this server's is 'float32'"),
    ],
)
def test_a_head_that_does_not_fit_ends_the_start_with_its_name(config, tmp_path, metadata, said):
    Head(config, [3], **metadata).write(tmp_path / "odd.safetensors")
    line = ended(tmp_path)
    assert f"{tmp_path}/odd.safetensors" in line and said in line


def test_the_self_test_reads_heads_too(config, tmp_path):
    Head(config, [3]).write(tmp_path / "a.safetensors")
    command = [BIN / "hearwire-server", "--self-test", "--log-level=error", f"--heads={tmp_path}"]
    assert subprocess.run(command, capture_output=True, timeout=60 * PATIENCE).returncode == 0
    cut(tmp_path / "a.safetensors")
    assert "a.safetensors" in ended(tmp_path, "--self-test")


def test_another_space_may_be_allowed(config, tmp_path):
    Head(config, [3], weights_sha256="0" * 64).write(tmp_path / "other.safetensors")
    with Server(f"--heads={tmp_path}", "--head-mismatch=warn") as server:
        warnings = [line for line in server.log().splitlines() if "warning" in line]
        assert len(warnings) == 1 and "other.safetensors" in warnings[0] and "0" * 64 in warnings[0]


def test_links_out_of_the_folder_and_odd_names_are_refused(config, tmp_path):
    folder = tmp_path / "heads"
    folder.mkdir()
    Head(config, [3]).write(tmp_path / "a.safetensors")
    (folder / "a.safetensors").symlink_to("../a.safetensors")
    assert "leads out of the folder" in ended(folder)
    (folder / "a.safetensors").unlink()
    Head(config, [3]).write(folder / "a b\n.safetensors")
    assert "needs another name" in ended(folder)
    (folder / "a b\n.safetensors").unlink()
    Head(config, [3]).write(folder / "a.safetensors")
    Head(config, [3]).write(folder / "A.safetensors")
    assert "one name" in ended(folder)


def test_values_that_are_not_finite_are_refused(config, tmp_path):
    head = Head(config, [3])
    for value in (float("nan"), float("inf")):
        head.tensors["0.bias"][1] = value
        head.write(tmp_path / "a.safetensors")
        line = ended(tmp_path)
        assert "a.safetensors" in line and "0.bias holds a value that is not finite" in line


def test_a_folder_that_is_not_there_ends_the_start(tmp_path):
    assert "--heads" in ended(tmp_path / "nothing")


def test_an_empty_folder_is_a_warning(tmp_path):
    with Server(f"--heads={tmp_path}") as server:
        assert "no head was found" in server.log()


@pytest.mark.parametrize(
    "tensor, shape, said",
    [
        ("mean", [7], "mean has 7 values and tensor scale"),
        ("0.weight", [3, 7], "0.weight has the shape [3, 7]; it must be [h, "),
        ("0.bias", [4], "0.bias has the shape [4]; it must be [3]"),
        ("0.bias", [3, 1], "one axis"),
    ],
)
def test_tensors_of_other_sizes_are_refused(config, tmp_path, tensor, shape, said):
    head = Head(config, [3])
    head.tensors[tensor] = np.ones(shape, "f4")
    head.write(tmp_path / "a.safetensors")
    line = ended(tmp_path)
    assert "a.safetensors" in line and said in line


def test_files_without_tensors_are_refused(config, tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {}, Head(config, [3]).metadata)
    assert "0.weight is missing" in ended(tmp_path)
