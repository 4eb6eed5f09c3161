"""Sounds that the server does not decode, AAC, WMA and the like: the user's own ffmpeg does, where there is one."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import Optional, Union

TIMEOUT_SECONDS = 120.0
MAX_BYTES = 256 << 20  # Of decoded samples.

# Where a kind of file has which bytes, as client/cli/foreign_sound.cc has them.
_KINDS = (
    (4, b"ftyp", "an MP4 (M4A) file"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM (Matroska) file"),
    (0, b"\x30\x26\xb2\x75", "a WMA (ASF) file"),
    (0, b"ADIF", "an AAC file"),
    (0, b"MAC ", "a Monkey's Audio (APE) file"),
    (0, b"TTA1", "a True Audio (TTA) file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"ajkg", "a Shorten file"),
    (0, b"\x0b\x77", "an AC-3 file"),
    (0, b"\x7f\xfe\x80\x01", "a DTS file"),
    (0, b"DSD ", "a DSF file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"FLV\x01", "an FLV file"),
    (8, b"AVI ", "an AVI file"),
)
_CAF_KINDS = {b"alac": "a CAF file of ALAC", b"aac ": "a CAF file of AAC"}


def foreign_kind(data: bytes) -> Optional[str]:
    """What the file is, by what it begins with; None: of no kind that is for ffmpeg."""
    begin = _behind_id3(data)
    # CAF mostly holds samples one by one, which are the server's; what else it holds its first chunk names.
    if data[begin : begin + 4] == b"caff" and data[begin + 8 : begin + 12] == b"desc":
        return _CAF_KINDS.get(data[begin + 28 : begin + 32])
    for offset, mark, name in _KINDS:
        if data[begin + offset : begin + offset + len(mark)] == mark:
            return name
    is_adts = data[begin : begin + 1] == b"\xff" and len(data) > begin + 1 and data[begin + 1] & 0xF6 == 0xF0
    return "an AAC (ADTS) file" if is_adts else None


def decode(
    data: bytes, kind: str, max_bytes: Optional[int] = None, timeout: Optional[float] = None
) -> bytes:
    """The first audio stream of a file, as a WAV file of 16-bit samples, its rate and channels kept.

    Raises ValueError: there is no ffmpeg, it finds the file damaged, it takes too long or makes too much.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(
            f"this is {kind}, which the server does not decode; this package does where ffmpeg is installed "
            "(apt install ffmpeg; https://ffmpeg.org for other systems)"
        )
    with tempfile.TemporaryDirectory(prefix="hearwire-") as folder:
        path = pathlib.Path(folder, "sound")
        path.write_bytes(data)
        limit = MAX_BYTES if max_bytes is None else max_bytes
        return _run(program, path, kind, limit, TIMEOUT_SECONDS if timeout is None else timeout)


def _run(program: Union[str, os.PathLike[str]], path: pathlib.Path, kind: str, max_bytes: int, timeout: float) -> bytes:
    # Stops at the first fault, so that nothing that is cut off passes for whole; opens no address.
    arguments = [str(program), "-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file"]
    arguments += ["-i", f"file:{path}", "-map", "0:a:0"]
    arguments += ["-map_metadata", "-1", "-c:a", "pcm_s16le", "-f", "wav", "pipe:1"]
    late = threading.Event()

    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as process:

            def end_late() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(timeout, end_late)
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None
                wav = process.stdout.read(max_bytes + 1)
                if len(wav) > max_bytes:
                    process.kill()
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
        said.seek(0)
        message = said.read(2000).decode(errors="replace")
    if len(wav) > max_bytes:
        raise ValueError(f"this is {kind} of more than {max_bytes} bytes of samples: cut it into shorter pieces")
    if late.is_set():
        raise ValueError(f"this is {kind} that ffmpeg was not done with in {timeout:g} s")
    # The last is said of a Matroska file that is cut off, and then all is said to be well.
    if code != 0 or not wav or "ended prematurely" in message:
        raise ValueError(f"this is {kind} that ffmpeg cannot decode to its end: {_first_line(message)}")
    return wav


def _first_line(message: str) -> str:
    line = message.partition("\n")[0]
    if line.startswith("[") and "] " in line:  # The part of ffmpeg that speaks.
        line = line.partition("] ")[2]
    return line or "no reason given"


def _behind_id3(data: bytes) -> int:
    begin = 0
    for _ in range(100):
        if len(data) < begin + 10 or data[begin : begin + 3] != b"ID3":
            break
        size = 0
        for byte in data[begin + 6 : begin + 10]:
            size = size << 7 | byte & 0x7F
        begin += size + (20 if data[begin + 5] & 0x10 else 10)
    return begin
