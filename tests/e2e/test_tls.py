"""TLS and mutual TLS, with certificates that are right, wrong in every way that is common, and renewed."""

import os
import socket
import ssl
import stat
import subprocess

import grpc
import pytest

from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pb_grpc, pcm, wait_until


def scene(stub, timeout=10):
    request = pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(0.5))])
    return stub.GetSceneEmbeddings(request, timeout=timeout * PATIENCE)


def refusal(stub) -> str:
    with pytest.raises(grpc.RpcError) as error:
        scene(stub)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    return error.value.details()


def start_fails(*flags) -> str:
    command = [str(BIN / "hearwire-server"), "--grpc-port=0", "--metrics-port=0", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("hearwire-server: ")
    return last


def shown_certificate(address: str, ca: bytes) -> bytes:
    """What the server shows on a new connection."""
    context = ssl.create_default_context(cadata=ca.decode())
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.getpeercert(binary_form=True)


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


@pytest.fixture(scope="module")
def secure(certificates):
    with Server(*certificates.server_flags()) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(certificates):
    with Server(*certificates.server_flags(), f"--tls-client-ca={certificates.path('ca.pem')}") as running:
        yield running


def test_answers_over_tls_as_without(secure, certificates):
    assert scene(certificates.stub(secure.address)).embeddings.rows == 1
    assert " TLS expires=2098-01-01" in secure.log()


def test_a_client_that_knows_another_authority_does_not_trust_it(secure, certificates):
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(certificates.stub(secure.address, ca="other_ca"))


def test_a_plain_client_does_not_get_in(secure):
    refusal(pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(secure.address)))


def test_a_certificate_of_another_name_is_not_trusted_by_clients(certificates):
    with Server(*certificates.server_flags("wrong_name")) as running:
        refusal(certificates.stub(running.address))
        options = [("grpc.ssl_target_name_override", "elsewhere.example")]
        assert scene(certificates.stub(running.address, options=options)).embeddings.rows == 1


def offer(address: str, version: ssl.TLSVersion) -> str:
    """The version that the server takes from a client that speaks no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        with context.wrap_socket(plain) as taken:
            return taken.version()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_speaks_tls_1_2_at_least(secure):
    assert offer(secure.address, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert offer(secure.address, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match="EOF|(?i:protocol.version)"):
        offer(secure.address, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize(
    "certificate, key, words",
    [
        ("expired", "expired", "expired at 2021-01-01"),
        ("future", "future", "not valid before 2099-01-01"),
        ("server", "renewed", "the key is not that of the certificate"),
        ("server", "altered", "the key is damaged"),
        ("server", "encrypted", "the key is encrypted"),
        ("server", "missing", "cannot be read: No such file"),
    ],
)
def test_does_not_start_with_a_pair_that_will_not_do(certificates, certificate, key, words):
    flags = f"--tls-cert={certificates.path(certificate + '.pem')}", f"--tls-key={certificates.path(key + '.key')}"
    assert words in start_fails(*flags)


def test_says_which_flag_is_missing(certificates):
    assert "--tls-cert is given without --tls-key" in start_fails(certificates.server_flags()[0])
    assert "--tls-client-ca is given without" in start_fails(f"--tls-client-ca={certificates.path('ca.pem')}")


def test_only_clients_with_a_certificate_of_the_authority_get_in(mutual, certificates):
    assert scene(certificates.stub(mutual.address, client="client")).embeddings.rows == 1
    refusal(certificates.stub(mutual.address))
    refusal(certificates.stub(mutual.address, client="stranger"))
    for over in "expired", "future":
        refusal(certificates.stub(mutual.address, client=over))
    # The server goes on.
    assert scene(certificates.stub(mutual.address, client="client")).embeddings.rows == 1


@pytest.fixture
def renewable(certificates, tmp_path):
    """A server whose files may change, and their names."""
    certificate, key, clients = tmp_path / "cert.pem", tmp_path / "cert.key", tmp_path / "clients.pem"
    certificates.put("server.pem", certificate)
    certificates.put("server.key", key)
    certificates.put("ca.pem", clients)
    return certificate, key, clients


def test_takes_a_renewed_pair_for_new_connections_and_keeps_the_old_ones(certificates, renewable):
    certificate, key, _ = renewable
    with Server(f"--tls-cert={certificate}", f"--tls-key={key}") as running:
        before = certificates.stub(running.address)
        scene(before)
        assert shown_certificate(running.address, certificates.read("ca.pem")) == der(certificates.read("server.pem"))
        # Half of it: nobody is turned away, and the log says what is wrong.
        certificates.put("renewed.pem", certificate)
        wait_until(lambda: "new certificate refused, the old one stays in use" in running.log(), what="the refusal")
        assert "is not that of the certificate" in running.log()
        for _ in range(3):
            assert shown_certificate(running.address, certificates.read("ca.pem")) == der(
                certificates.read("server.pem")
            )
        certificates.put("renewed.key", key)
        wait_until(lambda: "new certificate in use" in running.log(), what="the new certificate")
        assert shown_certificate(running.address, certificates.read("ca.pem")) == der(certificates.read("renewed.pem"))
        scene(certificates.stub(running.address))
        scene(before)
        # Bad ones of every kind are refused, and named once.
        for name, words in ("expired", "expired at"), ("future", "not valid before"):
            certificates.put(f"{name}.key", key)
            certificates.put(f"{name}.pem", certificate)
            wait_until(lambda: words in running.log(), what=words)
            scene(certificates.stub(running.address))
        key.unlink()
        wait_until(lambda: "No such file" in running.log(), what="that it is gone")
        scene(certificates.stub(running.address))
        assert running.log().count("No such file") == 1


def test_takes_other_authorities_of_clients(certificates, renewable):
    certificate, key, clients = renewable
    with Server(f"--tls-cert={certificate}", f"--tls-key={key}", f"--tls-client-ca={clients}") as running:
        scene(certificates.stub(running.address, client="client"))
        certificates.put("other_ca.pem", clients)
        wait_until(lambda: "new certificate in use" in running.log(), what="the new authority")
        scene(certificates.stub(running.address, client="stranger"))
        refusal(certificates.stub(running.address, client="client"))


def test_listens_on_a_socket_with_its_permissions(tmp_path, certificates):
    path = tmp_path / "hearwire.sock"
    with Server(f"--unix-socket={path}", "--unix-socket-mode=0620", *certificates.server_flags()) as running:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o620
        assert scene(pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(f"unix:{path}"))).embeddings.rows == 1
        assert scene(certificates.stub(running.address)).embeddings.rows == 1
        assert "another program listens there" in start_fails(f"--unix-socket={path}")
    # One that was left behind is taken over; a file is not.
    left = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    left.bind(str(path))
    left.close()
    with Server(f"--unix-socket={path}"):
        assert scene(pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(f"unix:{path}"))).embeddings.rows == 1
    path.unlink(missing_ok=True)
    path.write_text("precious")
    assert f"cannot listen on --unix-socket {path}" in start_fails(f"--unix-socket={path}")
    assert path.read_text() == "precious"


def test_warns_once_where_anybody_may_call(certificates):
    words = "whoever reaches this address may call"
    with Server("--host=0.0.0.0") as running:
        assert running.log().count(words) == 1
    with Server("--host=0.0.0.0", *certificates.server_flags()) as running:
        assert running.log().count(words) == 1
    with Server() as running:
        assert words not in running.log()
