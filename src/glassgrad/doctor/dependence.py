"""Whether targets have anything to do with inputs: tests by permutation, each with a nose for something else.

The p of a test is the share of permuted targets that fit the inputs as well as the given ones: E. Pitman (1937). Where
there is nothing to find it is uniform in 0 to 1, whatever the data are like.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

TIMES = 199
"""How many permutations; the least p is 1 / 200."""
MOST, WIDE = 512, 256
"""So many rows, and columns, are looked at."""
NEIGHBOURS = 5


def chances(inputs: Any, targets: Any, seed: int = 0) -> Iterator[tuple[str, float]]:
    """The p of each test, one after another, the cheapest first.

    Args:
        inputs: a row for each example: floats of any shape, or whole numbers that name things.
        targets: whole numbers that name classes, or floats.
    """
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(inputs))[:MOST]
    x, y = features(inputs[chosen], random), answers(targets[chosen])
    yield "linear", permuted(_linear(x), y, random)
    yield "nearest neighbours", permuted(_neighbours(x), y, random)
    yield "pairs", permuted(_linear(_with_pairs(x, inputs[chosen])), y, random)
    yield "distances", permuted(_distances(x, y), np.arange(len(y)), random)


def permuted(statistic: Callable[[Any], float], y: Any, random: Any) -> float:
    """The share of permutations, the one that is given among them, that are at least as good."""
    given = statistic(y)
    others = sum(statistic(y[random.permutation(len(y))]) >= given for _ in range(TIMES))
    return (1 + others) / (1 + TIMES)


def features(inputs: Any, random: Any) -> Any:
    """Columns of mean 0 and deviation 1: of tokens which stands where, and how often each occurs; of many columns some
    random mixtures, which keep distances (Johnson and Lindenstrauss, 1984)."""
    rows = inputs.reshape(len(inputs), -1)
    if rows.dtype.kind in "iub":
        kinds = np.unique(rows)[:WIDE]
        named = (rows[:, :, None] == kinds).astype(np.float64)
        rows = np.concatenate([named.reshape(len(rows), -1), named.sum(1)], 1)
    columns = scaled(rows.astype(np.float64))
    if columns.shape[1] > WIDE:
        columns = scaled(columns @ random.standard_normal((columns.shape[1], WIDE)))
    return columns


def answers(targets: Any) -> Any:
    """Targets as columns: an indicator for each class, or numbers of mean 0 and deviation 1."""
    rows = targets.reshape(len(targets), -1)
    if rows.dtype.kind in "iub":
        rows = (rows[:, :1] == np.unique(rows)).astype(np.float64)
        return rows - rows.mean(0)
    return scaled(rows.astype(np.float64))


def scaled(columns: Any) -> Any:
    """Columns of mean 0 and deviation 1, without those that never change."""
    deviation = columns.std(0)
    moving = deviation > 1e-12 * max(float(np.abs(columns).max(initial=0)), 1e-300)
    return (columns[:, moving] - columns[:, moving].mean(0)) / deviation[moving]


def _linear(x: Any) -> Callable[[Any], float]:
    """How much of the targets a ridge regression explains."""
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    weight = s**2 / (s**2 + float((s**2).mean()))
    return lambda y: float((weight[:, None] * (u.T @ y) ** 2).sum())


def _neighbours(x: Any) -> Callable[[Any], float]:
    """How much alike the targets of near rows are."""
    apart = _apart(x)
    np.fill_diagonal(apart, np.inf)
    near = np.argpartition(apart, min(NEIGHBOURS, len(x) - 2), axis=1)[:, :NEIGHBOURS]
    return lambda y: float((y[:, None] * y[near]).sum())


def _distances(x: Any, y: Any) -> Callable[[Any], float]:
    """The distance covariance, which is 0 only where nothing depends on anything: Székely, Rizzo and Bakirov (2007)."""
    a, b = _centred(np.sqrt(_apart(x))), _centred(np.sqrt(_apart(y)))
    return lambda order: float((a * b[np.ix_(order, order)]).sum())


def _centred(m: Any) -> Any:
    return m - m.mean(0) - m.mean(1, keepdims=True) + m.mean()


def _apart(x: Any) -> Any:
    """Squared distances of all rows."""
    size = (x * x).sum(1)
    return np.maximum(size[:, None] + size - 2 * x @ x.T, 0)


def _with_pairs(x: Any, inputs: Any) -> Any:
    """Products of columns; of tokens whether two places hold the same; of many columns their squares."""
    rows = inputs.reshape(len(inputs), -1)
    if rows.dtype.kind in "iub":
        pairs = itertools.islice(itertools.combinations(range(rows.shape[1]), 2), WIDE)
        made = [rows[:, a] == rows[:, b] for a, b in pairs]
    elif x.shape[1] <= 20:
        made = [x[:, a] * x[:, b] for a, b in itertools.combinations_with_replacement(range(x.shape[1]), 2)]
    else:
        made = [*(x * x).T]
    return scaled(np.stack(made, 1).astype(np.float64)) if made else x
