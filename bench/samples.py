# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples, and pairs of samples of two devices that took turns."""

import statistics

SLIGHT = 0.97       # a median above this is not slower
WIDEST = 0.10       # interquartile range of the ratios of cells that are level


def percentile(samples, percent):
    """The smallest sample that so many percent are not above."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def quartiles(samples):
    """The first quartile, the median and the third; of one sample, itself."""
    if len(samples) < 2:
        return tuple(samples) * 3
    return tuple(statistics.quantiles(samples, method='inclusive'))


def ratios(ours, theirs, more_is_better):
    """Pair by pair, how often as good as theirs ours is: above 1 is better."""
    return [a / b if more_is_better else b / a for a, b in zip(ours, theirs)]


def is_level(pairs):
    """Are these ratios those of a device that is at least as good?

    The median is 1 or more; or 1 is within the interquartile range, and that
    is narrow enough to say so."""
    low, median, high = quartiles(pairs)
    return median >= 1 or (low <= 1 <= high and high - low <= WIDEST)


def is_not_slower(pairs):
    """As is_level(), but a median slightly below 1 will do."""
    return statistics.median(pairs) >= SLIGHT or is_level(pairs)
