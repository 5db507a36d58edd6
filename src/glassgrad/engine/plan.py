"""Groups -> places in memory: what lives at the same time lies apart, everything else shares one arena.

An update of a tensor is written over the old value where nobody reads that any more; elsewhere it has a place of its
own and is copied at the end. Offsets are found by size, the largest first, each as low as it goes: the greedy
strategy of Y. Pisarchyk, J. Lee, "Efficient memory management for deep neural net inference" (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .access import in_order
from .groups import FULL, ROW, Group, accesses, is_elementwise, is_product, is_reduction, outside, stages
from .program import CONST, INPUT, Val
from .slices import Chain, readers_of

ALIGN = 64


@dataclass(frozen=True)
class Place:
    """Where a value lies: in the arena at an offset, or where entry `slot` of the table points."""

    offset: int = 0
    slot: int = 0
    """0 is the arena itself."""


@dataclass(eq=False)
class Room:
    """Where each thread keeps one slice of what lives inside a chain."""

    chain: Chain
    offset: int
    """Where the first thread's part begins in the arena."""
    size: int
    """Bytes of each thread's part."""
    places: dict[Val, int]
    """Where in it a value's slice lies."""


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
    rooms: list[Room]
    order: list[Group]


def plan(
    groups: list[Group], outputs: Sequence[Val], updates: Mapping[Val, Val], chains: Sequence[Chain] = (),
    threads: int = 1,
) -> Plan:  # fmt: skip
    """Where the values of these groups lie. `updates` says which output is the new value of which input.

    The groups of a chain run at one moment: while one is at a slice, any other may be at another one."""
    of_group = {number: chain for chain in chains for number in range(chain.first, chain.stop)}
    inside = {val for chain in chains for val in chain.inside}
    readers = readers_of(groups)
    home = {val: group for group in groups for val in group.stored if val not in inside}
    table: list[Val] = []
    places: dict[Val, Place] = {}
    copies: list[tuple[Val, Val]] = []

    def moment(number: int) -> int:
        return of_group[number].first if number in of_group else number

    def reads(val: Val, group: Group) -> list[int]:
        """Which groups read a value, as one of them sees it: those in the same chain come after it, too."""
        numbers = readers.get(val, [])
        own = of_group.get(group.number)
        return [len(groups) if own and n != group.number and of_group.get(n) is own else n for n in numbers]

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
        elif _over(home[output], output, target, reads(target, home[output])):
            places[output] = slot(target)
        else:
            slot(target)
            copies.append((output, target))
    sources = {source for source, _ in copies}
    ends = {
        val: len(groups) if val in sources else max(map(moment, readers.get(val, [group.number])))
        for val, group in home.items() if val not in places
    }  # fmt: skip
    owners = _owners(
        groups, ends, lambda val, group: val not in sources and max(reads(val, group)) == group.number
    )  # fmt: skip
    spans: dict[Any, tuple[int, int, int]] = {}
    for val, end in ends.items():
        owner = owners.get(val, val)
        _, start, until = spans.get(owner, (0, moment(home[owner].number), end))
        spans[owner] = val.bytes, start, max(until, end)
    rooms = [_room(chain, groups, readers, owners, chains) for chain in chains]
    for room in rooms:
        spans[room] = threads * room.size, room.chain.first, room.chain.first
    offsets, arena = _pack(spans)
    for room in rooms:
        room.offset = offsets.pop(room, 0)
    places |= {val: Place(offset, 0) for val, offset in offsets.items()}
    places |= {val: places[owner] for val, owner in owners.items() if val not in inside}
    return Plan(places, arena, table, copies, owners, rooms, groups)


def _room(
    chain: Chain, groups: list[Group], readers: Mapping[Val, list[int]], owners: dict[Val, Val], chains: Sequence[Chain]
) -> Room:
    """What a thread needs for a slice of what lives inside a chain; says whose place in it a value takes over."""
    members = groups[chain.first : chain.stop]
    starts = {val: group.number for group in members for val in group.stored if val in chain.inside}
    ends = {val: max(n for n in readers[val] if chain.first <= n < chain.stop) for val in starts}
    alone = {val for val in starts if sum(val in each.inside for each in chains) == 1}
    own = _owners(members, alone, lambda val, group: ends[val] == group.number)
    spans: dict[Any, tuple[int, int, int]] = {}
    for val in starts:
        owner = own.get(val, val)
        _, start, until = spans.get(owner, (0, starts[owner], ends[val]))
        spans[owner] = val.bytes // chain.slices, start, max(until, ends[val])
    offsets, size = _pack(spans)
    owners |= own
    return Room(chain, 0, size, offsets | {val: offsets[owner] for val, owner in own.items()})


def _owners(groups: Iterable[Group], vals: Container[Val], last: Callable[[Val, Group], bool]) -> dict[Val, Val]:
    """Which of these values take over the memory of others among them, where a group is the last to read those."""
    owners: dict[Val, Val] = {}
    gone: set[Val] = set()
    for group in groups:
        read = outside(group)
        for new in group.stored:
            if new not in vals or group.level[new] != FULL:
                continue
            for old in read:
                fits = old in vals and old not in gone and (old.size, old.dtype) == (new.size, new.dtype)
                if fits and last(old, group) and _last_read(group, new, old):
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


def _pack(spans: Mapping[Any, tuple[int, int, int]]) -> tuple[dict[Any, int], int]:
    """Offsets for things of so many bytes, with a first and a last moment; and how many bytes are needed."""
    offsets: dict[Any, int] = {}
    taken: list[tuple[int, int, int, int]] = []
    top = 0
    for each, (count, start, end) in sorted(spans.items(), key=lambda s: (-s[1][0], s[1][1])):
        size = -(-max(count, 1) // ALIGN) * ALIGN
        offset = 0
        for low, high, since, until in taken:
            if until < start or since > end:
                continue
            if low < offset + size and high > offset:
                offset = high
        offsets[each] = offset
        taken.append((offset, offset + size, start, end))
        taken.sort()
        top = max(top, offset + size)
    return offsets, top
