"""`python -m hearwire heads train`, as it is called: what it prints, writes and refuses."""

import json
import subprocess
import sys

import pytest
from heads_data import read_head, write_sound
from scripted_server import scene_reply

from hearwire.__main__ import main
from hearwire.heads.embed_sounds import embed_sounds
from hearwire.heads.errors import HeadError
from hearwire.v1 import embedding_pb2 as pb

KINDS = ("clicks", "noise", "tone")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder of three labels with six sounds each."""
    folder = tmp_path_factory.mktemp("heads") / "kinds"
    for kind in KINDS:
        for i in range(6):
            write_sound(folder / kind / f"{i}.wav", kind, i)
    return folder


def train(server, source, output, *arguments):
    return main(["heads", "train", str(source), "--output", str(output), "--server", server.address, *arguments])


def refused(capsys):
    """The message of a command that has failed."""
    printed = capsys.readouterr()
    assert printed.err.startswith("hearwire: ")
    return printed.err


def test_a_folder_becomes_a_head(own_server, client, sounds, tmp_path, capsys):
    output = tmp_path / "kinds.safetensors"
    assert train(own_server, sounds, output, "--folds", "3") == 0
    printed = capsys.readouterr()
    assert printed.err == ""  # No bar where there is no terminal.
    assert "18 sounds, 3 labels: 18 embeddings of 184 values by hearwire_mn01_all_b_mel_avgs" in printed.out
    assert "fold 3: accuracy 1.0000 (6 sounds)" in printed.out
    assert "cross-validation: accuracy 1.0000, standard deviation 0.0000 over 3 folds" in printed.out
    assert "  noise   recall 1.0000 of 6" in printed.out

    tensors, words = read_head(output)
    assert {name: values.shape for name, values in tensors.items()} == {
        "mean": (184,),
        "scale": (184,),
        "0.weight": (3, 184),
        "0.bias": (3,),
    }
    reply = client.get_scene_embeddings([sounds / "noise/0.wav"])
    assert words == {
        "format": "hearwire.head.v1",
        "config": reply.space.config,
        "weights_sha256": reply.space.weights_sha256,
        "frontend": reply.space.frontend,
        "precision": "float32",
        "kind": "scene",
        "activation": "relu",
        "output": "softmax",
        "labels": json.dumps(KINDS),
        "task": "kinds",
        "score": "cross-validation over 3 folds: accuracy 1.0000",
        "trained_on": "18 sounds of kinds",
    }
    logits = tensors["0.weight"] @ ((reply.embeddings[0] - tensors["mean"]) / tensors["scale"]) + tensors["0.bias"]
    assert KINDS[logits.argmax()] == "noise"


@pytest.mark.parametrize("arguments", [(), ("--hidden", "8,4", "--l2", "0.5")])
def test_twice_the_same_is_the_same_file(own_server, sounds, tmp_path, arguments):
    for name in ("a", "b"):
        assert train(own_server, sounds, tmp_path / f"{name}.safetensors", *arguments) == 0
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_every_timestamp_has_its_sounds_label(own_server, client, sounds, tmp_path, capsys):
    output = tmp_path / "rows.safetensors"
    assert train(own_server, sounds, output, "--kind", "timestamps", "--folds", "2") == 0
    rows = len(client.get_timestamp_embeddings([sounds / "noise/0.wav"]).clips[0].embeddings)
    assert rows > 5
    assert f"{18 * rows} embeddings of 184 values" in capsys.readouterr().out
    assert read_head(output)[1]["kind"] == "timestamps"


def test_a_csv_file_gives_folds_and_several_labels(own_server, sounds, tmp_path, capsys):
    lines = ["path,label,fold"]
    for kind, label in (("noise", "rough;loud"), ("tone", "loud"), ("clicks", "")):
        lines += [f"{sounds}/{kind}/{i}.wav,{label},{'AB'[i % 2]}" for i in range(6)]
    (tmp_path / "several.csv").write_text("\n".join(lines))
    output = tmp_path / "several.safetensors"
    assert train(own_server, tmp_path / "several.csv", output, "--multi-label") == 0
    out = capsys.readouterr().out
    assert "fold B: mean average precision 1.0000 (9 sounds)" in out
    assert "  loud   average precision 1.0000 of 12" in out
    words = read_head(output)[1]
    assert (words["output"], words["labels"]) == ("sigmoid", '["loud", "rough"]')


def test_sounds_that_cannot_be_embedded_are_named(own_server, sounds, tmp_path, capsys):
    for label in ("a", "b"):
        for i in range(5):
            write_sound(tmp_path / f"in/{label}/{i}.wav", "noise", i)
    (tmp_path / "in/a/broken.wav").write_bytes(b"RIFF of no kind")
    (tmp_path / "in/b/empty.ogg").touch()
    assert train(own_server, tmp_path / "in", tmp_path / "a.safetensors") == 1
    message = refused(capsys)
    assert "2 of 12 sounds have no embedding:\n" in message
    for name in ("in/a/broken.wav: ", "in/b/empty.ogg: "):
        assert str(tmp_path / name) in message
    assert "clips[0]" not in message
    assert not (tmp_path / "a.safetensors").exists()


def test_files_that_cannot_be_read_are_named(client, sounds, tmp_path):
    with pytest.raises(HeadError, match=r"gone.wav: No such file"):
        embed_sounds(client, [sounds / "tone/0.wav", tmp_path / "gone.wav"], "", "scene", 16)


def test_a_label_with_too_few_sounds_is_named_before_anything_is_sent(scripted, sounds, tmp_path, capsys):
    assert train(scripted, sounds, tmp_path / "a.safetensors", "--folds", "7") == 1
    assert "the label clicks has too few sounds, 6 for 7 folds" in refused(capsys)
    (tmp_path / "a.safetensors").touch()
    assert train(scripted, sounds, tmp_path / "a.safetensors") == 1
    assert "a.safetensors exists: --force" in refused(capsys)
    assert scripted.requests == 0


def test_an_output_that_exists_is_replaced_with_force(own_server, sounds, tmp_path):
    (tmp_path / "a.safetensors").touch()
    assert train(own_server, sounds, tmp_path / "a.safetensors", "--force") == 0
    assert read_head(tmp_path / "a.safetensors")[1]["task"] == "kinds"


def test_an_unknown_config_has_the_servers_near_names(own_server, sounds, tmp_path, capsys):
    assert train(own_server, sounds, tmp_path / "a.safetensors", "--config", "hearwire_mn01_all_b_mel_avg") == 1
    message = refused(capsys)
    assert "NOT_FOUND" in message
    assert "hearwire_mn01_all_b_mel_avgs" in message


def test_a_server_that_is_not_there_is_said_once(sounds, tmp_path, capsys):
    arguments = ["heads", "train", str(sounds), "--output", str(tmp_path / "a.safetensors"), "--server"]
    assert main([*arguments, "127.0.0.1:1"]) == 1
    assert refused(capsys).count("no server at 127.0.0.1:1") == 1
    assert main([*arguments, "http://127.0.0.1:1"]) == 1
    assert "is a URL" in refused(capsys)


def test_a_server_that_changes_its_network_meanwhile_is_refused(scripted, sounds, tmp_path, capsys):
    def answer(request, context):
        reply = scene_reply(request)
        reply.space.CopyFrom(pb.EmbeddingSpace(config="c", weights_sha256="ab" if scripted.requests < 9 else "cd"))
        return reply

    scripted.answer = answer
    assert train(scripted, sounds, tmp_path / "a.safetensors") == 1
    assert "network changed" in refused(capsys)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folds", "1"], "2 or more"),
        (["--hidden", "8,0"], "1 or more"),
        (["--l2", "0"], "above 0"),
        (["--l2", "nan"], "above 0"),
        (["--kind", "clip"], "invalid choice"),
        (["--in-flight", "0"], "1 or more"),
        (["--seed", "-1"], "0 or more"),
    ],
)
def test_wrong_arguments_are_said_with_what_is_right(scripted, sounds, tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        train(scripted, sounds, tmp_path / "a.safetensors", *arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_it_is_a_command_of_the_package(tmp_path):
    run = [sys.executable, "-m", "hearwire", "heads", "train"]
    helped = subprocess.run([*run, "--help"], capture_output=True, text=True, check=True)
    assert "usage: python -m hearwire heads train" in helped.stdout
    failed = subprocess.run(
        [*run, str(tmp_path), "--output", str(tmp_path / "a.safetensors")], capture_output=True, text=True
    )
    assert failed.returncode == 1
    assert failed.stderr == f"hearwire: {tmp_path} names no sounds\n"


def test_without_scikit_learn_it_says_what_brings_it(monkeypatch, sounds, tmp_path, scripted, capsys):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert train(scripted, sounds, tmp_path / "a.safetensors") == 1
    assert "pip install 'hearwire[heads]'" in refused(capsys)
