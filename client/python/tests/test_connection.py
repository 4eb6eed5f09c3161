"""How both clients reach their servers: TLS, tokens, metadata, several servers, and what they say where it goes wrong."""

import hashlib
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest
from conftest import PATIENCE, REPOSITORY

import hearwire
from hearwire._own_server import OwnServer

CLIP = np.zeros(16000, np.float32)


def embed(client):
    return client.get_scene_embeddings([CLIP], sample_rate=32000, deadline=20 * PATIENCE)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([str(REPOSITORY / "tests/fixtures/make_certificates"), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def secure(certificates):
    """Mutual TLS and tokens."""
    (certificates / "tokens").write_text(hashlib.sha256(b"secret").hexdigest() + " ingest\n")
    server = OwnServer(
        [
            f"--tls-cert={certificates}/server.pem",
            f"--tls-key={certificates}/server.key",
            f"--tls-client-ca={certificates}/ca.pem",
            f"--tokens-file={certificates}/tokens",
        ]
    )
    yield server
    server.stop()


@pytest.fixture
def known(certificates):
    """What a client needs that `secure` is to let in."""
    return {
        "roots": certificates / "ca.pem",
        "client_certificate": (certificates / "client.pem", certificates / "client.key"),
        "token": "secret",
    }


def refusal(client) -> hearwire.HearwireError:
    with client, pytest.raises(hearwire.HearwireError) as caught:
        embed(client)
    return caught.value


def test_gets_in_with_certificate_and_token(kind, secure, known):
    for address in secure.address, f"https://{secure.address}", f"https://{secure.address}/":
        with kind(address, **known) as client:
            assert embed(client).embeddings.shape[0] == 1
            assert client.list_configs(True)
            assert client.check_health() is hearwire.ServingStatus.SERVING


def test_streams_bring_the_token_too(secure, known):
    with hearwire.Client(secure.address, **known) as client:
        assert len(list(client.stream([CLIP], sample_rate=32000, timestamps=True))) > 2


def test_takes_gRPCs_own_credentials(kind, secure, certificates, known):
    read = [(certificates / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")]
    credentials = grpc.ssl_channel_credentials(*read)
    with kind(secure.address, credentials=credentials, token="secret") as client:
        embed(client)
    with pytest.raises(ValueError, match="one or the other"):
        kind(secure.address, credentials=credentials, roots=known["roots"])


def test_is_told_by_the_environment(kind, secure, certificates, tmp_path, monkeypatch):
    monkeypatch.setenv("HEARWIRE_SERVER", f"https://{secure.address}")
    monkeypatch.setenv("HEARWIRE_ROOTS", str(certificates / "ca.pem"))
    monkeypatch.setenv("HEARWIRE_CLIENT_CERT", str(certificates / "client.pem"))
    monkeypatch.setenv("HEARWIRE_CLIENT_KEY", str(certificates / "client.key"))
    monkeypatch.setenv("HEARWIRE_TOKEN", "secret")
    with kind() as client:
        embed(client)
    (tmp_path / "token").write_text("wrong\n")
    monkeypatch.setenv("HEARWIRE_TOKEN_FILE", str(tmp_path / "token"))
    assert refusal(kind()).reason == "TOKEN_UNKNOWN"
    with kind(token="secret") as client:
        embed(client)


def test_says_what_is_wrong_with_the_token(kind, secure, known):
    missing = refusal(kind(secure.address, **{**known, "token": ""}))
    assert missing.code is grpc.StatusCode.UNAUTHENTICATED and missing.reason == "TOKEN_MISSING"
    assert refusal(kind(secure.address, **{**known, "token": "guess"})).reason == "TOKEN_UNKNOWN"


def test_says_that_a_server_speaks_tls(kind, secure):
    error = refusal(kind(secure.address, max_attempts=1))
    assert error.unreachable
    assert error.message.startswith(f"what listens at {secure.address} hangs up before any call: a server with TLS wants")


def test_says_that_a_server_does_not_speak_tls(kind, own_server, certificates):
    error = refusal(kind(own_server.address, roots=certificates / "ca.pem", max_attempts=1))
    assert error.message.startswith(f"the server at {own_server.address} does not speak TLS")


def test_says_that_it_does_not_trust_a_certificate(kind, secure, certificates, known):
    known["roots"] = certificates / "other_ca.pem"
    assert "signed by nobody that is trusted" in refusal(kind(secure.address, **known, max_attempts=1)).message


def test_asks_for_the_name_that_it_is_told(kind, certificates):
    server = OwnServer([f"--tls-cert={certificates}/wrong_name.pem", f"--tls-key={certificates}/wrong_name.key"])
    try:
        roots = certificates / "ca.pem"
        assert "is another name's" in refusal(kind(server.address, roots=roots, max_attempts=1)).message
        with kind(server.address, roots=roots, server_name="elsewhere.example") as client:
            embed(client)
    finally:
        server.stop()


def test_says_that_its_own_certificate_is_missing(kind, secure, certificates):
    error = refusal(kind(secure.address, roots=certificates / "ca.pem", token="secret", max_attempts=1))
    assert "a certificate of yours too" in error.message


def test_sends_metadata(kind, own_server, monkeypatch):
    with kind(own_server.address, metadata={"x-request-id": "mine-1"}) as client:
        assert embed(client).request_id == "mine-1"
    monkeypatch.setenv("HEARWIRE_METADATA", "x-team=search, x-request-id=mine-2")
    with kind(own_server.address) as client:
        assert embed(client).request_id == "mine-2"


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"metadata": {"X-Team": "a"}}, "lower-case"),
        ({"metadata": {"grpc-timeout": "1S"}}, "not grpc-"),
        ({"metadata": {"x-team": "ä"}}, "printable ASCII"),
        ({"token": "two words"}, "the token has blanks"),
        ({"token": "secret\n"}, "the token has blanks"),
        ({"roots": __file__}, "no PEM"),
        ({"server": "https://a:1,b:1"}, "one kind"),
        ({"server": "a:1,,b:1"}, "empty part"),
        ({"server": "127.0.0.1:1,b"}, '"b" is not'),
        ({"server": "127.0.0.1:1,[::1]:1"}, "of IPv4 and of IPv6"),
        ({"server": "127.0.0.1:1,no-such-host.invalid:1"}, "cannot be resolved"),
        ({"server": "https://a/b"}, "is a URL"),
    ],
)
def test_refuses_what_cannot_be(kind, wrong, words):
    with pytest.raises(ValueError, match=words) as caught:
        kind(**{"server": "127.0.0.1:1", **wrong})
    assert "secret" not in str(caught.value) and "two words" not in str(caught.value)


def test_asks_several_servers_in_turn_and_leaves_out_one_that_drains(kind):
    servers = [OwnServer(["--lame-duck=3s"]) for _ in range(2)]

    def calls(server) -> float:
        counted = 0.0
        for line in metrics(server).splitlines():
            if line.startswith('hearwire_requests_total{code="OK"') and 'method="GetSceneEmbeddings"' in line:
                counted += float(line.split()[-1])
        return counted

    try:
        with kind(",".join(server.address for server in servers)) as client:
            until = time.monotonic() + 20 * PATIENCE
            while not all(calls(server) > 0 for server in servers):
                embed(client)
                assert time.monotonic() < until, "one of them is never asked"
            # A rolling restart: the one that goes says so first, and no call fails.
            going = threading.Thread(target=servers[0].stop)
            going.start()
            while going.is_alive():
                embed(client)
            for _ in range(10):
                embed(client)
    finally:
        for server in servers:
            server.stop()


def metrics(server) -> str:
    import re
    import urllib.request

    address = re.search(r"^metrics listening on (\S+)$", server.last_words(), re.MULTILINE).group(1)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10 * PATIENCE) as reply:
        return reply.read().decode()
