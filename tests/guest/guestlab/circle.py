# SPDX-License-Identifier: GPL-2.0-or-later
"""Is it a circle?  The path of a pointer, fitted and judged."""

import math
from dataclasses import dataclass
from itertools import accumulate

from guestlab.places import Failure

TOLERANCE = 2           # counts; a mouse reports whole counts


def path(reports):
    """The places that the pointer comes to, beginning at (0, 0)."""
    return list(accumulate(reports, lambda at, by: (at[0] + by[0],
                                                    at[1] + by[1]),
                           initial=(0, 0)))


@dataclass(frozen=True)
class Circle:
    """The circle nearest to a path, and how well the path keeps to it."""

    x: float
    y: float
    radius: float
    spread: float       # the farthest that a place is from the circle
    gap: float          # from the last place to the first
    turned: float       # how often the path goes round, without its sign

    def __str__(self):
        return (f"radius {self.radius:.2f}, places within {self.spread:.2f}, "
                f"gap {self.gap:.2f}, {self.turned:.2f} turns")


def fit(places):
    """Least squares on x^2 + y^2 = 2ax + 2by + c, seen from the centroid."""
    count = len(places)
    mean_x = sum(x for x, _ in places) / count
    mean_y = sum(y for _, y in places) / count
    near = [(x - mean_x, y - mean_y) for x, y in places]

    def mean(power_x, power_y):
        return sum(u ** power_x * v ** power_y for u, v in near) / count

    det = mean(2, 0) * mean(0, 2) - mean(1, 1) ** 2
    if not det:
        raise Failure("the pointer's path is no circle: it is one line")
    right_u = (mean(3, 0) + mean(1, 2)) / 2
    right_v = (mean(0, 3) + mean(2, 1)) / 2
    a = (right_u * mean(0, 2) - right_v * mean(1, 1)) / det
    b = (right_v * mean(2, 0) - right_u * mean(1, 1)) / det
    radius = math.sqrt(a * a + b * b + mean(2, 0) + mean(0, 2))
    return _judged(places, a + mean_x, b + mean_y, radius)


def _judged(places, x, y, radius):
    distances = [math.dist(place, (x, y)) for place in places]
    return Circle(x, y, radius,
                  spread=max(abs(one - radius) for one in distances),
                  gap=math.dist(places[0], places[-1]),
                  turned=_turned(places, x, y))


def _turned(places, x, y):
    angles = [math.atan2(one[1] - y, one[0] - x) for one in places]
    steps = (math.remainder(b - a, math.tau)
             for a, b in zip(angles, angles[1:]))
    return abs(sum(steps)) / math.tau


def check(circle, radius):
    """Complain unless it is one closed circle of the radius asked for."""
    if abs(circle.radius - radius) > TOLERANCE:
        raise Failure(f"the circle's radius is {circle.radius:.2f}, "
                      f"not {radius} within {TOLERANCE} counts")
    if circle.spread > TOLERANCE:
        raise Failure("the pointer's path is no circle: it is up to "
                      f"{circle.spread:.2f} counts away from one")
    if circle.gap > TOLERANCE or abs(circle.turned - 1) > 0.02:
        raise Failure(f"the circle is not closed: {circle}")
