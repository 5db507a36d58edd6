"""Cheap values computed again where they are used, rather than written and read."""

from __future__ import annotations

from collections.abc import Sequence

from .access import in_order
from .dims import refine
from .groups import FULL, Group, accesses, is_cheap, is_elementwise, is_product, is_reduction, outside
from .program import CONST, INPUT, Val


def recompute(groups: list[Group], outputs: Sequence[Val]) -> bool:
    """Have a cheap value computed again where it is used, when that takes one load and saves a store. Returns whether
    anything was changed; what is stored must be found anew then."""
    stored = {val for group in groups for val in group.stored} - set(outputs)
    readers: dict[Val, list[Group]] = {}
    for group in groups:
        for base in outside(group):
            readers.setdefault(base, []).append(group)
    changed = False
    for group in groups:
        for val in reversed(group.stored):
            if val not in stored or not is_cheap(val) or group.level[val] != FULL or not val.shape:
                continue
            needs = [a for a in accesses(val) if a.base.op != CONST]
            loads = {a.base for a in needs if a.base.size > 1}
            if len(loads) > 1 or any(a.base.op != INPUT and a.base not in stored for a in needs):
                continue
            users = readers.get(val, [])
            if all(_takes(user, val) for user in users):
                for user in users:
                    _take(user, val)
                stored.discard(val)
                changed = True
    return changed


def _takes(group: Group, val: Val) -> bool:
    """Whether a group can compute a value of another group by itself: it uses it entry for entry."""
    if (
        not (group.kind == "loop" or is_product(group.kind))
        or val.size != group.size
        or refine([group.shape, val.shape]) is None
    ):
        return False
    for user in group.vals:
        for found in accesses(user):
            if found.base is val and (not is_elementwise(user) and not is_reduction(user)):
                return False
            if found.base is val:
                shape = user.ins[0].shape if is_reduction(user) else user.shape
                if group.level[user] != FULL and not is_reduction(user):
                    return False
                if not in_order(found, shape):
                    return False
    inside = [a for a in accesses(val) if a.base in group.level]
    return all(group.level[a.base] == FULL and in_order(a, val.shape) for a in inside)


def _take(group: Group, val: Val) -> None:
    """Put a copy of the computation in front of its first use."""
    place = next(i for i, user in enumerate(group.vals) if any(a.base is val for a in accesses(user)))
    after = [i + 1 for i, v in enumerate(group.vals) if any(a.base is v for a in accesses(val))]
    group.vals.insert(max(after, default=place), val)
    group.level[val] = FULL
