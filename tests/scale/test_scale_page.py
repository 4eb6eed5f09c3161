"""docs/scale.md tells what tests/scale/plan.py calculates; and what the autoscaler's simulation must show whatever its numbers."""

import autoscaler
import plan
import pytest

PAGE = (plan.REPOSITORY / "docs/scale.md").read_text()


@pytest.mark.parametrize("name", plan.page_tables())
def test_the_page_has_the_table(name):
    _, _, below = PAGE.partition(f"<!-- {name} -->")
    assert below.split("<!-- end of")[0].strip() == plan.page_tables()[name], "tests/scale/plan.py prints what it should be"


def test_times_are_those_of_the_measured_tables():
    times = plan.width_ms()
    assert list(times) == list(plan.DIMENSIONS)
    assert all(scene < timestamps for scene, timestamps in times.values())
    assert 0 < plan.served_more_ms() < 2 and 0 < plan.front_end_ms() < 2


def day(rate, capacity=100.0, use=frozenset(autoscaler.targets()), start=2):
    return autoscaler.simulate(rate, capacity, set(use), start)


def test_a_constant_rate_has_the_servers_that_it_needs_and_keeps_them():
    quiet = day(lambda _: 1.0)
    assert (quiet.least, quiet.most) == (autoscaler.SPEC["minReplicas"],) * 2 and quiet.refused == 0
    steady = day(lambda _: 600.0)  # At 60 % of 100 a server: ten.
    assert steady.least == steady.most and 9 <= steady.least <= 11
    assert steady.refused == 0 and steady.waiting_s == 0


def test_what_nobody_can_bear_is_refused_and_takes_all_servers():
    found = day(lambda _: 10_000.0)
    assert found.most == autoscaler.SPEC["maxReplicas"]
    assert found.refused / found.calls == pytest.approx(0.8, abs=0.01)


def test_servers_go_when_load_does_but_not_at_once():
    found = day(lambda second: 600.0 if second % 7200 < 3600 else 60.0)
    assert found.least == 2 and found.most >= 10
    assert 24 * 6 < found.server_hours < 24 * 9, "each hour of load, and a few minutes after it"
