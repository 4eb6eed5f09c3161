"""What the commands refuse."""

from __future__ import annotations

from hearwire._command_line import CommandError


class HeadError(CommandError):
    """Of a head, or of what one is made from."""
