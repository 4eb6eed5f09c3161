#!/usr/bin/env python3
"""A long way: passes TCP connections on, and delays what passes in each direction.

    relay.py LISTEN_HOST:PORT TO_HOST:PORT MILLISECONDS

For kernels that have no netem. What has come is read at once, so that a delay takes no throughput.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    delivery = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 18):
            waiting.put_nowait((loop.time() + delay, data))
    waiting.put_nowait((loop.time() + delay, b""))
    with contextlib.suppress(OSError):
        await delivery


async def main(listen: str, to: str, milliseconds: float) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*to.rsplit(":", 1))
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer, milliseconds / 1000), carry(far_reader, writer, milliseconds / 1000))

    host, port = listen.rsplit(":", 1)
    async with await asyncio.start_server(connect, host, int(port)) as server:
        print("relaying", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
