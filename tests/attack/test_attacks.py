"""Every attack on a server behind the front: its callers are unharmed, its memory stays flat. Those that a server stands
without it are tried on it alone too. tests/attack/run.py tries all on all, longer."""

import dataclasses
import os

import pytest
import trial
from hearwire_server import Server
from measured import percentile
from slow_readers import can_lie_about_memory, machine_of

# What an attack may add to the server's resident memory: calls that are being answered.
FLAT_MB = 64
# Of the attacks on a bare server: these it bears (docs/operations.md names the others).
BORNE = ["slow_headers", "slow_bodies", "half_open", "comes_and_goes", "gzip_bomb", "token_guesses"]


def shorter(attack: trial.Attack) -> trial.Attack:
    return dataclasses.replace(attack, seconds=min(attack.seconds, 4), mbytes=min(attack.mbytes, 64))


def check(found: trial.Outcome, capsys) -> None:
    calm, during = percentile(found.calm, 0.99), percentile(found.during, 0.99)
    with capsys.disabled():
        print(f"\n  p99 {calm * 1e3:.1f} ms calm, {during * 1e3:.1f} during ({during / calm:.1f} times); "
              f"resident {found.before_mb:.0f}, {found.peak_mb:.0f}, {found.after_mb:.0f} MB; {found.counts}")
    assert found.alive and found.after == "OK"
    assert not found.failures
    # A machine that is busy with other things must not fail this: only callers that are starved do.
    assert percentile(found.during, 0.5) < 50 * max(found.calm)
    if not os.environ.get("HEARWIRE_SANITIZE"):
        assert found.peak_mb < found.before_mb + FLAT_MB


@pytest.fixture(scope="module")
def front(certificates):
    with trial.target("front", certificates) as aim:
        yield aim


@pytest.fixture(scope="module")
def bare(certificates):
    with trial.target("bare", certificates) as aim:
        yield aim


@pytest.mark.parametrize("attack", trial.ATTACKS, ids=lambda attack: attack.name)
def test_behind_the_front_nobody_is_harmed(front, attack, capsys):
    found = trial.run(front, shorter(attack), f"127.2.{trial.ATTACKS.index(attack)}", calm_seconds=1, after_seconds=0.5)
    check(found, capsys)
    # Something was done: bytes or connections.
    assert found.counts["connections"] >= trial.ATTACKERS
    assert front.front.resident_mb() < 400


@pytest.mark.parametrize("name", BORNE)
def test_a_bare_server_bears(bare, name, capsys):
    [attack] = [attack for attack in trial.ATTACKS if attack.name == name]
    found = trial.run(bare, shorter(attack), "127.3.1", calm_seconds=1, after_seconds=0.5)
    check(found, capsys)
    if name == "token_guesses":
        assert bare.server.metric("hearwire_rejected_total", reason="TOKEN_UNKNOWN") >= 100


def test_headers_without_a_message_end_at_the_front(front):
    """After 10 s, before the server has heard of them."""
    [attack] = [attack for attack in trial.ATTACKS if attack.name == "headers_without_data"]
    calls = front.server.metric("hearwire_requests_total")
    found = trial.run(front, dataclasses.replace(attack, connections=2), "127.2.100", calm_seconds=0.5, after_seconds=0)
    assert found.counts["streams_ended"] == 100 * 2 * trial.ATTACKERS
    victims = len(found.calm) + len(found.during)
    assert front.server.metric("hearwire_requests_total") - calls <= victims + 1


# Each kills a server that closes nobody, or takes more than there is.
@pytest.mark.skipif(not can_lie_about_memory(), reason="mounting over /proc/meminfo takes root")
@pytest.mark.skipif(bool(os.environ.get("HEARWIRE_SANITIZE")), reason="a sanitizer's own memory is larger than what is measured")
@pytest.mark.parametrize("attack", [
    trial.Attack("rapid_reset", 6, mbytes=64, nice=0),
    trial.Attack("continuation", 5, mbytes=300, nice=0),
    trial.Attack("headers_without_data", 5, connections=250, nice=0),
], ids=lambda attack: attack.name)
def test_a_bare_server_closes_who_takes_its_memory(attack, capsys):
    with machine_of(768) as prefix, Server("--log-level=warning", prefix=prefix) as server:
        aim = trial.Target("small", server, server.address)
        found = trial.run(aim, attack, "127.3.2", calm_seconds=1, after_seconds=0.5)
        with capsys.disabled():
            print(f"\n  resident {found.before_mb:.0f}, {found.peak_mb:.0f}, {found.after_mb:.0f} MB; {found.counts}")
        assert found.peak_mb < 768
        assert server.metric("hearwire_closed_connections_total", reason="memory") >= 1
        assert not found.failures and found.after == "OK"
        assert "memory is short" in server.log()


@pytest.mark.skipif(not can_lie_about_memory(), reason="mounting over /proc/meminfo takes root")
@pytest.mark.skipif(bool(os.environ.get("HEARWIRE_SANITIZE")), reason="a sanitizer's own memory is larger than what is measured")
def test_a_bare_server_makes_nothing_of_unknown_fields(capsys):
    """Of one such request protobuf made 2 GB; whether its connection is closed before it is whole is the guard's to say."""
    attack = trial.Attack("unknown_fields", 30, mbytes=70, nice=0)
    with machine_of(768) as prefix, Server("--log-level=warning", "--reflection=on", prefix=prefix) as server:
        found = trial.run(trial.Target("small", server, server.address), attack, "127.3.3", calm_seconds=1, after_seconds=0.5)
        with capsys.disabled():
            print(f"\n  resident {found.before_mb:.0f}, {found.peak_mb:.0f}, {found.after_mb:.0f} MB; {found.counts}")
        assert found.peak_mb < 768
        assert not found.failures and found.after == "OK"
