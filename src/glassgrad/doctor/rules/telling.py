"""Inputs that hold the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...findings import Place
from ...tensor import Tensor
from ..mending import features
from ..patient import Ending, Patient, answers
from ..probe import Probe
from ..rule import Suspicion, rule
from .ahead import sees_ahead
from .data import WIDEST, which

LEAST = 16
"""With fewer rows a column may tell the label by chance."""
TOLD, OTHERS = 1e-3, 0.9
"""Which share of a column the label leaves open, at most, and which share it tells of most others, at most."""
NEARLY, LITTLE = 0.02, 0.5
"""The same of a single column that has some noise on it, where of every other one the label tells little."""
HEADS = 32
"""Of so many targets of a row each is looked at by itself."""
MANY = 8
"""So many labels that a column has a number for each of them by no chance."""
FIT, APART = 2e-3, 100.0
"""Which share of a number a column leaves open, at most; and how much more other columns leave open of it."""


@rule("leaking label", explains=("duplicate features",))
def leak(probe: Probe) -> Iterator[Suspicion]:
    """Columns that are the label in another form: a number that goes with it, an entry that is the same for a class;
    or a sequence whose next word is seen before it is told."""
    ahead = sees_ahead(probe.patient)
    if ahead is not None:
        yield Suspicion(
            "what is said of a word changes with the words after it, which are to be told",
            Place(module="the inputs"),
            {"places whose predictions change": float(ahead)},
            "each target is the next input, and the net can look at it: mask the places that come later, as "
            "scaled_dot_product_attention(..., is_causal=True) does",
        )
        return
    for place, x in features(probe.patient).items():
        for targets in _targets(probe.patient):
            width = x.shape[2] if x.ndim == 3 else 0
            found = list(_leaks(*_given(targets, x), place, width))
            if found:
                yield from found
                return


def _leaks(x: Any, t: Any, place: int, features: int) -> Iterator[Suspicion]:
    if x is None or not 2 <= x.shape[1] <= WIDEST:
        return
    if t.size != len(x) or np.ptp(t) == 0 or not np.all(np.isfinite(t)):
        return
    x, kept = np.unique(np.concatenate([x, t.reshape(-1, 1)], 1).astype(np.float64), axis=0, return_index=True)
    x, t = x[:, :-1], t.reshape(-1)[kept]
    if len(x) < LEAST:
        return
    kinds = np.unique(t)
    classes = 3 * len(kinds) <= len(t) and (t.dtype.kind in "iub" or len(kinds) == 2)
    told = (_by_class(x, t) if classes else _by_number(x, t.astype(np.float64))) or _one_for_one(x, t)
    if features and x.shape[1] > features:  # of a sequence what is told at every place; one may be to be recalled
        often = Counter(column % features for column, _ in told)
        told = [each for each in told if often[each[0] % features] * features == x.shape[1]]
    if not told:
        return
    column, share = told[0]
    yield Suspicion(
        f"column {column} of the inputs is the label in another form"
        if len(told) == 1
        else f"{len(told)} columns of the inputs are the label in another form",
        Place(module="the inputs", entry=(column,)),
        {"columns": float(len(told)), "first of them": float(column), "share that label and column tell": share}
        | which(place),
        "the net learns to read the answer off, and fails where it is not written there: leave these columns out",
        also=tuple(Place(module="the inputs", entry=(other,)) for other, _ in told[1:]),
    )


def _targets(patient: Patient) -> Iterator[list[Any]]:
    """The targets of all batches, and so for each further head that says classes."""
    first = [answers(batch[-1]) for batch in patient.batches]
    yield first
    if all(isinstance(t, Tensor) and t.ndim == 2 and 1 < t.shape[1] <= HEADS for t in first):
        widths = {t.shape[1] for t in first}
        alike = any(isinstance(x, Tensor) and x.shape == first[0].shape for x in patient.batches[0][:-1])
        if len(widths) == 1 and not alike:  # what is to be given back stands in the inputs
            yield from ([t[:, each] for t in first] for each in range(widths.pop()))
    ends = [batch[-1] for batch in patient.batches if isinstance(batch[-1], Ending)]
    if len(ends) == len(patient.batches) and len({len(each.classes) for each in ends}) == 1:
        yield from (list(each) for each in zip(*(each.classes for each in ends), strict=True))


def _given(targets: list[Any], x: Any) -> tuple[Any, Any]:
    """The columns of a table, the pixels of images, or what sequences have at all their places alike, beside what they
    have at the first; and the targets."""
    if not all(isinstance(t, Tensor) and t.ndim for t in targets):
        return None, None
    t = np.concatenate([t.detach().numpy().reshape(-1) for t in targets])
    if x.ndim == 4 and x.shape[1] > 1 and t.size == x.size // x.shape[1]:  # one for each pixel
        return np.moveaxis(x, 1, -1).reshape(t.size, -1), t
    count = len(targets)
    if x.ndim == 3 and x.shape[1] * count == t.size != len(x) and len(x) % count == 0:  # time comes first
        x = x.reshape(count, -1, *x.shape[1:]).swapaxes(1, 2).reshape(t.size, -1, x.shape[2])
    if x.ndim != 3 or _is_classes(t, len(x)):
        return x.reshape(len(x), -1), t
    return (x[:, 0], t) if np.any(np.ptp(x, 1).max(0) == 0) else (None, None)


def _is_classes(t: Any, rows: int) -> bool:
    """Whether each row has a class: a number that goes with a place of a sequence may be what is to be recalled."""
    return t.size == rows and t.dtype.kind in "iub" and 3 * len(np.unique(t)) <= rows


def _by_class(x: Any, t: Any) -> list[tuple[int, float]]:
    """Columns that are the same number throughout a class, where most others are not; each with the share of it that
    the class tells (the correlation ratio of K. Pearson)."""
    whole = x.var(0)
    moving = np.flatnonzero(whole > 1e-12 * max(float(np.abs(x).max()), 1e-300) ** 2)
    within = sum((t == kind).mean() * x[t == kind].var(0) for kind in np.unique(t))
    left = within[moving] / whole[moving]
    some = left[left >= NEARLY]
    most = NEARLY if len(moving) > 2 and len(some) == len(left) - 1 and 1 - some.min() < LITTLE else TOLD
    if len(moving) < 2 or not np.any(left < most):
        return []
    others = 1 - left[left >= most]
    if not len(others) or np.median(others) > OTHERS:  # where all columns tell it, it is easy rather than leaked
        return []
    return [(int(column), float(1 - share)) for column, share in zip(moving, left, strict=True) if share < most]


def _by_number(x: Any, t: Any) -> list[tuple[int, float]]:
    """Columns that are a multiple of the label, or always grow where it grows, and are like no other column."""
    moving = np.flatnonzero(np.ptp(x, 0) > 0)
    if len(moving) < 2:
        return []
    open_by_label = 1 - _correlation(x[:, moving], t[:, None])[:, 0] ** 2
    among = 1 - _correlation(x[:, moving], x[:, moving]) ** 2
    told = open_by_label < FIT
    ordered = np.array([_ordered(x[:, column], t) for column in moving])
    found = []
    for n in np.flatnonzero(told | ordered):
        others = [among[n, m] for m in range(len(moving)) if m != n and not told[m] and not ordered[m]]
        if others and min(others) > APART * (open_by_label[n] if told[n] else 0.0):
            found.append((int(moving[n]), float(1 - open_by_label[n])))
    return found


def _one_for_one(x: Any, t: Any) -> list[tuple[int, float]]:
    """A column that has a number of its own for each of many labels, and in their order; no other has."""
    kinds, where = np.unique(t, return_inverse=True)
    if not MANY <= len(kinds) <= len(t) / 3:
        return []
    found = []
    for column in range(x.shape[1]):
        firsts = np.array([x[where == n, column][0] for n in range(len(kinds))])
        same = np.array_equal(firsts[where], x[:, column])
        if same and len(np.unique(firsts)) == len(kinds) and _ordered(firsts, kinds):
            found.append((column, 1.0))
    return found if len(found) == 1 and x.shape[1] > 1 else []


def _ordered(a: Any, b: Any) -> bool:
    """Whether two columns without ties have the same order, or the reverse."""
    if len(np.unique(a)) < len(a) or len(np.unique(b)) < len(b):
        return False
    order = np.argsort(b)
    steps = np.diff(a[order])
    return bool(np.all(steps > 0) or np.all(steps < 0))


def _correlation(a: Any, b: Any) -> Any:
    a, b = (a - a.mean(0)) / a.std(0), (b - b.mean(0)) / b.std(0)
    return np.clip(a.T @ b / len(a), -1, 1)
