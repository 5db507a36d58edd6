"""Index spaces taken apart: the coarsest dimensions that several shapes of one size are made of."""

from __future__ import annotations

import itertools


def refine(shapes: list[tuple[int, ...]]) -> list[int] | None:
    """The coarsest dimensions that all these shapes (of one size) are made of; None if there are none."""
    ends: set[int] = {1}
    total = 1
    for shape in shapes:
        step = 1
        for n in reversed(shape):
            step *= n
            ends.add(step)
        total = step
    if total == 0:
        return list(shapes[0])
    order = sorted(ends)
    steps = list(itertools.pairwise(order))
    if any(big % small for small, big in steps):
        return None
    return [big // small for small, big in reversed(steps)]


def split_strides(shape: tuple[int, ...], strides: tuple[int, ...], refined: list[int]) -> list[int] | None:
    """Strides over finer dimensions."""
    if tuple(refined) == shape:
        return list(strides)
    if 0 in shape:
        return [0] * len(refined)  # nothing is ever read
    result: list[int] = []
    rest = list(refined)
    for n, s in reversed(list(zip(shape, strides, strict=True))):
        step, have = s, 1
        while have < n:
            if not rest:
                return None
            size = rest.pop()
            result.append(step)
            step *= size
            have *= size
        if n not in (have, 0):
            return None
    result += [0] * len(rest)
    return result[::-1]


def spread_flags(shape: tuple[int, ...], flags: tuple[bool, ...], refined: list[int]) -> tuple[bool, ...] | None:
    """Flags of dimensions over finer dimensions."""
    marks = split_strides(shape, tuple(1 if f else 0 for f in flags), refined)
    return None if marks is None else tuple(bool(m) for m in marks)
