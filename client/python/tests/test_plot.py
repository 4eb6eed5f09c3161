"""`python -m hearwire plot`: what is drawn, read from the figure itself, and what is refused."""

import importlib.util
import io
import shutil
import subprocess
import sys
import wave

import numpy as np
import pytest
from conftest import REPOSITORY

from hearwire.__main__ import main
from hearwire.plot.local_sound import LocalSound, read_sound
from hearwire.plot.portrait import (
    FLOOR_DB,
    MOST_COLUMNS,
    MOST_ROWS,
    MOST_WINDOWS,
    make_portrait,
    similarity,
    spectrogram_db,
    window_centres,
)

images = pytest.importorskip("matplotlib.image")  # scripts/hear-eval runs without.
from hearwire.plot.draw import draw  # noqa: E402


@pytest.fixture(scope="module")
def medley(tmp_path_factory):
    """Four seconds each of a siren, wind, beeps, and the siren again."""
    path = tmp_path_factory.mktemp("plot") / "medley.wav"
    subprocess.run([sys.executable, REPOSITORY / "scripts/make_medley.py", path], check=True)
    return path


@pytest.fixture
def plot(own_server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(["plot", *map(str, arguments), "--server", own_server.address])


def wav(samples, width=2, rate=8000, channels=1):
    """samples: integers of full scale 2**(8 * width - 1)."""
    data = np.asarray(samples, "<i8")
    stored = data + 128 if width == 1 else data
    content = b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in stored.ravel())
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(content)
    return file.getvalue()


def test_a_sound_becomes_a_picture(plot, medley, tmp_path, capsys):
    assert plot(medley) == 0
    assert capsys.readouterr().out == "medley.png: 16.0 s of medley.wav\n"
    assert (tmp_path / "medley.png").stat().st_size < 200_000
    pixels = images.imread(tmp_path / "medley.png")
    assert pixels.shape == (720, 720, 4)
    # Each third of it has something drawn in it.
    for part in np.array_split(pixels[:, 100:-200, :3], 3):
        assert part.std() > 0.1
    assert plot(medley, "--output", tmp_path / "again.png") == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "medley.png").read_bytes()


def test_the_figure_says_what_is_heard(client, medley):
    portrait = make_portrait(client, medley.read_bytes(), "")
    figure = draw(portrait, "medley $1^2$\n.wav")
    figure.canvas.draw()
    assert figure.get_suptitle() == "medley $1^2$?.wav"
    above, middle, below, *bars = figure.axes
    assert [bar.get_ylabel() for bar in bars] == ["dB", "probability", "cosine"]
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("frequency, kHz", "time, s", "time, s")
    for axes in (above, middle, below):
        assert axes.get_xlim() == (0, 16)

    # Beeps of 1 kHz are loudest there.
    (image,) = above.images
    decibels = image.get_array()
    assert image.get_extent() == [0, 16, 0, 16]
    assert decibels.min() >= FLOOR_DB and decibels.max() == 0
    at = int(8.1 / 16 * decibels.shape[1])
    assert abs(decibels[:, at].argmax() / decibels.shape[0] * 16 - 1.0) < 0.1

    # The siren is heard where it is.
    (image,) = middle.images
    labels = [label.get_text() for label in middle.get_yticklabels()]
    assert len(labels) == 8 and "Siren" in labels
    siren = image.get_array()[labels.index("Siren")]
    times = np.linspace(*image.get_extent()[:2], len(siren), endpoint=False) + (16 - 2) / (len(siren) - 1) / 2
    is_siren = (times < 3) | (times > 13)
    assert siren[is_siren].mean() > 3 * siren[(times > 5) & (times < 11)].mean()
    assert "in 2 s around" in middle.get_title()

    # And the last part is like the first.
    (image,) = below.images
    cosines = image.get_array()
    part = len(cosines) // 4
    first, second, last = (slice(i * part + 10, (i + 1) * part - 10) for i in (0, 1, 3))
    assert np.allclose(cosines.diagonal(), 1, atol=1e-5)
    assert cosines[first, last].mean() > cosines[first, second].mean() + 0.1
    assert portrait.config in below.get_title() and portrait.config == "hearwire_mn01_all_b_mel_avgs"


def test_a_named_config_says_its_network(client, medley):
    portrait = make_portrait(client, medley.read_bytes(), "hearwire_mn01_all_b_mel_avgs")
    assert draw(portrait, "x").axes[1].get_title().startswith("Tags of hearwire_mn01 in ")


def test_a_picture_has_bounded_size_however_long_the_sound_is():
    samples = np.random.default_rng(0).normal(0, 0.1, 8000 * 600).astype(np.float32)
    decibels = spectrogram_db(LocalSound(samples, 8000))
    assert decibels.shape == (129, MOST_COLUMNS)
    rows = similarity(np.random.default_rng(0).normal(size=(12001, 7)).astype(np.float32))
    assert rows.shape[0] <= MOST_ROWS and np.allclose(rows.diagonal(), 1, atol=1e-5)
    centres, window = window_centres(3600)
    assert (len(centres), window, centres[0], centres[-1]) == (MOST_WINDOWS, 10, 5, 3595)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 1.2, 7.9, 8.1, 80, 90])
def test_windows_of_tags_lie_in_the_sound(seconds):
    centres, window = window_centres(seconds)
    assert window == pytest.approx(min(seconds, max(1, min(seconds / 8, 10))))
    assert centres[0] - window / 2 == pytest.approx(0) and centres[-1] + window / 2 == pytest.approx(seconds)
    assert 1 <= len(centres) <= MOST_WINDOWS


def test_a_short_and_silent_sound_is_drawn_too(plot, tmp_path):
    (tmp_path / "silence.wav").write_bytes(wav(np.zeros(2000)))
    assert plot("silence.wav") == 0


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_files_of_every_width_are_read_here(width):
    full = 1 << (8 * width - 1)
    sound = read_sound(wav([[full // 2, 0], [-full, -full], [0, 0]], width, 11025, 2))
    assert sound.rate == 11025
    assert sound.samples.tolist() == [0.25, -1.0, 0.0]


def test_other_kinds_are_read_by_ffmpeg(plot, tmp_path, medley, monkeypatch, capsys):
    encode = ["ffmpeg", "-v", "error", "-i", medley, "-t", "2", tmp_path / "sound.flac"]
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    subprocess.run(encode, check=True)
    assert plot("sound.flac") == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert plot("sound.flac", "--force") == 1
    assert "sound.flac: the spectrogram of a file that is no plain WAV needs ffmpeg" in capsys.readouterr().err


def test_wrong_files_are_said(plot, tmp_path, capsys, medley):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.wav").write_text("no sound at all, but some text")
    (tmp_path / "there.png").touch()
    (tmp_path / "short.wav").write_bytes(wav(np.zeros(10)))
    (tmp_path / "phone.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    for arguments, words in (
        (["gone.wav"], "No such file or directory: 'gone.wav'"),
        (["folder"], "Is a directory"),
        (["text.wav"], "INVALID_ARGUMENT"),
        (["short.wav"], "INVALID_ARGUMENT"),
        (["phone.m4a"], "phone.m4a: this is an MP4 (M4A) file"),
        ([medley, "--output", "there.png"], "there.png exists: --force"),
        ([medley, "--output", "a.jpg"], "a.jpg: a PNG is written"),
        ([medley, "--output", "gone/a.png"], "there is no folder gone"),
        ([medley, "--config", "hearwire_mn01_all_b_mel_avg"], "hearwire_mn01_all_b_mel_avgs"),
    ):
        assert plot(*arguments) == 1, arguments
        printed = capsys.readouterr()
        assert printed.err.startswith("hearwire: ") and words in printed.err, printed.err
        assert printed.out == ""
    assert not {path.name for path in tmp_path.glob("*.png")} - {"there.png"}
    assert plot(medley, "--output", "there.png", "--force") == 0


def test_a_server_that_is_not_there_is_said(medley, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(medley), "--server", "127.0.0.1:1"]) == 1
    assert "no server at 127.0.0.1:1" in capsys.readouterr().err
    assert main(["plot", str(medley), "--server", "http://127.0.0.1:1"]) == 1
    assert "is a URL" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_brings_it(plot, medley, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert plot(medley) == 1
    assert "pip install 'hearwire[plot]'" in capsys.readouterr().err
