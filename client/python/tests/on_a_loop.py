"""AsyncClient, asked as Client is."""

import asyncio

import hearwire


class OnALoop:
    """AsyncClient with Client's methods, each waited for."""

    def __init__(self, *args, **kwargs):
        self._client = hearwire.AsyncClient(*args, **kwargs)
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._loop.run_until_complete(method(*args, **kwargs))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._client.close())
        self._loop.close()
