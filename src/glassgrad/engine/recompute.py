"""Values computed again where they are used, rather than written and read: that saves memory, and time where memory is
what a kernel waits for. The backward pass of an activation then needs what that was computed from, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from .access import in_order
from .dims import refine
from .groups import (
    FULL,
    MOST,
    ROW,
    Group,
    accesses,
    columns_together,
    is_cheap,
    is_elementwise,
    is_product,
    is_reduction,
    outside,
)
from .program import CONST, INPUT, Val

DEAR = 2
"""Functions that may be computed a second time for a value."""
SMALL = 16
"""A value is small beside another one if it is so many times smaller: whether it is stored does not matter."""


def recompute(groups: list[Group], outputs: Sequence[Val]) -> bool:
    """Have values computed again where they are used, if that takes no more loads and saves a store. Returns whether
    anything was changed; what is stored must be found anew then."""
    stored = {val: group.number for group in groups for val in group.stored}
    fixed = set(outputs)
    readers: dict[Val, list[Group]] = {}
    for group in groups:
        for base in outside(group):
            readers.setdefault(base, []).append(group)
    home: dict[Val, Group] = {}
    for group in groups:
        for val in group.vals:
            home.setdefault(val, group)

    def steps_of(val: Val, group: Group, kept: dict[Val, int]) -> list[Val] | None:
        """How `val` can be had again by all that read it; None where it had better be stored."""
        if val in fixed or not is_elementwise(val) or group.level[val] != FULL or not val.shape:
            return None
        steps = _steps(val, kept, home)
        return steps if steps and all(_takes(user, val, steps) for user in readers.get(val, [])) else None

    changed = False
    for group in reversed(groups):
        root = group.vals[0]
        if is_product(group.kind) and root not in stored:  # one product in place of several values made from it
            instead = stored | {root: group.number}
            if sum(steps_of(val, group, instead) is not None for val in group.stored) > 1:
                stored[root] = group.number
        for val in reversed(group.stored):
            steps = steps_of(val, group, stored)
            if steps is not None:
                for user in readers.get(val, []):
                    _take(user, steps)
                stored.pop(val)
                changed = True
    return changed


def _steps(val: Val, stored: dict[Val, int], home: dict[Val, Group]) -> list[Val] | None:
    """What must be computed to have a value from others that are in memory anyway, in order; None where that is more
    than it is worth."""
    found: list[Val] = []
    seen: set[Val] = set()
    stack = [(val, False)]
    while stack:
        each, ready = stack.pop()
        if ready:
            found.append(each)
            continue
        if each in seen:
            continue
        seen.add(each)
        stack.append((each, True))
        for found_at in accesses(each):
            base = found_at.base
            group = home[val]
            before = base.op in (INPUT, CONST) or stored.get(base, group.number + 1) <= group.number
            of_rows = group.level.get(base) == ROW and base.size * SMALL <= val.size
            if (before and base is not val) or of_rows or base in seen:
                continue
            if not is_elementwise(base) or group.level.get(base) != FULL:
                return None
            stack.append((base, False))
    return found if sum(not is_cheap(each) for each in found) <= DEAR else None


def _takes(group: Group, val: Val, steps: list[Val]) -> bool:
    """Whether a group can do these steps by itself for a value of another group: it uses it entry for entry, and needs
    no more from memory than without."""
    if not (group.kind == "loop" or is_product(group.kind)):
        return False
    if val.size != group.size or refine([group.shape, val.shape]) is None:
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
    new = [step for step in steps if step not in group.level]
    read = set(outside(group))
    loads = {a.base for s in new for a in accesses(s) if a.base not in steps and a.base.size * SMALL > val.size}
    if len(group.vals) + len(new) > MOST + 12 or len(loads - read - set(group.level)) > 1:
        return False
    return all(_fits(group, step, steps) for step in new)


def _fits(group: Group, step: Val, steps: list[Val]) -> bool:
    if step.size != group.size or refine([group.shape, step.shape]) is None:
        return False
    if is_product(group.kind) and not columns_together(group, step):
        return False
    inside = [a for a in accesses(step) if a.base in group.level or a.base in steps]
    return all(
        (a.base in steps or group.level[a.base] == FULL) and in_order(a, step.shape) for a in inside
    )  # fmt: skip


def _take(group: Group, steps: list[Val]) -> None:
    """Add the steps, in the order in which values were made; a product stays the first."""
    for step in steps:
        if step not in group.level:
            group.vals.append(step)
            group.level[step] = FULL
    group.vals.sort(key=lambda val: (not is_product(val.op), val.id))
