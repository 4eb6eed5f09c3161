"""`python -m hearwire`: what needs Python. The program hearwire, which is C++, has the other commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from hearwire._command_line import CommandError
from hearwire._version import __version__
from hearwire.errors import HearwireError
from hearwire.heads.commands import add_heads_command
from hearwire.plot.command import add_plot_command

INTERRUPTED = 130  # As a shell says it of SIGINT.


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Returns the exit code: 0, 1 with one message on standard error, or 130. Wrong arguments exit with 2."""
    parser = argparse.ArgumentParser("python -m hearwire", description="What Hearwire does in Python.")
    parser.add_argument("--version", action="version", version=f"hearwire {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_heads_command(commands)
    add_plot_command(commands)
    parsed = parser.parse_args(arguments)
    try:
        parsed.run(parsed)
    except (CommandError, HearwireError, OSError) as error:
        print(f"hearwire: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
