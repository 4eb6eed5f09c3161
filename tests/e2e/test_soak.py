"""scripts/soak in small, and that it finds what it looks for."""

import os
import random
import sys

import pytest
import soak
from resident_slope import growth

SANITIZED = bool(os.environ.get("HEARWIRE_SANITIZE"))


def samples(*parts, seconds: float = 120, seed: int = 1):
    """Ten a second: 30 MB, what calls hold for a while, and `parts` by the time from 0 to 1."""
    chance = random.Random(seed)
    for i in range(int(10 * seconds)):
        at = i / (10 * seconds)
        yield 0.1 * i, 30 + chance.expovariate(1 / 6) + sum(part(at) for part in parts)


@pytest.mark.parametrize("seed", range(10))
def test_what_calls_hold_for_a_while_is_no_growth(seed):
    assert not growth(list(samples(seed=seed))).is_real


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("mb", [12, 60])
def test_a_leak_is_growth(seed, mb):
    """So many MB over the whole run, a quarter of them in each quarter."""
    assert growth(list(samples(lambda at: mb * at, seed=seed))).is_real


@pytest.mark.parametrize("seed", range(10))
def test_what_is_made_once_is_no_growth(seed):
    """What the first half makes, and one step in the second: an allocator's next arena."""
    found = growth(list(samples(lambda at: 40 * min(at, 0.45), lambda at: 4 * (at > 0.8), seed=seed)))
    assert not found.is_real, found


def test_two_minutes_of_all_calls_lose_nothing(capsys):
    outcome = soak.run(2)
    with capsys.disabled():
        print("\n" + soak.describe(outcome), file=sys.stderr)
    assert not outcome.faults
    assert outcome.calls > 200 and outcome.codes["OK"] > 100 and outcome.given_up > 20
    assert {"CANCELLED", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT"} <= outcome.codes.keys()
    if not SANITIZED:
        assert not outcome.growth.is_real, outcome.growth


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory is larger than what is measured")
def test_a_server_that_leaks_is_found_and_nothing_else_is_wrong_with_it():
    outcome = soak.run(0.7, leak_kib=64)
    assert not outcome.faults
    assert outcome.growth.is_real, outcome.growth
