"""The arguments of `plot`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import pathlib
import warnings
from typing import Any

from hearwire._command_line import CommandError, add_server, open_client, write_whole

_MORE = """\
The spectrogram is computed here, from a WAV file or, for other kinds, by the ffmpeg on PATH;
tags and embeddings come from the server.
"""


def add_plot_command(commands: Any) -> None:
    """commands: what argparse's add_subparsers returned."""
    command = commands.add_parser(
        "plot",
        help="draw what a server hears in a sound",
        description="Draw a sound's spectrogram, its tags over time, and how alike its timestamp embeddings are, as a PNG.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("sound", metavar="FILE", type=pathlib.Path, help="of any kind that the server decodes")
    add("--output", type=pathlib.Path, metavar="PNG", help="default: FILE's name with .png, in this folder")
    add("--force", action="store_true", help="replace an output that exists")
    add("--config", default="", metavar="NAME", help="whose embeddings and tags; default: the server's default")
    add_server(command)
    command.set_defaults(run=_plot)


def _plot(arguments: argparse.Namespace) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise CommandError("plotting needs matplotlib: pip install 'hearwire[plot]' brings it")
    from hearwire.plot.draw import draw
    from hearwire.plot.portrait import make_portrait

    sound: pathlib.Path = arguments.sound
    output: pathlib.Path = arguments.output or pathlib.Path(sound.stem + ".png")
    _check_output(output, arguments.force)
    content = sound.read_bytes()
    with open_client(arguments) as client:
        try:
            portrait = make_portrait(client, content, arguments.config)
        # Also of a kind that the server does not decode, nor ffmpeg here.
        except (ValueError, CommandError) as error:
            raise CommandError(f"{sound}: {error}") from None
    png = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of letters in a file's name that the font has not.
        draw(portrait, sound.name).savefig(png, format="png", metadata={"Software": None})
    write_whole(output, png.getvalue())
    print(f"{output}: {portrait.seconds:.1f} s of {sound.name}")


def _check_output(path: pathlib.Path, force: bool) -> None:
    """Before the work."""
    if path.suffix.lower() != ".png":
        raise CommandError(f"{path}: a PNG is written: NAME.png would be right")
    if path.exists() and not force:
        raise CommandError(f"{path} exists: --force replaces it")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: there is no folder {path.parent}")
