"""HEAR's interface, by the rules of its specification. With PyTorch where it is installed, else with a stand-in."""

import csv
import gc
import importlib
import os
import pathlib
import pickle
import pkgutil
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import PATIENCE, REPOSITORY
from test_clients import CONFIG, assert_close, chirp, golden

import hearwire
import hearwire.hear
from hearwire.hear import _interface

MN04 = "mn04_all_b_mel_avgs"


def module_of(config):
    return importlib.import_module(f"hearwire.hear.{config}")


@pytest.fixture
def model(monkeypatch, own_server):
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    return module_of(CONFIG).load_model()


def own_server_of(model):
    return _interface._users[model.client].server


def tensor(*clips):
    return torch.from_numpy(np.stack(clips))


def test_every_config_of_the_server_is_a_module(client):
    names = {module.name for module in pkgutil.iter_modules(hearwire.hear.__path__) if not module.name.startswith("_")}
    configs = {config.name: config for config in client.list_configs()}
    assert names == set(configs)
    for name in names:
        module = module_of(name)
        for function in ("load_model", "get_scene_embeddings", "get_timestamp_embeddings"):
            assert callable(getattr(module, function)), name


def test_the_configs_are_listed(client):
    assert sorted(hearwire.hear.configs()) == sorted(config.name for config in client.list_configs())


def test_a_pickled_model_connects_anew(model, monkeypatch):
    monkeypatch.setenv("HEARWIRE_SERVER", "127.0.0.1:1")  # Another one since.
    again = pickle.loads(pickle.dumps(model))
    assert (again.config, again.client.server) == (model.config, model.client.server)
    audio = tensor(chirp(1.0))
    scene = [module_of(CONFIG).get_scene_embeddings(audio, one).numpy() for one in (model, again)]
    np.testing.assert_array_equal(*scene)


def test_a_pickled_model_of_a_server_of_its_own_shares_that(monkeypatch):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    model = module_of(CONFIG).load_model()
    again = pickle.loads(pickle.dumps(model))
    assert own_server_of(again) is own_server_of(model)


def test_the_modules_know_their_networks(client):
    path = pathlib.Path(hearwire.hear.__file__).with_name("configs.csv")
    with open(path, newline="", encoding="utf-8") as file:
        packaged = {row["config"]: row["network"] for row in csv.DictReader(file)}
    assert packaged == {config.name: config.network for config in client.list_configs()}


def test_the_model_has_hears_attributes(model):
    assert isinstance(model, torch.nn.Module)
    for name, value in (("sample_rate", 32000), ("scene_embedding_size", 184), ("timestamp_embedding_size", 184)):
        assert type(getattr(model, name)) is int
        assert getattr(model, name) == value
    assert CONFIG in repr(model)


def test_scenes_are_float32_of_sounds_by_size(model):
    embeddings = module_of(CONFIG).get_scene_embeddings(tensor(chirp(1.0), -chirp(1.0), 0 * chirp(1.0)), model)
    assert isinstance(embeddings, torch.Tensor)
    assert embeddings.dtype == torch.float32
    assert tuple(embeddings.shape) == (3, model.scene_embedding_size)
    assert_close(embeddings.detach().numpy()[0], golden("chirp_1s.scene"))


def test_timestamps_are_milliseconds_every_50(model):
    sounds = tensor(*[chirp(1.0) * gain for gain in (1.0, 0.5, 0.25, 0.125)])
    embeddings, timestamps = module_of(CONFIG).get_timestamp_embeddings(sounds, model)
    assert embeddings.dtype == timestamps.dtype == torch.float32
    assert tuple(embeddings.shape) == (4, 21, model.timestamp_embedding_size)
    assert tuple(timestamps.shape) == (4, 21)
    for row in timestamps.numpy():
        np.testing.assert_array_equal(row, np.arange(21) * 50.0)
    assert_close(embeddings.numpy()[0], golden("chirp_1s.ts"))


def test_sounds_keep_their_places_in_a_large_batch(model):
    sounds = tensor(*[np.roll(chirp(0.5), 100 * i) for i in range(70)])
    embeddings = module_of(CONFIG).get_scene_embeddings(sounds, model).numpy()
    for i in (0, 1, 33, 69):
        alone = module_of(CONFIG).get_scene_embeddings(tensor(sounds.numpy()[i]), model).numpy()[0]
        np.testing.assert_allclose(embeddings[i], alone, atol=1e-5)
    assert np.abs(embeddings[1:] - embeddings[:-1]).max(axis=1).min() > 1e-4


def test_other_floats_are_taken_and_answered_in_float32(model):
    sounds = torch.from_numpy(chirp(1.0).astype(np.float64)[None])
    embeddings = module_of(CONFIG).get_scene_embeddings(sounds, model)
    assert embeddings.dtype == torch.float32
    assert_close(embeddings.numpy()[0], golden("chirp_1s.scene"))


def test_no_sounds_give_no_embeddings(model):
    assert tuple(module_of(CONFIG).get_scene_embeddings(torch.zeros((0, 32000)), model).shape) == (0, 184)
    embeddings, timestamps = module_of(CONFIG).get_timestamp_embeddings(torch.zeros((0, 32000)), model)
    assert (tuple(embeddings.shape), tuple(timestamps.shape)) == ((0, 0, 184), (0, 0))


@pytest.mark.parametrize("function", ["get_scene_embeddings", "get_timestamp_embeddings"])
def test_wrong_audio_and_wrong_models_are_value_errors(model, function):
    call = getattr(module_of(CONFIG), function)
    with pytest.raises(ValueError, match=r"\[sounds, samples\]"):
        call(torch.zeros((32000,)), model)
    with pytest.raises(ValueError, match="int16"):
        call(torch.zeros((1, 32000), dtype=torch.int16), model)
    with pytest.raises(ValueError, match="audio is a ndarray: a tensor would be right, such as torch.from_numpy"):
        call(np.zeros((1, 32000), np.float32), model)
    with pytest.raises(ValueError, match="load_model"):
        call(torch.zeros((1, 32000)), torch.nn.Module())


def test_too_short_sounds_are_the_servers_error(model):
    with pytest.raises(hearwire.HearwireError, match="2561"):
        module_of(CONFIG).get_timestamp_embeddings(torch.zeros((1, 1000)), model)


def test_a_network_that_the_server_lacks_is_said_when_loading(monkeypatch, own_server):
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    with pytest.raises(hearwire.HearwireError, match="checkpoints fetch mn10_as") as caught:
        module_of("mn10_b5").load_model()
    assert caught.value.reason == "NETWORK_NOT_LOADED"


def test_a_server_of_its_own_is_started_once(monkeypatch):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    first, second = module_of(CONFIG).load_model(), module_of(CONFIG).load_model()
    assert first.client.server == second.client.server
    embeddings = module_of(CONFIG).get_scene_embeddings(tensor(chirp(1.0)), first)
    assert_close(embeddings.numpy()[0], golden("chirp_1s.scene"))


@pytest.fixture(scope="module")
def twenty_minutes():
    """The longest sound of HEAR's rules."""
    return np.tile(chirp(11.0), 110)[: 20 * 60 * 32000][None]


def test_twenty_minutes_are_embedded(monkeypatch, twenty_minutes):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    module = module_of(CONFIG)
    model, sound = module.load_model(), torch.from_numpy(twenty_minutes)
    scene = module.get_scene_embeddings(sound, model).numpy()
    assert scene.shape == (1, 184)
    assert np.isfinite(scene).all() and np.abs(scene).max() > 0.1
    embeddings, timestamps = module.get_timestamp_embeddings(sound, model)
    assert tuple(embeddings.shape) == (1, 24001, 184)
    np.testing.assert_array_equal(timestamps.numpy()[0], np.arange(24001) * 50.0)
    first, _ = module.get_timestamp_embeddings(torch.from_numpy(twenty_minutes[:, :64000]), model)
    np.testing.assert_allclose(embeddings.numpy()[0, :30], first.numpy()[0, :30], atol=1e-4)


def test_a_server_of_its_own_takes_twenty_minutes_at_any_config(monkeypatch, client):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    model = module_of(CONFIG).load_model()
    limits = dict(re.findall(r"(max-[a-z-]+)=(\S+)", own_server_of(model).last_words()))
    for config in client.list_configs():
        rows = 20 * 60 * 20 + 1
        assert rows * (4 * config.timestamp_embedding_size + 8) + 4096 < int(limits["max-reply-bytes"]), config.name
        # The finest mel hop is 5 ms.
        assert rows * (config.timestamp_window_ms / 5 + 1) < int(limits["max-queued-frames"]), config.name
    assert 20 * 60 * 32000 * 4 + 4096 < int(limits["max-message-bytes"])
    assert limits["max-deadline"] == "1h"


def test_a_servers_limit_on_requests_is_said_with_its_flag(monkeypatch, own_server, twenty_minutes):
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    model = module_of(CONFIG).load_model()
    with pytest.raises(hearwire.HearwireError, match="--max-message-bytes"):
        module_of(CONFIG).get_scene_embeddings(torch.from_numpy(twenty_minutes), model)


@pytest.mark.parametrize("function", ["get_scene_embeddings", "get_timestamp_embeddings"])
def test_no_more_than_twenty_minutes_are_under_way_at_once(model, monkeypatch, function):
    asked = []
    for method in ("map_scene_embeddings", "map_timestamp_embeddings"):
        monkeypatch.setattr(model.client, method, lambda *_, in_flight, **__: asked.append(in_flight) or iter(()))
    call = getattr(module_of(CONFIG), function)
    for minutes in (0.01, 3, 10, 20, 60):
        call(torch.from_numpy(np.zeros((1, int(minutes * 60 * 32000)), np.float32)), model)
    assert asked == [16, 6, 2, 1, 1]


def test_a_checkpoint_is_served_by_a_server_of_its_own(monkeypatch, own_server, shared):
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    model = module_of(MN04).load_model(f"{shared}/golden/checkpoints/mn04_as_mAP_432.pt")
    assert model.client.server != own_server.address
    assert model.scene_embedding_size == 320
    audio = np.load(shared / "golden/audio/noise_3s.npy")
    scene = module_of(MN04).get_scene_embeddings(tensor(audio), model).numpy()
    assert_close(scene[0], np.load(shared / f"golden/{MN04}/noise_3s.scene.npy"))
    embeddings, timestamps = module_of(MN04).get_timestamp_embeddings(tensor(audio), model)
    assert_close(embeddings.numpy()[0], np.load(shared / f"golden/{MN04}/noise_3s.ts.npy"))
    np.testing.assert_allclose(timestamps.numpy()[0], np.load(shared / f"golden/{MN04}/noise_3s.t.npy"), atol=1e-3)


@pytest.fixture
def replaceable(monkeypatch, shared, tmp_path):
    """Has a copy of a checkpoint served, by name or from its folder; (file, load_model)."""
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)

    def make(how):
        file = tmp_path / "mn04_as_mAP_432.pt"
        shutil.copyfile(shared / "golden/checkpoints/mn04_as_mAP_432.pt", file)
        if how == "folder":
            monkeypatch.setenv("HEARWIRE_MODEL_REPOSITORY", str(tmp_path))
        return file, lambda: module_of(MN04).load_model("" if how == "folder" else str(file))

    return make


by_name_and_from_a_folder = pytest.mark.parametrize("how", ["name", "folder"])


@by_name_and_from_a_folder
def test_a_checkpoint_that_is_as_it_was_is_not_loaded_again(replaceable, how):
    file, load = replaceable(how)
    first = load()
    second = load()
    assert first.client.server == second.client.server


@by_name_and_from_a_folder
def test_a_checkpoint_that_has_changed_is_loaded_again(replaceable, how):
    file, load = replaceable(how)
    first = load()
    replacement = file.with_name("replacement")
    shutil.copyfile(file, replacement)
    os.utime(replacement, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(replacement, file)  # Of the same size and time: another file all the same.
    second = load()
    assert first.client.server != second.client.server
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(RuntimeError, match="not a zip archive"):
        load()
    file.unlink()
    with pytest.raises(FileNotFoundError if how == "name" else RuntimeError, match="mn04_as"):
        load()
    # Who has a model keeps it.
    audio = tensor(chirp(0.5))
    scenes = [module_of(MN04).get_scene_embeddings(audio, model).numpy() for model in (first, second)]
    np.testing.assert_array_equal(*scenes)


@by_name_and_from_a_folder
def test_a_checkpoint_that_is_put_before_another_is_loaded(replaceable, how):
    file, load = replaceable(how)
    first = load()
    shutil.copyfile(file, file.with_name("mn04_as.pt"))
    assert (load().client.server == first.client.server) is (how == "name")


def test_another_program_is_another_server(monkeypatch, tmp_path):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    first = module_of(CONFIG).load_model()
    program = tmp_path / "hearwire-server"
    shutil.copy(os.environ["HEARWIRE_SERVER_PROGRAM"], program)
    monkeypatch.setenv("HEARWIRE_SERVER_PROGRAM", str(program))
    assert module_of(CONFIG).load_model().client.server != first.client.server


def test_a_server_of_its_own_ends_with_its_last_model(monkeypatch):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    first, second = module_of(CONFIG).load_model(), module_of(CONFIG).load_model()
    server, client = own_server_of(first), second.client
    del first, second
    gc.collect()
    assert server.is_running()
    assert client.check_health() is hearwire.ServingStatus.SERVING
    del client
    gc.collect()
    assert not server.is_running()


def test_a_folder_of_checkpoints_comes_from_the_environment(monkeypatch, shared):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    monkeypatch.setenv("HEARWIRE_MODEL_REPOSITORY", f"{shared}/golden/checkpoints")
    assert module_of(MN04).load_model().timestamp_embedding_size == 320


def test_without_the_checkpoint_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    with pytest.raises(RuntimeError, match="fetch mn04_as") as caught:
        module_of(MN04).load_model()
    assert "HEARWIRE_MODEL_REPOSITORY" in str(caught.value)


def test_without_a_server_program_checkpoints_are_not_spoken_of(monkeypatch, tmp_path):
    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    monkeypatch.setenv("HEARWIRE_MODEL_REPOSITORY", str(tmp_path))  # None runs for it yet.
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in ("/no/such/program", "", sys.executable):
        monkeypatch.setenv("HEARWIRE_SERVER_PROGRAM", program)
        for config in (CONFIG, MN04):
            with pytest.raises(RuntimeError, match="HEARWIRE_SERVER|ended with code") as caught:
                module_of(config).load_model()
            assert "checkpoint" not in str(caught.value)


@pytest.mark.parametrize("config, network, speaks", [(CONFIG, "hearwire_mn01", False), (MN04, "mn04_as", True)])
def test_the_embedded_network_has_no_checkpoint_to_speak_of(monkeypatch, tmp_path, config, network, speaks):
    def fail(*_):
        raise RuntimeError(f"{network} cannot be loaded")

    monkeypatch.delenv("HEARWIRE_SERVER", raising=False)
    monkeypatch.setenv("HEARWIRE_MODEL_REPOSITORY", str(tmp_path))  # None runs for it yet.
    monkeypatch.setattr(_interface, "OwnServer", fail)
    with pytest.raises(RuntimeError, match="cannot be loaded") as caught:
        module_of(config).load_model()
    assert ("checkpoint" in str(caught.value)) is speaks


def test_wrong_checkpoint_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pt"):
        module_of(MN04).load_model(f"{tmp_path}/none.pt")
    (tmp_path / "foreign.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(RuntimeError, match=f"{tmp_path}/foreign.pt: not a zip archive") as caught:
        module_of(MN04).load_model(f"{tmp_path}/foreign.pt")
    # Neither what the server was given in its place, nor the advice to do what was done.
    assert "mn04_as" not in str(caught.value)
    weights = REPOSITORY / "models/weights/hearwire_mn01.pt"
    with pytest.raises(ValueError, match="holds its network"):
        module_of(CONFIG).load_model(str(weights))


def test_without_pytorch_the_error_says_what_brings_it():
    code = "import sys; sys.modules['torch'] = None; import hearwire.hear.mn10_b5"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60 * PATIENCE
    )
    assert ended.returncode == 1
    assert "hearwire[hear]" in ended.stderr


def test_the_package_itself_does_without_pytorch():
    code = "import sys; sys.modules['torch'] = None; import hearwire, hearwire.hear"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60 * PATIENCE)
