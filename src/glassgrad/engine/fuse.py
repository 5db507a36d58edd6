"""Program -> groups, each of which becomes one kernel.

Values are taken in order. A value joins the latest of the groups that its operands are in, if it fits there; otherwise
it begins a group of its own. Since every operand is then in the same group or an earlier one, groups run in order.

A loop group has one index space. Its full values have an entry for each point of the space; row values, which begin
with a reduction, have one for each point of the dimensions that were kept. An elementwise value fits when what it takes
from inside the group is taken entry for entry, or a row value repeated along the reduced dimensions.
"""

from __future__ import annotations

from typing import Any

from .access import Access, access, before, in_order, is_view
from .dims import refine, split_strides, spread_flags
from .groups import (
    FULL,
    MOST,
    ROW,
    Group,
    accesses,
    columns_together,
    is_elementwise,
    is_product,
    is_reduction,
    repeats,
)
from .program import CONST, INPUT, Program, Val
from .recompute import recompute


class Fuser:
    """Forms the groups of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.groups: list[Group] = []
        self.home: dict[Val, Group] = {}
        self.floating: set[Val] = set()  # computed from inputs alone: they go where they are needed
        self.scalars = self._new("loop")

    def run(self) -> list[Group]:
        for val in self.program.order():
            if val.op not in (INPUT, CONST) and not is_view(val):
                self._place(val)
        for output in self.program.outputs:
            self._settle(output)
        groups = self.finished()
        while recompute(groups, self.program.outputs):
            groups = self.finished()
        return groups

    def _new(self, kind: str) -> Group:
        made = Group(kind, len(self.groups))
        self.groups.append(made)
        return made

    def _latest(self, val: Val) -> Group | None:
        """The last of the groups that a value needs something from, by itself or through floating operands."""
        brought = [val, *self._closure([a.base for a in accesses(val)])]
        needed = [base for each in brought for base in (*(a.base for a in accesses(each)), *before(each))]
        homes = [self.home[base] for base in needed if base in self.home]
        return max(homes, key=lambda g: g.number) if homes else None

    def _place(self, val: Val) -> None:
        if is_elementwise(val):
            self._elementwise(val)
        elif is_reduction(val):
            self.home[val] = self._reduction(val)
        else:
            for found in accesses(val):
                self._settle(found.base)
            group = self.home[val] = self._new(val.op)
            group.shape = val.shape
            group.add(val)

    def _elementwise(self, val: Val) -> None:
        bases = [a.base for a in accesses(val)]
        known = all(b.size == 1 and b not in self.floating for b in bases)
        if not val.shape and known and all(self.home.get(b, self.scalars) is self.scalars for b in bases):
            self.scalars.add(val)  # single numbers that depend on inputs alone come before everything else
            self.home[val] = self.scalars
            return
        if all(b in self.floating or self.home.get(b, self.scalars) is self.scalars for b in bases):
            self.floating.add(val)
            return
        group = self._latest(val)
        assert group is not None
        if not self._join(group, [*self._closure(bases), val]):
            for base in bases:
                self._settle(base)
            group = self._begin(val.shape)
            group.add(val)
        self.home[val] = group

    def _begin(self, shape: tuple[int, ...]) -> Group:
        made = self._new("loop")
        made.shape = shape
        return made

    def _closure(self, bases: list[Val]) -> list[Val]:
        """The floating values that these need, each after what it needs."""
        found: set[Val] = set()
        stack = [b for b in bases if b in self.floating]
        while stack:
            val = stack.pop()
            if val not in found:
                found.add(val)
                stack.extend(a.base for a in accesses(val) if a.base in self.floating)
        return sorted(found, key=lambda v: v.id)

    def _join(self, group: Group, vals: list[Val]) -> bool:
        """Add a value to a group, after the floating ones that it needs; False, and nothing done, if one does not fit.

        Each is asked when those before it are inside: what it takes from them must be taken entry for entry too.
        """
        vals = [v for v in vals if v not in group.level]
        for place, val in enumerate(vals):
            level = self._fits(group, val)
            if level is None or (level != FULL and val in self.floating):
                for undone in vals[:place]:
                    group.vals.remove(undone)
                    del group.level[undone]
                return False
            group.add(val, level)
        return True

    def _settle(self, val: Val) -> None:
        """Give a floating value, and what it needs, a group of its own."""
        for each in self._closure([val]):
            group = self._latest(each)
            if group is None or group is self.scalars or group.kind != "loop" or self._fits(group, each) != FULL:
                group = self._begin(each.shape)
            if each not in group.level:  # it may be there for a value that it was brought along for
                group.add(each)
            self.home[each] = group
            self.floating.discard(each)

    def _fits(self, group: Group, val: Val) -> str | None:
        """The level at which an elementwise value joins a group; None if it does not."""
        if group is self.scalars or val.size == 0:
            return None
        inside = [a for a in accesses(val) if a.base in group.level]
        if is_product(group.kind):
            fits = val.size == group.size and len(group.vals) < MOST and columns_together(group, val)
            return FULL if fits and all(in_order(a, val.shape) for a in inside) else None
        if group.kind != "loop" or len(group.vals) >= MOST:
            return None
        full = val.size == group.size and refine([group.shape, val.shape]) is not None
        if full and all(self._full_edge(group, a, val) for a in inside):
            return FULL
        row = group.reduced is not None and val.size == group.rows
        if row and all(group.level[a.base] == ROW and in_order(a, val.shape) for a in inside):
            return ROW if self._reads_by_rows(group, val) else None
        return None

    def _reads_by_rows(self, group: Group, val: Val) -> bool:
        """Whether what a row value takes from outside can be counted by the group's rows."""
        assert group.reduced is not None
        kept = [n for n, gone in zip(group.shape, group.reduced, strict=True) if not gone]
        given = zip(val.ins, accesses(val), strict=True)
        return all(
            a.base in group.level or not source.shape or split_strides(source.shape, a.strides, kept) is not None
            for source, a in given
        )

    def _full_edge(self, group: Group, found: Access, val: Val) -> bool:
        if group.level[found.base] == FULL:
            return in_order(found, val.shape)
        return repeats(group, found, val.shape)

    def _reduction(self, val: Val) -> Group:
        source, axes = val.ins[0], val.params["axes"]
        flags = tuple(axis in axes for axis in range(len(source.shape)))
        found = access(source)
        assert found is not None
        group = self.home.get(found.base)
        late = any(base in self.home and self.home[base] is not group for base in before(val))
        if late or group is self.scalars:
            group = None
        if group is not None and group.kind == "loop" and len(group.vals) < MOST:
            joins = group.level[found.base] == FULL and in_order(found, source.shape)
            if joins and self._same_reduction(group, source.shape, flags):
                group.add(val, ROW)
                return group
        if found.base in self.floating and not in_order(found, source.shape):
            self._settle(found.base)
        made = self._begin(source.shape)
        made.reduced = flags
        if in_order(found, source.shape):
            self._join(made, self._closure([found.base]))
        if found.base in self.floating and found.base not in made.level:
            self._settle(found.base)
            made = self._begin(source.shape)  # numbers go up in the order of running; the empty group is dropped
            made.reduced = flags
        made.add(val, ROW)
        return made

    def _same_reduction(self, group: Group, shape: tuple[int, ...], flags: tuple[bool, ...]) -> bool:
        refined = refine([group.shape, shape])
        if refined is None:
            return False
        new = spread_flags(shape, flags, refined)
        if new is None:
            return False
        if group.reduced is None:
            group.shape, group.reduced = tuple(refined), new
            return True
        return spread_flags(group.shape, group.reduced, refined) == new

    def finished(self) -> list[Group]:
        """Groups with what must be stored, and without what nobody needs."""
        wanted: set[Val] = set(self.program.outputs)
        result = []
        for group in reversed(self.groups):
            kept: list[Val] = []
            inner: set[Val] = set()
            group.stored = []
            for val in reversed(group.vals):
                stored = val in wanted and self.home.get(val) is group
                if val not in inner and not stored:
                    continue
                kept.append(val)
                if stored:
                    group.stored.append(val)
                for found in accesses(val):
                    if found.base in group.level:
                        inner.add(found.base)
                    elif found.base.op not in (INPUT, CONST):
                        wanted.add(found.base)
            group.vals = kept[::-1]
            group.level = {val: group.level[val] for val in group.vals}
            group.stored.reverse()
            if group.vals:
                result.append(group)
        result.reverse()
        for number, group in enumerate(result):
            group.number = number
        return result


def fuse(program: Program) -> list[Group]:
    """The groups of a program, in the order in which they run."""
    return Fuser(program).run()


def describe(group: Group) -> str:
    """The ops of a group, in order."""
    names: list[Any] = [val.op for val in group.vals]
    return f"{group.kind}: " + " ".join(names)
