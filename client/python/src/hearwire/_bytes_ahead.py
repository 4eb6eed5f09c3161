"""How much audio of a stream may be on its way, where a proxy between bounds it (StreamTaken in the proto)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Optional, Union

from hearwire._calls import contradiction

_KEY = "x-hearwire-max-bytes-ahead"
# What the buffers of any proxy hold: the bound of a call of which nothing is known yet.
UNTIL_KNOWN = 16 << 10


class BytesAhead:
    """Offsets count the bytes of the stream's audio."""

    def __init__(self) -> None:
        self.on_new_call(0)

    def on_new_call(self, begin: int) -> None:
        """The stream's next call sends from this offset on."""
        self.begin = self._taken = begin
        self._most = UNTIL_KNOWN

    def on_initial_metadata(self, metadata: Optional[Iterable[tuple[str, Union[str, bytes]]]]) -> None:
        """The server's, of the call. A bound that is no number counts as a small one."""
        self._most = sys.maxsize
        for key, value in metadata or ():
            if key == _KEY:
                self._most = max(int(value) if str(value).isdecimal() else 1, 1)

    def on_taken(self, count: int, end: int) -> None:
        """The server has taken so many bytes of the call's in all. end: no offset after it can have been sent."""
        if count > end - self.begin:
            raise contradiction(f"of {end - self.begin} bytes of audio it has taken {count}")
        self._taken = max(self._taken, self.begin + count)

    def may_send(self, sent: int, wanted: int) -> int:
        """How many of the next `wanted` bytes may be sent when all before the offset `sent` were.

        Where the server takes little by little, 0 until a quarter of the bound is free: few large pieces follow, not
        many small ones.
        """
        room = max(self._most - (sent - self._taken), 0)
        return 0 if room < wanted and room < self._most // 4 else min(room, wanted)
