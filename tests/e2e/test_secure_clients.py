"""The programs hearwire and hearwire-load where a server asks who calls: flags, environment, messages, several servers."""

import hashlib
import os
import subprocess

import numpy as np
import pytest

from hearwire_server import BIN, PATIENCE, Server, chirp


@pytest.fixture(scope="module")
def secure(certificates, tmp_path_factory):
    """Mutual TLS and tokens."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(hashlib.sha256(b"secret").hexdigest() + " ingest\n")
    flags = [f"--tls-client-ca={certificates.path('ca.pem')}", f"--tokens-file={tokens}"]
    with Server(*certificates.server_flags(), *flags) as running:
        yield running


@pytest.fixture(scope="module")
def known(certificates, tmp_path_factory):
    """The flags that `secure` asks for."""
    token = tmp_path_factory.mktemp("client") / "token"
    token.write_text("secret\n")
    return {
        "--roots": str(certificates.path("ca.pem")),
        "--client-cert": str(certificates.path("client.pem")),
        "--client-key": str(certificates.path("client.key")),
        "--token-file": str(token),
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "chirp.wav"
    data = np.round(chirp(1) * 32767).astype("<i2").tobytes()
    header = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (32000).to_bytes(4, "little") + (64000).to_bytes(4, "little") + b"\2\0\x10\0"
    path.write_bytes(header + b"data" + len(data).to_bytes(4, "little") + data)
    return str(path)


def run(program: str, *arguments: str, env=None) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}
    return subprocess.run(
        [str(BIN / program), *arguments],
        capture_output=True,
        text=True,
        env={**clean, **(env or {})},
        timeout=120 * PATIENCE,
    )


def flags(known: dict) -> list[str]:
    return [word for pair in known.items() for word in pair]


def test_the_command_gets_in(secure, known, sound):
    tagged = run("hearwire", "tag", sound, "--top-k", "1", "--server", secure.address, *flags(known))
    assert tagged.returncode == 0, tagged.stderr
    healthy = run("hearwire", "health", "--server", f"https://{secure.address}", *flags(known))
    assert healthy.returncode == 0, healthy.stderr
    with open(sound, "rb") as samples:
        streamed = subprocess.run(
            [str(BIN / "hearwire"), "stream", "--tags", "1", "--server", secure.address, *flags(known)],
            stdin=samples,
            capture_output=True,
            timeout=60 * PATIENCE,
        )
    assert streamed.returncode == 0, streamed.stderr


def test_the_environment_says_the_same(secure, known):
    env = {
        "HEARWIRE_SERVER": f"https://{secure.address}",
        "HEARWIRE_ROOTS": known["--roots"],
        "HEARWIRE_CLIENT_CERT": known["--client-cert"],
        "HEARWIRE_CLIENT_KEY": known["--client-key"],
        "HEARWIRE_TOKEN": "secret",
    }
    assert run("hearwire", "configs", env=env).returncode == 0
    load = run("hearwire-load", "--duration", "300ms", "--warm-up", "0", "--concurrency", "1", env=env)
    assert load.returncode == 0, load.stderr
    wrong = run("hearwire", "configs", env={**env, "HEARWIRE_TOKEN": "guess-1"})
    assert wrong.returncode != 0
    assert "this server does not know the token (--token-file, or HEARWIRE_TOKEN)" in wrong.stderr
    assert "guess-1" not in wrong.stderr


def test_the_load_generator_gets_in(secure, known):
    done = run(
        *("hearwire-load", "--server", secure.address, "--duration", "500ms", "--warm-up", "0", "--concurrency", "2"),
        *("--metrics-url", f"http://{secure.metrics_address}/metrics", *flags(known)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    streams = run(
        *("hearwire-load", "--server", secure.address, "--kind", "stream", "--duration", "500ms", "--warm-up", "0"),
        *("--concurrency", "1", *flags(known)),
    )
    assert streams.returncode == 0, streams.stdout + streams.stderr


@pytest.mark.parametrize("program, command", [("hearwire", ["configs"]), ("hearwire-load", ["--duration", "1s"])])
def test_what_goes_wrong_is_said(secure, server, known, certificates, program, command):
    def said(address, given) -> str:
        ended = run(program, *command, "--server", address, *flags(given))
        assert ended.returncode != 0
        return ended.stderr

    def without(*names) -> dict:
        return {name: value for name, value in known.items() if name not in names}

    assert f"what listens at {secure.address} hangs up before any call: a server with TLS wants" in said(
        secure.address, {}
    )
    assert "a certificate of yours too" in said(secure.address, without("--client-cert", "--client-key"))
    other = {**known, "--roots": str(certificates.path("other_ca.pem"))}
    assert f"TLS with the server at {secure.address} fails: nobody that is trusted" in said(secure.address, other)
    assert f"TLS with the server at {server.address} fails" in said(server.address, without("--token-file"))
    assert "asks for a token" in said(secure.address, without("--token-file"))
    assert "it is no PEM" in said(secure.address, {**known, "--roots": known["--token-file"]})
    assert "go together" in said(secure.address, without("--client-key"))
    assert "cannot be read" in said(secure.address, {**known, "--token-file": "/no/such/file"})
    name = {**known, "--server-name": "elsewhere.example"}
    assert "is another name's" in said(secure.address, name)


def test_metadata_goes_with_every_call():
    with Server("--trusted-proxies=127.0.0.1") as server:
        done = run("hearwire", "configs", "--server", server.address, "--metadata", "x-hearwire-caller=team-a")
        assert done.returncode == 0, done.stderr
        assert server.metric("hearwire_caller_calls_total", caller="team-a") >= 1
        wrong = run("hearwire", "configs", "--server", server.address, "--metadata", "team-a")
        assert "NAME=VALUE would be right" in wrong.stderr


def test_one_of_three_servers_is_enough(sound):
    with Server() as running, Server() as second, Server() as third:
        everywhere = ",".join(server.address for server in (second, third, running))
        assert second.stop() == third.stop() == 0
        assert run("hearwire", "tag", sound, "--server", everywhere).returncode == 0
