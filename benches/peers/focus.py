#!/usr/bin/env python3
"""Holds our Poisson-FOCuS against its authors' implementation, PyPI's changepoint-online (GPL-3), on random counts.

    pip install changepoint-online==1.2.1
    python3 benches/peers/focus.py

Theirs is two-sided in a known rate: of the pieces that it keeps, those whose rate is above the known one are the upward
test that ours is. Fails where a statistic differs by more than rounding.
"""

import math
import random
import subprocess
import sys

from changepoint_online import Focus, Poisson

BENCH = ["cargo", "bench", "--quiet", "--bench", "detection_table", "--", "focus"]
RATES = [0.02, 0.2, 2.0, 20.0]
COUNTS = 5_000


def poisson(dice, mean):
    """A Poisson variate (Knuth 1969), means above 30 in parts."""
    count = 0
    while mean > 0:
        part = min(mean, 30.0)
        mean -= part
        limit, product = math.exp(-part), dice.random()
        while product > limit:
            count += 1
            product *= dice.random()
    return count


def counts(dice, rate):
    """Everyday counts with a burst of some ratio and length now and then."""
    ratio, left = 1.0, 0
    for _ in range(COUNTS):
        if left == 0:
            ratio, left = dice.choice([(1.0, 200), (0.3, 50), (1.5, 60), (4.0, 15), (20.0, 3)])
        left -= 1
        yield poisson(dice, rate * ratio)


def theirs(rate, values):
    detector = Focus(Poisson(lam=rate), side="right")
    for value in values:
        before = list(detector.qr.ps)
        detector.update(value)
        kept = [piece for piece in detector.qr.ps[:-1] if piece in before]
        upward = [piece.get_max(detector.cs) for piece in kept if piece.argmax(detector.cs) > rate]
        yield max(upward, default=0.0)


def main():
    worst = 0.0
    for seed, rate in enumerate(RATES):
        values = list(counts(random.Random(seed), rate))
        lines = "".join(f"{value}\n" for value in values)
        said = subprocess.run(BENCH + [str(rate)], input=lines, capture_output=True, text=True, check=True).stdout
        ours = [float(line.split()[0]) for line in said.splitlines()]
        assert len(ours) == len(values), f"{len(ours)} statistics for {len(values)} counts"
        pairs = list(zip(ours, theirs(rate, values)))
        differ = max(abs(one - other) / max(1.0, other) for one, other in pairs)
        positive = sum(other > 0 for _, other in pairs)
        print(f"rate {rate}: {len(pairs)} counts, {positive} with a positive statistic, up to {max(other for _, other in pairs):.1f} nats; "
              f"largest relative difference {differ:.1e}")
        worst = max(worst, differ)
    return 0 if worst < 1e-8 else 1


if __name__ == "__main__":
    sys.exit(main())
