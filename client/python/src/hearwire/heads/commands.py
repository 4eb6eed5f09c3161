"""The arguments of `heads train` and `heads import`."""

from __future__ import annotations

import argparse
import importlib.util
import math
import pathlib
from typing import Any, Callable

from hearwire._command_line import add_server, open_client
from hearwire.heads.errors import HeadError
from hearwire.heads.head import KINDS

_TRAIN = """\
SOUNDS is a folder with a folder of sounds for each label, or a CSV file whose first
line names the columns path (of the sound, from the file's folder), label and, where
there are folds, fold. With --multi-label a label is any number of labels with ;
between them, or none. With --kind timestamps each embedding of a sound has the
sound's labels: labels of parts of a sound are not read.

A cross-validation over the file's folds, or over --folds made at random with all
labels in each, is printed. The head is then fitted on all sounds. The same
embeddings and arguments give the same file, byte for byte.
"""

_IMPORT = """\
TASK is the folder in which heareval.predictions.runner has left its scores, such as
embeddings/hearwire.hear.mn10_all_b_mel_avgs/esc50-v2.0.0-full. Of the classifiers that
it has tested, one for each split of the task, the one with the best validation score
is taken. Its norms (BatchNorm1d) are folded into its layers.

Embeddings of Hearwire are those of the server, which must have the checkpoint that they
were computed with. For those of another program --weights names that checkpoint.
"""


def add_heads_command(commands: Any) -> None:
    """commands: what argparse's add_subparsers returned."""
    help_text = "make heads, classifiers on embeddings, for a server's --heads DIR"
    heads = commands.add_parser("heads", help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
    kinds = heads.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(kinds)
    _add_import(kinds)


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="from sounds with labels",
        description="Train a head on sounds with labels, by scikit-learn.",
        epilog=_TRAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("sounds", metavar="SOUNDS", type=pathlib.Path, help="a folder or a CSV file: see below")
    _add_output(command)
    add("--config", default="", metavar="NAME", help="whose embeddings it reads; default: the server's default")
    add("--kind", choices=KINDS, default="scene", help="scene (default): an answer a sound; timestamps: every 50 ms")
    add("--multi-label", action="store_true", help="a sound may have several labels, or none")
    add(
        "--hidden",
        type=_widths,
        default=(),
        metavar="WIDTHS",
        help="of hidden layers, such as 256 or 256,128; default: none, which is logistic regression",
    )
    add("--l2", type=_penalty, default=1.0, metavar="PENALTY", help="on the squared weights; default: 1")
    add("--folds", type=_whole(2), default=5, metavar="N", help="for sounds whose file names none; default: 5")
    add("--seed", type=_whole(0), default=0, metavar="N", help="of folds and hidden layers; default: 0")
    add_server(command)
    add("--in-flight", type=_whole(1), default=16, metavar="N", help="sounds sent at once, at most; default: 16")
    command.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise HeadError("training needs scikit-learn: pip install 'hearwire[heads]' brings it")
    from hearwire.heads.fit_head import Classifier
    from hearwire.heads.train import Training, train

    training = Training(
        source=arguments.sounds,
        output=arguments.output,
        config=arguments.config,
        kind=arguments.kind,
        multi_label=arguments.multi_label,
        classifier=Classifier(arguments.hidden, arguments.l2, arguments.seed),
        folds=arguments.folds,
        in_flight=arguments.in_flight,
        force=arguments.force,
    )
    with open_client(arguments) as client:
        train(training, client)


def _add_import(commands: Any) -> None:
    command = commands.add_parser(
        "import",
        help="from what heareval has trained",
        description="Make a head of a classifier that heareval has trained; needs PyTorch.",
        epilog=_IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("task", metavar="TASK", type=pathlib.Path, help="a folder: see below")
    _add_output(command)
    add(
        "--logs",
        type=pathlib.Path,
        default="logs",
        metavar="DIR",
        help="heareval's folder of checkpoints; default: logs",
    )
    add("--split", metavar="NAME", help="which classifier, by the part that it was tested on, such as fold00")
    add("--config", metavar="NAME", help="whose embeddings it reads; default: as the folder above TASK says")
    add("--weights", type=pathlib.Path, metavar="FILE", help="the network's checkpoint; default: the server's")
    add_server(command)
    command.set_defaults(run=_import)


def _import(arguments: argparse.Namespace) -> None:
    from hearwire.heads.import_head import Import, import_head

    wanted = Import(
        folder=arguments.task,
        output=arguments.output,
        logs=arguments.logs,
        split=arguments.split,
        config=arguments.config,
        weights=arguments.weights,
        force=arguments.force,
    )
    with open_client(arguments) as client:
        import_head(wanted, client)


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--output",
        required=True,
        type=pathlib.Path,
        metavar="FILE",
        help="NAME.safetensors: the head's name is the file's",
    )
    command.add_argument("--force", action="store_true", help="replace an output that exists")


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) < 2**31:
            raise argparse.ArgumentTypeError(f"{text}: a whole number, {least} or more, would be right")
        return int(text)

    return parse


def _widths(text: str) -> tuple[int, ...]:
    return tuple(_whole(1)(width) for width in text.split(","))


def _penalty(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"{text}: a number above 0 would be right")
    return value
