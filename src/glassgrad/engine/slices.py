"""Chains of kernels that are run slice by slice: all of them for the first part of their outer axes, then all for the
next. What lives between them alone is needed for one slice at a time, and stays in the cache: so has attention neither
its scores nor its probabilities in memory. Where a later chain reads a large value that an earlier one can keep to
itself but for that, it makes it again, if that takes no deep product.

The kernels know nothing of this: each has units of work that fall into equal parts, one for each slice, and is given
an address from which its slice lies where the thread has room for one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..op import REGISTRY
from .access import Access, contiguous
from .dims import refine, split_strides
from .emit.loops import falls_into
from .emit.space import product
from .groups import Group, accesses, outside, summed
from .program import CONST, INPUT, Val

LARGE = 1 << 20
"""Bytes of a value from which on a chain is formed for its sake, and that a step must need less for it."""
LEAST = 4096
"""Entries that a slice of a chain's first group has at least: for less, calling a kernel takes too long."""
EACH = 2
"""Slices for each thread, at least."""
LONG = 12
"""Groups that a chain may have."""
DEEP = 128
"""How many products may be summed for each entry of what is made again: to have it from memory takes as long."""


@dataclass(eq=False)
class Chain:
    """Groups, from `first` up to `stop`, that run slice by slice."""

    first: int
    stop: int
    slices: int
    inside: dict[Val, None] = field(default_factory=dict)
    """What nobody else needs: there is room for one slice for each thread."""


def sliced(groups: list[Group], outputs: Sequence[Val], threads: int) -> tuple[list[Group], list[Chain]]:
    """The groups in a new order, some of them perhaps twice, and which of them are run slice by slice."""
    finder = _Finder(groups, outputs, threads)
    chains = list(finder.chains())
    if not chains:
        return groups, []
    made = _made_again(finder.groups, chains, finder.fixed)
    _keep_inside(made, chains, finder.fixed)
    return made, [chain for chain in chains if any(val.bytes >= LARGE for val in chain.inside)]


def readers_of(groups: Sequence[Group]) -> dict[Val, list[int]]:
    """Which groups read each value, by number."""
    readers: dict[Val, list[int]] = {}
    for group in groups:
        for base in outside(group):
            readers.setdefault(base, []).append(group.number)
    return readers


class _Finder:
    """Looks for chains that may save memory, and brings together the groups of each."""

    def __init__(self, groups: list[Group], outputs: Sequence[Val], threads: int) -> None:
        self.groups, self.fixed, self.threads = list(groups), set(outputs), threads
        self.readers = readers_of(groups)

    def chains(self) -> Iterator[Chain]:
        """Chains that do not overlap, in order."""
        at = 0
        while at < len(self.groups):
            made = self._best(at)
            if made is not None:
                yield made
            at = made.stop if made is not None else at + 1

    def _best(self, first: int) -> Chain | None:
        """The chain from a group on with the most slices, if there is one that is worth it."""
        group = self.groups[first]
        if not any(self._is_worth(val, first + LONG) for val in group.stored):
            return None
        for count in _counts(group):
            if count < EACH * self.threads:
                break
            members, others = self._from(first, count)
            if len(members) > 1:
                self._order(first, others + members)
                first += len(others)
                return Chain(first, first + len(members), count)
        return None

    def _is_worth(self, val: Val, stop: int) -> bool:
        """Whether it would save something not to have a value in memory; where a group far off reads it too, it may be
        made again."""
        return val not in self.fixed and val.bytes >= LARGE and min(self.readers[val]) < stop

    def _from(self, first: int, count: int) -> tuple[list[Group], list[Group]]:
        """The groups of a chain of so many slices, up to the last that reads a large value of one before; and those
        between them that can be done first."""
        written: set[Val] = set()
        members: list[Group] = []
        others: list[Group] = []
        ends = 0, 0
        for group in self.groups[first : first + LONG]:
            if can_slice(group, count) and reads_slices(group, written, count):
                members.append(group)
                if any(base in written and base.bytes >= LARGE for base in outside(group)):
                    ends = len(members), len(others)
                written.update(group.stored)
            elif written.isdisjoint(outside(group)):
                others.append(group)
            else:
                break
        return members[: ends[0]], others[: ends[1]]

    def _order(self, first: int, groups: list[Group]) -> None:
        """Have groups run one after another from a place on."""
        self.groups[first : first + len(groups)] = groups
        for number, group in enumerate(self.groups):
            group.number = number
        self.readers = readers_of(self.groups)


def _most(group: Group) -> int:
    """Into how many slices a group could be cut at most."""
    if group.kind == "loop":
        flags = group.reduced or (False,) * len(group.shape)
        kept = itertools.takewhile(lambda pair: not pair[1], zip(group.shape, flags, strict=True))
        return product(n for n, _ in kept)
    rule = REGISTRY[group.kind].batch if group.kind in REGISTRY else None
    return product(rule(group.shape)) if rule is not None else 1


def _counts(group: Group) -> Iterator[int]:
    """Into how many slices a group may be cut, the most first."""
    most = _most(group)
    yield from (count for count in range(min(most, group.size // LEAST), 1, -1) if most % count == 0)


def can_slice(group: Group, count: int) -> bool:
    """Whether a group's kernel does its work in so many equal parts, each for a part of the entries in order."""
    most = _most(group)
    if not most or most % count:
        return False
    return group.kind != "loop" or falls_into(group, count)


def reads_slices(group: Group, written: set[Val], count: int) -> bool:
    """Whether each slice of a group reads nothing of these values but the same slice."""
    return all(
        _is_slice(found, source.shape, count)
        for val in group.vals
        for source, found in zip(val.ins, accesses(val), strict=True)
        if found.base in written
    )


def _is_slice(found: Access, shape: tuple[int, ...], count: int) -> bool:
    """Whether each of so many equal parts of a view looks at the same part of its base: they are as far apart. As the
    first and the last part lie within the base, each then lies within its own part of that."""
    size = product(shape)
    if size % count or found.base.size % count:
        return False
    dims = refine([shape, (count, size // count)])
    strides = split_strides(shape, found.strides, dims) if dims is not None else None
    if dims is None or strides is None:
        return False
    at = 0
    while product(dims[:at]) < count:
        at += 1
    expected = [step * (found.base.size // count) for step in contiguous(tuple(dims[:at]))]
    return all(n == 1 or a == b for n, a, b in zip(dims[:at], strides, expected, strict=False))


# -- values made again -------------------------------------------------------------------------------------------------


def _made_again(groups: list[Group], chains: list[Chain], fixed: set[Val]) -> list[Group]:
    """The groups, with those put in once more at the beginning of a chain that make what it would have to read from a
    chain before it. The chains are counted anew."""
    readers = readers_of(groups)  # and from each copy on, what that reads
    again: dict[int, list[Group]] = {}
    for before, chain in itertools.combinations(chains, 2):
        maker = _Maker(groups, before, chain, readers, fixed)
        for val in maker.home:
            maker.consider(val)
        copies = maker.copies()
        for base in [base for copy in copies for base in outside(copy)]:
            readers[base].append(chain.first)
        again.setdefault(chain.first, []).extend(copies)
    made: list[Group] = []
    places: list[int] = []
    for group in groups:
        made += again.get(group.number, [])
        places.append(len(made))
        made.append(group)
    for chain in chains:
        first = places[chain.first] - len(again.get(chain.first, []))
        chain.first, chain.stop = first, places[chain.stop - 1] + 1
    for number, group in enumerate(made):
        group.number = number
    return made


class _Maker:
    """What of one chain is made again for another."""

    def __init__(
        self, groups: list[Group], before: Chain, chain: Chain, readers: dict[Val, list[int]], fixed: set[Val]
    ) -> None:
        self.before, self.chain, self.readers, self.fixed = before, chain, readers, fixed
        members = groups[before.first : before.stop]
        self.users = groups[chain.first : chain.stop]
        self.home = {val: group for group in members for val in group.stored}
        self.taken: set[Group] = set()

    def consider(self, val: Val) -> None:
        """Have a value made again, if it can be and is worth it."""
        if val.bytes < LARGE or not self._is_theirs(val) or max(self.readers[val]) < self.chain.first:
            return
        steps = self._steps(val)
        if steps is None or sum(summed(group.vals[0]) for group in steps) > DEEP:
            return
        written = {each for group in steps for each in group.stored if self._is_theirs(each)}
        count = self.chain.slices
        if all(can_slice(g, count) for g in steps) and all(
            reads_slices(g, written, count) for g in [*steps, *self.users]
        ):
            self.taken.update(steps)

    def _is_theirs(self, val: Val) -> bool:
        """Whether the chain that makes a value needs it, and nobody else does but the other one."""
        if val in self.fixed:
            return False
        later = [number for number in self.readers[val] if number >= self.before.stop]
        return len(later) < len(self.readers[val]) and all(
            self.chain.first <= number < self.chain.stop for number in later
        )

    def _steps(self, val: Val) -> list[Group] | None:
        """The groups that make a value of what is in memory anyway when the chain begins; None if there are others."""
        steps: dict[Group, None] = {}
        stack = [val]
        while stack:
            group = self.home[stack.pop()]
            if group in steps:
                continue
            steps[group] = None
            for base in outside(group):
                if base in self.home and self._is_theirs(base):
                    stack.append(base)
                elif base.op not in (INPUT, CONST) and max(self.readers[base]) < self.chain.first:
                    return None
        return list(steps)

    def copies(self) -> list[Group]:
        """The same work once more; of what it makes, that which the two chains alone need."""
        taken = sorted(self.taken, key=lambda group: group.number)
        read = {base for group in [*taken, *self.users] for base in outside(group)}
        return [
            Group(g.kind, 0, list(g.vals), dict(g.level), g.shape, g.reduced,
                  [val for val in g.stored if val in read and self._is_theirs(val)])
            for g in taken
        ]  # fmt: skip


def _keep_inside(groups: list[Group], chains: Sequence[Chain], fixed: set[Val]) -> None:
    """Note for each chain what nobody needs who does not have it from its own chain."""
    makers: dict[Val, list[int]] = {}
    for group in groups:
        for val in group.stored:
            makers.setdefault(val, []).append(group.number)
    readers = readers_of(groups)

    def of(number: int) -> Chain | None:
        return next((chain for chain in chains if chain.first <= number < chain.stop), None)

    for val, numbers in makers.items():
        own = [of(number) for number in numbers]
        if val not in fixed and None not in own and all(of(number) in own for number in readers[val]):
            for chain in own:
                assert chain is not None
                chain.inside[val] = None
