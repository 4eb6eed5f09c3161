"""Certificates made by openssl when tests ask for them: tests/fixtures/make_certificates says which there are."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import grpc

from hearwire_server import MESSAGE_OPTIONS, REPOSITORY, pb_grpc


class Certificates:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        subprocess.run([str(REPOSITORY / "tests/fixtures/make_certificates"), str(folder)], check=True)

    def path(self, name: str) -> pathlib.Path:
        return self.folder / name

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def put(self, name: str, target: pathlib.Path) -> None:
        """Under the target's name there is a whole file at every moment, as where a program renews certificates."""
        new = target.with_suffix(".new")
        shutil.copy(self.path(name), new)
        new.rename(target)

    def server_flags(self, name: str = "server") -> list[str]:
        return [f"--tls-cert={self.path(name + '.pem')}", f"--tls-key={self.path(name + '.key')}"]

    def channel(self, address: str, ca: str = "ca", client: str = "", options=()) -> grpc.Channel:
        """A new connection, which knows the authority `ca`, and shows the certificate `client` where one is named."""
        own = (self.read(client + ".key"), self.read(client + ".pem")) if client else (None, None)
        credentials = grpc.ssl_channel_credentials(self.read(ca + ".pem"), *own)
        return grpc.secure_channel(
            address, credentials, options=[*MESSAGE_OPTIONS, ("grpc.use_local_subchannel_pool", 1), *options]
        )

    def stub(self, *args, **named):
        return pb_grpc.EmbeddingServiceStub(self.channel(*args, **named))
