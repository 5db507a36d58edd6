"""Groups -> places in memory: what lives at the same time lies apart, everything else shares one arena.

An update of a tensor is written over the old value where nobody reads that any more; elsewhere it has a place of its
own and is copied at the end. Offsets are found by size, the largest first, each as low as it goes: the greedy
strategy of Y. Pisarchyk, J. Lee, "Efficient memory management for deep neural net inference" (2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .access import in_order
from .groups import FULL, ROW, Group, accesses, is_elementwise, is_product, is_reduction, outside, stages
from .program import CONST, INPUT, Val

ALIGN = 64


@dataclass(frozen=True)
class Place:
    """Where a value lies: in the arena at an offset, or where entry `slot` of the table points."""

    offset: int = 0
    slot: int = 0
    """0 is the arena itself."""


@dataclass
class Plan:
    """Where everything lies."""

    places: dict[Val, Place]
    arena: int
    """Bytes of the arena."""
    table: list[Val]
    """What the slots of the table from 1 on point to: inputs, constants, results."""
    copies: list[tuple[Val, Val]]
    """Updates to be copied at the end: from, to."""
    owners: dict[Val, Val]
    """Whose memory a value is written over, entry for entry, as nobody needs what is there any more."""
    order: list[Group]


def plan(groups: list[Group], outputs: Sequence[Val], updates: Mapping[Val, Val]) -> Plan:
    """Where the values of these groups lie. `updates` says which output is the new value of which input."""
    readers: dict[Val, list[int]] = {}
    for group in groups:
        for base in outside(group):
            readers.setdefault(base, []).append(group.number)
    home = {val: group for group in groups for val in group.stored}
    table: list[Val] = []
    places: dict[Val, Place] = {}
    copies: list[tuple[Val, Val]] = []

    def slot(val: Val) -> Place:
        if val not in places:
            table.append(val)
            places[val] = Place(0, len(table))
        return places[val]

    for base in readers:
        if base.op in (INPUT, CONST):
            slot(base)
    for output in outputs:
        target = updates.get(output)
        if target is None:
            slot(output)
        elif _over(home[output], output, target, readers.get(target, [])):
            places[output] = slot(target)
        else:
            slot(target)
            copies.append((output, target))
    sources = {source for source, _ in copies}
    ends = {
        val: len(groups) if val in sources else max(readers.get(val, [group.number]))
        for val, group in home.items() if val not in places
    }  # fmt: skip
    owners = _owners(groups, ends)
    spans: dict[Val, tuple[int, int]] = {}
    for val, end in ends.items():
        owner = owners.get(val, val)
        start, until = spans.get(owner, (home[owner].number, end))
        spans[owner] = start, max(until, end)
    arena = _pack([(val, start, end) for val, (start, end) in spans.items()], places)
    places |= {val: places[owner] for val, owner in owners.items()}
    return Plan(places, arena, table, copies, owners, groups)


def _owners(groups: list[Group], ends: Mapping[Val, int]) -> dict[Val, Val]:
    """Which values take over the memory of others, that are read for the last time where these are written."""
    owners: dict[Val, Val] = {}
    gone: set[Val] = set()
    for group in groups:
        for new in group.stored:
            if new not in ends or group.level[new] != FULL:
                continue
            for old in outside(group):
                fits = old in ends and old not in gone and (old.size, old.dtype) == (new.size, new.dtype)
                if fits and ends[old] == group.number and _last_read(group, new, old):
                    owners[new] = owners.get(old, old)
                    gone.add(old)
                    break
    return owners


def _last_read(group: Group, new: Val, old: Val) -> bool:
    """Whether each entry of `old` has been read for the last time when that of `new` is written in its place."""
    if not (group.kind == "loop" or is_product(group.kind)):
        return False
    if group.kind == "loop" and _needed_after(group, new, old):
        return False
    for val in group.vals:
        for source, found in zip(val.ins, accesses(val), strict=True):
            if found.base is old:
                entry_for_entry = is_reduction(val) or (is_elementwise(val) and group.level[val] == FULL)
                if not entry_for_entry or not in_order(found, source.shape):
                    return False
    return True


def _over(group: Group, new: Val, old: Val, readers: list[int]) -> bool:
    """Whether `new` may be written over `old`: whoever reads it has done so, entry for entry, by then."""
    if any(number > group.number for number in readers):
        return False
    if not (group.kind == "loop" or is_product(group.kind)) or new.dtype != old.dtype:
        return not readers or max(readers) < group.number
    for val in group.vals:
        for found in accesses(val):
            if found.base is not old:
                continue
            if not is_elementwise(val) or not in_order(found, val.shape):
                return False
            if group.level[val] != group.level[new] or (group.level[new] == FULL and group.reduced is not None):
                return False
    return group.level[new] in (FULL, ROW)


def _needed_after(group: Group, new: Val, old: Val) -> bool:
    """Whether a stage of a loop group after the one that writes `new` may read `old`: what a later stage needs of the
    values before it may be computed again there."""
    stage, avail = stages(group)
    made_of: set[Val] = {old}
    for val in group.vals:
        if any(found.base in made_of for found in accesses(val)):
            read_in = avail[val] - 1 if is_reduction(val) else stage.get(val, 0)
            if read_in > stage[new]:
                return True
            if group.level[val] == FULL:
                made_of.add(val)
    return False


def _pack(spans: list[tuple[Val, int, int]], places: dict[Val, Place]) -> int:
    """Offsets for values with a first and a last moment; returns how many bytes are needed."""
    taken: list[tuple[int, int, int, int]] = []
    top = 0
    for val, start, end in sorted(spans, key=lambda s: (-s[0].bytes, s[1])):
        size = -(-max(val.bytes, 1) // ALIGN) * ALIGN
        offset = 0
        for low, high, since, until in taken:
            if until < start or since > end:
                continue
            if low < offset + size and high > offset:
                offset = high
        places[val] = Place(offset, 0)
        taken.append((offset, offset + size, start, end))
        taken.sort()
        top = max(top, offset + size)
    return top
