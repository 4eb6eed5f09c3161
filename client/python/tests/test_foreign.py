"""Sounds that are for ffmpeg: a script stands in for it, so that everything it may do is seen."""

import pathlib
import shutil
import subprocess

import pytest
from heads_data import write_sound

import hearwire
from hearwire import Audio, Encoding
from hearwire import _foreign

M4A = b"\0\0\0\x20ftypM4A sound"


@pytest.fixture()
def install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()

    def write(script):
        program = tmp_path / "bin" / "ffmpeg"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


def test_kinds_are_told_by_their_first_bytes():
    assert _foreign.foreign_kind(M4A) == "an MP4 (M4A) file"
    assert _foreign.foreign_kind(b"\xff\xf1\x50\x80") == "an AAC (ADTS) file"
    assert _foreign.foreign_kind(b"ID3\x04\0\0\0\0\0\x02xxTTA1") == "a True Audio (TTA) file"
    for code, kind in ((b"alac", "a CAF file of ALAC"), (b"aac ", "a CAF file of AAC"), (b"lpcm", None)):
        assert _foreign.foreign_kind(b"caff\0\1\0\0desc\0\0\0\0\0\0\0\x20@\xe5\x88\x80\0\0\0\0" + code) == kind
    for data in (b"caff", b"RIFF1234WAVE", b"fLaC", b"\xff\xfb\x90\x04", b"FORM1234AIFF", b"OggS", b"abc", b""):
        assert _foreign.foreign_kind(data) is None


def test_kinds_are_those_of_the_command():
    source = pathlib.Path(__file__).parents[2] / "cli" / "foreign_sound.cc"
    if not source.is_file():
        pytest.skip("no sources of the command here")
    text = source.read_text()
    assert all(f'"{code.decode()}" ? "{kind}"' in text for code, kind in _foreign._CAF_KINDS.items())
    lines = [line for line in text.splitlines() if line.startswith("    {") and '"sv,' in line]
    names = [line.split('"')[-2] for line in lines]
    assert names == [name for _, _, name in _foreign._KINDS]


def test_it_is_given_the_file_and_asked_for_samples(install, tmp_path):
    install(f'printf "%s\\n" "$@" >{tmp_path}/arguments; for a; do case $a in file:*) cat "${{a#file:}}";; esac; done')
    sound = tmp_path / "sound.m4a"
    sound.write_bytes(M4A)
    assert Audio.from_file(sound) == Audio(Encoding.FILE, M4A)
    arguments = (tmp_path / "arguments").read_text()
    assert "-xerror\n" in arguments and "-protocol_whitelist\nfile\n" in arguments


def test_without_ffmpeg_the_message_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sound.m4a").write_bytes(M4A)
    with pytest.raises(ValueError, match=r"sound.m4a: this is an MP4 \(M4A\) file.*apt install ffmpeg"):
        Audio.from_file(tmp_path / "sound.m4a")


def test_what_ffmpeg_finds_damaged_is_refused_with_its_reason(install):
    install("printf RIFF; echo '[mov,mp4 @ 0x55] partial file' >&2; echo more >&2; exit 1")
    with pytest.raises(ValueError, match="cannot decode to its end: partial file$"):
        Audio.from_bytes(M4A)
    install("printf RIFF; echo '[matroska,webm @ 0x55] File ended prematurely' >&2")
    with pytest.raises(ValueError, match="File ended prematurely"):
        Audio.from_bytes(M4A)
    install("exit 0")
    with pytest.raises(ValueError, match="no reason given"):
        Audio.from_bytes(M4A)


def test_it_is_ended_when_it_writes_too_much_or_takes_too_long(install):
    install("exec cat /dev/zero")
    with pytest.raises(ValueError, match="more than 100000 bytes"):
        _foreign.decode(M4A, "a file", max_bytes=100000)
    install("exec sleep 600")
    with pytest.raises(ValueError, match="not done with in 0.2 s"):
        _foreign.decode(M4A, "a file", timeout=0.2)


def test_alac_in_caf_is_decoded_to_what_went_in(own_server, tmp_path):
    """By ffmpeg itself, which makes the file too."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    write_sound(tmp_path / "sound.wav", "tone", 1)
    encode = ["ffmpeg", "-v", "error", "-i", tmp_path / "sound.wav", "-c:a", "alac", tmp_path / "sound.caf"]
    subprocess.run(encode, check=True)
    with hearwire.Client(own_server.address) as client:
        wav, caf = (client.get_scene_embeddings([tmp_path / name]).embeddings for name in ("sound.wav", "sound.caf"))
        assert (wav == caf).all()
        with pytest.raises(hearwire.HearwireError, match=r"CAF encoding 'alac' \(ALAC\) .*ffmpeg"):
            client.get_scene_embeddings([Audio(Encoding.FILE, (tmp_path / "sound.caf").read_bytes())])
