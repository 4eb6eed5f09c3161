"""What becomes of a clip before it is sent."""

import io
import pathlib

import numpy as np
import pytest

from hearwire import Audio, Encoding
from hearwire.audio import as_audio


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
def test_floats_travel_as_little_endian_float32(kind):
    audio = Audio.from_samples(np.array([0.5, -1.0, 2.0], kind), 44100)
    assert (audio.encoding, audio.sample_rate, audio.channels) == (Encoding.FLOAT32, 44100, 1)
    np.testing.assert_array_equal(np.frombuffer(audio.data, "<f4"), [0.5, -1.0, 2.0])


@pytest.mark.parametrize("kind", ["<i2", ">i2"])
def test_int16_travels_as_little_endian_int16(kind):
    audio = Audio.from_samples(np.array([1, -2, 32767], kind), 8000)
    assert audio.encoding is Encoding.LINEAR16
    np.testing.assert_array_equal(np.frombuffer(audio.data, "<i2"), [1, -2, 32767])


def test_channels_of_a_sample_stand_together():
    left, right = np.zeros(4, np.float32), np.ones(4, np.float32)
    for samples in (np.stack([left, right], axis=1), np.stack([left, right]).T):
        audio = Audio.from_samples(samples, 8000)
        assert audio.channels == 2
        np.testing.assert_array_equal(np.frombuffer(audio.data, "<f4"), [0, 1] * 4)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.complex64, bool])
def test_other_elements_are_refused(kind):
    with pytest.raises(TypeError, match="int16"):
        Audio.from_samples(np.zeros(9, kind), 8000)


@pytest.mark.parametrize("shape", [(), (33, 44100), (3, 0), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[samples, channels\]"):
        Audio.from_samples(np.zeros(shape, np.float32), 8000)


@pytest.mark.parametrize("shape", [(2, 44100), (1, 33), (32, 33)])
def test_channels_before_samples_are_told_to_be_transposed(shape):
    with pytest.raises(ValueError, match=r"looks like \[channels, samples\]: transpose it"):
        Audio.from_samples(np.zeros(shape, np.float32), 8000)
    assert Audio.from_samples(np.zeros(shape, np.float32).T, 8000).channels == shape[0]


class Tensor:
    """As PyTorch's that knows its gradient and is on another device: numpy alone cannot read it."""

    dtype = "torch.float32"

    def __init__(self, values, steps=()):
        self.values, self.steps = values, steps

    def __array__(self, *_):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

    def detach(self):
        return Tensor(self.values, (*self.steps, "detach"))

    def cpu(self):
        return Tensor(self.values, (*self.steps, "cpu"))

    def numpy(self):
        assert self.steps == ("detach", "cpu")
        return np.array(self.values, np.float32)


class Series:
    """As pandas', numpy makes an array of it."""

    def __init__(self, values):
        self.values = values

    def __array__(self, *_):
        return self.values


@pytest.mark.parametrize(
    "clip",
    [[0.0, 0.5, -1.0], (0.0, 0.5, -1.0), Tensor([0.0, 0.5, -1.0]), Series(np.array([0.0, 0.5, -1.0]))],
    ids=["list", "tuple", "tensor", "series"],
)
def test_what_holds_numbers_is_a_clip(clip):
    assert as_audio(clip, 8000) == Audio(Encoding.FLOAT32, np.array([0, 0.5, -1], "<f4").tobytes(), 8000)
    with pytest.raises(ValueError, match="sample_rate="):
        as_audio(clip, None)


def test_rows_of_a_list_are_samples_of_channels():
    assert as_audio([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]], 8000).channels == 2


def test_open_files_are_read(tmp_path):
    written = io.BytesIO()
    written.write(b"RIFF")  # It stands at its end now.
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    with open(tmp_path / "sound.wav", "rb") as file:
        for clip in (written, file):
            assert as_audio(clip, None) == Audio(Encoding.FILE, b"RIFF")
        with pytest.raises(ValueError, match=r"seek\(0\)"):
            as_audio(file, None)
    with pytest.raises(TypeError, match="mode 'rb'"):
        as_audio(io.StringIO("RIFF"), None)


def test_names_are_read_and_bytes_are_taken_as_they_are(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF")
    for clip in (path, str(path), b"RIFF", bytearray(b"RIFF"), memoryview(b"RIFF")):
        assert as_audio(clip, None) == Audio(Encoding.FILE, b"RIFF")


def test_a_file_that_is_not_there_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.wav"):
        as_audio(tmp_path / "none.wav", None)
    with pytest.raises(IsADirectoryError):
        as_audio(pathlib.Path(tmp_path), None)


def test_an_array_needs_its_sample_rate():
    with pytest.raises(ValueError, match="sample_rate="):
        as_audio(np.zeros(9, np.float32), None)


def test_anything_else_is_no_clip():
    for clip in (0.5, None, {"audio": 1}, object()):
        with pytest.raises(TypeError, match="a clip is a file's name"):
            as_audio(clip, 8000)
    for clip in (["a.wav"], [1, 2, 3]):
        with pytest.raises(TypeError, match="floats with 1.0 as full scale, or int16"):
            as_audio(clip, 8000)


@pytest.mark.parametrize("rate", [44100, 44100.0, np.int32(44100), np.float32(44100)])
def test_whole_sample_rates_are_taken(rate):
    found = Audio.from_samples(np.zeros(9, np.float32), rate).sample_rate
    assert (type(found), found) == (int, 44100)


@pytest.mark.parametrize(
    "rate, error",
    [(44100.7, ValueError), (np.float32(0.5), ValueError), (float("nan"), ValueError), (float("inf"), ValueError)]
    + [("44100", TypeError), (1j, TypeError)],
)
def test_other_sample_rates_are_refused(rate, error):
    with pytest.raises(error, match="sample_rate=.*whole number of hertz"):
        as_audio(np.zeros(9, np.float32), rate)
