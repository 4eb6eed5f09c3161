#!/usr/bin/env python3
"""Makes some 680 audio files with other programs' encoders and compares what Hearwire decodes with other decoders.

  compare_decoders.py DECODE_FILE [--table] [--check PAGE] [--only WORD]

DECODE_FILE is the test program hearwire_decode_file. --table prints the table for docs/api.md; --check fails if PAGE has
another. Needs the programs that scripts/setup --tests installs, and says which are missing (exit status 77). Files are a third of a
second long and made anew in a temporary folder. What may differ, by how much and why, stands with each group below; one
sample more or less is a failure.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import itertools
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

from made_sounds import (
    Case, changed_opus, ffmpeg, flac, lame, make_source, oggenc, opusenc, run, Source, sox, with_bits,
)
from other_decoders import by_ffmpeg, by_flac, by_mpg123, by_oggdec, by_opusdec, by_sox

PROGRAMS = ("sox", "flac", "oggenc", "oggdec", "opusenc", "opusdec", "lame", "mpg123", "ffmpeg")


@dataclasses.dataclass(frozen=True)
class Group:
    format: str
    settings: str
    reference: str
    decode: Callable[[pathlib.Path, Case], np.ndarray]  # [samples, channels], float32.
    cases: list[Case]
    tolerance: float = 0.0  # 0: bit for bit.
    reason: str = ""  # Of a tolerance.
    any_length: bool = False  # The reference's end is not to be trusted: what both have is compared.


def cases(
    suffix: str, rates: tuple[int, ...], channels: tuple[int, ...], makers: dict[str, Callable], decoded: int = 0
) -> list[Case]:
    return [
        Case(f"{name} {rate} Hz {count} ch", rate, count, make, suffix, decoded)
        for (name, make), rate, count in itertools.product(makers.items(), rates, channels)
    ]


SOX_FORMS = {
    "16": ("-b", "16", "-e", "signed"),
    "24": ("-b", "24", "-e", "signed"),
    "32": ("-b", "32", "-e", "signed"),
    "float": ("-b", "32", "-e", "float"),
    "double": ("-b", "64", "-e", "float"),
    "A-law": ("-e", "a-law"),
    "mu-law": ("-e", "u-law"),
}
RATES = (8000, 22050, 44100, 96000)


def groups() -> Iterator[Group]:
    wav_forms = {"8": ("-b", "8", "-e", "unsigned"), **SOX_FORMS}
    signed_forms = {"8": ("-b", "8", "-e", "signed"), **SOX_FORMS}
    exact = by_ffmpeg()
    widths = "8, 16, 24, 32 bits, float, double, A-law, mu-law"
    wavs = cases(".wav", RATES, (1, 2, 6), {name: sox("-t", "wav", *form) for name, form in wav_forms.items()})
    yield Group("WAV", widths, "ffmpeg", exact, wavs)
    yield Group(
        "WAV", widths, "sox", by_sox, wavs[::3], 1.2e-7, "sox's samples are 32-bit integers; floats are rounded to them"
    )
    twelve = cases(".wav", RATES, (1, 2), {"12 bits": with_bits(12), "20 bits": with_bits(20)})
    yield Group("WAV", "12 and 20 bits in the plain header", "ffmpeg", exact, twelve)
    codecs = {"IMA": ffmpeg("-c:a", "adpcm_ima_wav"), "MS": ffmpeg("-c:a", "adpcm_ms")}
    yield Group("WAV", "IMA and MS ADPCM", "sox", by_sox, cases(".wav", (8000, 22050, 44100), (1, 2), codecs))
    gsm = {"GSM": sox("-t", "wav", "-e", "gsm-full-rate")}
    yield Group("WAV", "GSM 6.10", "sox", by_sox, cases(".wav", (8000, 16000), (1,), gsm))
    mp3_in_wav = {"MP3": ffmpeg("-c:a", "libmp3lame", "-b:a", "128k")}
    yield Group(
        "WAV", "MP3", "ffmpeg", exact, cases(".wav", (32000, 44100), (1, 2), mp3_in_wav), 2e-6, "two decoders of MP3"
    )
    pcm = {name: f"pcm_{kind}le" for name, kind in (("16", "s16"), ("24", "s24"), ("32", "s32"), ("float", "f32"))}
    some = "16, 24, 32 bits, float"
    rf64 = {name: ffmpeg("-rf64", "always", "-c:a", codec) for name, codec in pcm.items()}
    yield Group("RF64", some, "ffmpeg", exact, cases(".wav", (16000, 48000), (1, 2), rf64))
    rifx = {name: sox("-t", "wav", "-B", *SOX_FORMS[name]) for name in ("16", "24", "32", "float")}
    yield Group("RIFX", some, "sox", by_sox, cases(".wav", (16000, 48000), (1, 2), rifx), 1.2e-7, "sox's integers")
    w64 = {name: ffmpeg("-f", "w64", "-c:a", codec) for name, codec in pcm.items()}
    yield Group("W64", some, "ffmpeg", exact, cases(".w64", (16000, 48000), (1, 2), w64))
    aiff = {name: sox("-t", "aiff", *signed_forms[name]) for name in ("8", "16", "24", "32")}
    yield Group("AIFF", "8, 16, 24, 32 bits", "ffmpeg", exact, cases(".aiff", RATES, (1, 2, 6), aiff))
    aifc_codecs = ("pcm_f32be", "pcm_f64be", "pcm_alaw", "pcm_mulaw", "pcm_s16le", "pcm_s24be")
    aifc = {codec: ffmpeg("-f", "aiff", "-c:a", codec) for codec in aifc_codecs}
    aifc_settings = "float, double, A-law, mu-law, little-endian (sowt)"
    yield Group("AIFF-C", aifc_settings, "ffmpeg", exact, cases(".aifc", (16000, 44100), (1, 2), aifc))
    au = {name: sox("-t", "au", *form) for name, form in signed_forms.items()}
    yield Group("AU", widths, "ffmpeg", exact, cases(".au", (11025, 48000), (1, 2), au))
    caf_codecs = ("pcm_s8", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_f32le", "pcm_f64be")
    caf = {codec: ffmpeg("-f", "caf", "-c:a", codec) for codec in (*caf_codecs, "pcm_alaw", "pcm_mulaw")}
    yield Group("CAF", widths + ", both byte orders", "ffmpeg", exact, cases(".caf", (16000, 44100), (1, 2), caf))
    flacs = {f"{bits} bits, level {level}": flac(level, bits) for bits in (8, 16, 24) for level in (0, 5, 8)}
    flac_cases = cases(".flac", (8000, 44100, 96000), (1, 2), flacs)
    yield Group("FLAC", "8, 16, 24 bits, levels 0, 5, 8", "ffmpeg", exact, flac_cases)
    yield Group("FLAC", "the same", "flac", by_flac, flac_cases[::5])
    ogg_flac = {f"{bits} bits": flac(5, bits, "--ogg") for bits in (16, 24)}
    yield Group("Ogg FLAC", "16, 24 bits", "ffmpeg", exact, cases(".oga", (16000, 44100, 48000), (1, 2), ogg_flac))
    vorbis = {f"quality {quality}": oggenc("-q", str(quality)) for quality in (-1, 3, 10)}
    vorbis_rates = (8000, 16000, 22050, 32000, 44100, 48000)
    stereo = cases(".ogg", vorbis_rates, (1, 2), vorbis)
    surround = cases(".ogg", (48000,), (6,), vorbis)
    why = "oggdec rounds to 16 bits"
    yield Group("Ogg Vorbis", "qualities -1, 3, 10", "oggdec", by_oggdec, stereo + surround, 2e-5, why)
    # With six channels and quality -1 it makes another sound than oggdec and we do.
    why = "two decoders of floats; ffmpeg leaves out the beginning or the end of some, or plays on after it"
    yield Group("Ogg Vorbis", "the same, 1 and 2 channels", "ffmpeg", exact, stereo, 1e-6, why, any_length=True)
    opus = {
        f"{kilobits} kbit/s, {frame} ms": opusenc("--bitrate", str(kilobits), "--framesize", frame)
        for kilobits, frame in ((8, "20"), (24, "60"), (64, "2.5"), (96, "10"), (256, "20"))
    }
    opus_rates = (8000, 16000, 24000, 44100, 48000)
    opus_cases = cases(".opus", opus_rates, (1, 2), opus, 48000)
    # Of less than 96 kbit/s opusenc makes two channels.
    many = {name: make for name, make in opus.items() if name.startswith(("96", "256"))}
    opus_cases += cases(".opus", (48000,), (6,), many, 48000)
    yield Group("Ogg Opus", "8 to 256 kbit/s, frames of 2.5 to 60 ms", "opusdec", by_opusdec, opus_cases)
    heads = {f"gain {gain} dB": changed_opus(16, struct.pack("<h", 256 * gain)) for gain in (-20, -3, 6)}
    heads |= {f"input rate {rate}": changed_opus(12, struct.pack("<I", rate)) for rate in (0, 8000, 16000, 192000)}
    heads |= {f"pre-skip {skip}": changed_opus(10, struct.pack("<H", skip)) for skip in (0, 1000, 5000)}
    heads |= {f"end {samples} sooner": changed_opus(0, b"OpusHead", samples) for samples in (1, 333)}
    settings = "gain, input rate, pre-skip and end changed in the header"
    yield Group("Ogg Opus", settings, "opusdec", by_opusdec, cases(".opus", (48000,), (1, 2), heads, 48000))
    discrete = {"discrete": ffmpeg("-c:a", "libopus", "-mapping_family", "255", "-b:a", "256k")}
    settings = "no order of channels (mapping family 255)"
    libopus = by_ffmpeg("-c:a", "libopus", "-request_sample_fmt", "flt")
    discrete_cases = cases(".opus", (48000,), (2, 3, 6), discrete, 48000)
    yield Group("Ogg Opus", settings, "ffmpeg's libopus", libopus, discrete_cases)
    yield Group("Ogg Opus", "some of the first", "ffmpeg's libopus", libopus, opus_cases[::7])
    constant = {f"{kilobits} kbit/s": lame("--cbr", "-b", str(kilobits)) for kilobits in (64, 128)}
    low = {"32 kbit/s": lame("--cbr", "-b", "32"), "V 5": lame("-V", "5")}
    variable = {f"V {quality}": lame("-V", str(quality)) for quality in (0, 4, 9)}
    odd = {"no info tag": lame("--cbr", "-b", "96", "-t"), "CRC": lame("--cbr", "-b", "96", "-p")}
    high = (32000, 44100, 48000)
    mp3s = cases(".mp3", high, (1, 2), {**constant, "320 kbit/s": lame("-b", "320"), **variable, **odd})
    mp3s += cases(".mp3", (16000, 22050, 24000, 8000, 11025, 12000), (1, 2), low)
    yield Group("MP3", "32 to 320 kbit/s, variable, MPEG 1, 2, 2.5, CRC, no info tag", "mpg123", by_mpg123, mp3s)
    free = {"free format": lame("--freeformat", "-b", "64"), "free format, 200": lame("--freeformat", "-b", "200")}
    yield Group("MP3", "free format", "mpg123", by_mpg123, cases(".mp3", high, (1, 2), free))


@dataclasses.dataclass
class Outcome:
    files: int = 0
    worst: float = 0.0
    failures: list[str] = dataclasses.field(default_factory=list)


def aligned(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What both have, as far as they begin or end together."""
    count = min(len(ours), len(theirs))
    begins = ours[:count], theirs[:count]
    ends = ours[len(ours) - count :], theirs[len(theirs) - count :]
    return min(begins, ends, key=lambda pair: float(np.abs(pair[0] - pair[1]).max(initial=0)))


def compare(program: str, group: Group, case: Case, source: Source, path: pathlib.Path) -> float:
    """The largest difference. Raises RuntimeError where one of the two refuses, or lengths differ."""
    if not path.exists():
        case.make(source, path)
    rate = case.decoded_rate or case.rate
    ours = np.frombuffer(run(program, path, rate), "<f4")
    theirs = group.decode(path, case).astype(np.float64).mean(axis=1).astype(np.float32)
    if group.any_length:
        ours, theirs = aligned(ours, theirs)
    if len(ours) != len(theirs):
        raise RuntimeError(f"{len(ours)} samples, {group.reference} has {len(theirs)}")
    if not len(ours):
        raise RuntimeError("no samples")
    return float(np.abs(ours.astype(np.float64) - theirs).max())


def verdict(group: Group) -> str:
    if group.tolerance == 0:
        return "bit for bit"
    return f"within {group.tolerance:g}: {group.reason}".replace("e-0", "e-")


def row(group: Group, files: int) -> str:
    return f"| {group.format} | {group.settings} | {files} | {group.reference} | {verdict(group)} |"


def table(done: list[tuple[Group, Outcome]]) -> list[str]:
    head = ["| format | what the files differ in | files | against | the same |", "| --- | --- | --- | --- | --- |"]
    return head + [row(group, outcome.files) for group, outcome in done]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("program", help="hearwire_decode_file")
    parser.add_argument("--table", action="store_true", help="print the table")
    parser.add_argument("--check", type=pathlib.Path, metavar="PAGE", help="fail if PAGE does not hold the table")
    parser.add_argument("--only", default="", metavar="WORD", help="formats that contain it")
    options = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}; scripts/setup --tests installs them", file=sys.stderr)
        return 77
    done: list[tuple[Group, Outcome]] = []
    made: set[tuple[str, str]] = set()
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    with tempfile.TemporaryDirectory(prefix="hearwire-") as name, pool:
        folder = pathlib.Path(name)
        sources: dict[tuple[int, int], Source] = {}
        for group in groups():
            if options.only not in group.format:
                continue
            outcome = Outcome(files=len(group.cases))
            tasks = []
            for case in group.cases:
                key = (case.rate, case.channels)
                if key not in sources:
                    sources[key] = make_source(folder, *key)
                made.add((group.format, case.name))
                path = folder / (f"{group.format} {case.name}".replace("/", "_").replace(" ", "-") + case.suffix)
                tasks.append((case, pool.submit(compare, options.program, group, case, sources[key], path)))
            for case, task in tasks:
                try:
                    difference = task.result()
                    outcome.worst = max(outcome.worst, difference)
                    if difference > group.tolerance:
                        outcome.failures.append(f"{case.name}: differs by {difference:.2g}")
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    outcome.failures.append(f"{case.name}: {error}")
            about = f"{group.format} ({group.settings}), {group.reference}: {outcome.files} files"
            print(f"{about}, they differ by {outcome.worst:.2g} at most", flush=True)
            for failure in outcome.failures:
                print(f"  FAILED {failure}", flush=True)
            done.append((group, outcome))
    failures = sum(len(outcome.failures) for _, outcome in done)
    print(f"{len(made)} files, {sum(outcome.files for _, outcome in done)} comparisons, {failures} failures")
    lines = table(done)
    if options.table:
        print("\n".join(lines))
    if options.check is not None:
        page = options.check.read_text()
        lost = [line for line in lines if line not in page]
        for line in lost:
            print(f"not in {options.check}: {line}")
        failures += len(lost)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
