"""Whether a process's resident memory grows: a slope that a few large calls do not move, and a bound on it that is made
from the scatter of what was measured."""

from __future__ import annotations

import dataclasses
import math
import statistics

Sample = tuple[float, float]  # Seconds, MB.

SHARE = 0.01  # How often a slope of zero would be taken for one above it, in each of three looks.
LITTLE_MB = 0.5  # Growth over the second half that is no more than pages and counters of first times.


@dataclasses.dataclass(frozen=True)
class Slope:
    """MB a minute: the median of the slopes between all pairs of points (Theil and Sen), and the bounds within which
    it lies but for one time in a hundred on either side, from Kendall's statistic."""

    middle: float
    low: float
    high: float


def points(samples: list[Sample], count: int) -> list[Sample]:
    """`count` spans of equal length, each the lowest tenth of its samples: what calls hold for a while does not count."""
    begin, end = samples[0][0], samples[-1][0]
    spans: list[list[Sample]] = [[] for _ in range(count)]
    for at, value in samples:
        spans[min(int((at - begin) / (end - begin) * count), count - 1)].append((at, value))
    return [(statistics.fmean(at for at, _ in span), sorted(mb for _, mb in span)[len(span) // 10]) for span in spans if span]


def slope(of: list[Sample]) -> Slope:
    """At least five points."""
    n = len(of)
    slopes = sorted(60 * (v - u) / (t - s) for i, (s, u) in enumerate(of) for t, v in of[i + 1 :])
    z = statistics.NormalDist().inv_cdf(1 - SHARE)
    width = z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    below = max(int((len(slopes) - width) / 2), 0)
    return Slope(statistics.median(slopes), slopes[below], slopes[-1 - below])


@dataclasses.dataclass(frozen=True)
class Growth:
    """Of the second half of a run; the first one is for what is made once."""

    whole: Slope
    third: Slope
    fourth: Slope
    minutes: float

    @property
    def is_real(self) -> bool:
        """Every quarter grows, by more than its scatter: a single step, such as an allocator's next arena, is in one."""
        return self.whole.low * self.minutes > LITTLE_MB and self.third.low > 0 and self.fourth.low > 0


def growth(samples: list[Sample]) -> Growth:
    begin, end = samples[0][0], samples[-1][0]
    half, later = ([s for s in samples if s[0] >= begin + share * (end - begin)] for share in (0.5, 0.75))
    earlier = [s for s in half if s[0] < later[0][0]]
    return Growth(slope(points(half, 40)), slope(points(earlier, 20)), slope(points(later, 20)), (half[-1][0] - half[0][0]) / 60)
