"""What the commands refuse."""

from __future__ import annotations


class HeadError(Exception):
    """Says what is wrong, where, and what would be right."""
