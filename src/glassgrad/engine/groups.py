"""Groups of values that one kernel computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..op import REGISTRY
from .access import Access, access
from .dims import refine, split_strides, spread_flags
from .program import Val

FULL, ROW = "full", "row"
MOST = 28
"""Values that a loop group may hold before a new one is begun: more would not stay in registers."""


def is_elementwise(val: Val) -> bool:
    """Whether a value is computed entry by entry."""
    return val.op in ("contig", "iota") or (val.op in REGISTRY and REGISTRY[val.op].emit is not None)


def is_cheap(val: Val) -> bool:
    """Whether a value is better computed twice than stored and read again."""
    return val.op in ("contig", "iota") or (val.op in REGISTRY and REGISTRY[val.op].cheap)


def is_reduction(val: Val) -> bool:
    """Whether a value joins the entries along some axes."""
    return val.op in REGISTRY and REGISTRY[val.op].fold is not None


def is_product(kind: str) -> bool:
    """Whether the kernel of an op goes on with each block of its result while that is in registers."""
    return kind in REGISTRY and REGISTRY[kind].columns is not None


def summed(val: Val) -> int:
    """How many products are summed for each entry of a product; 0 for everything else."""
    rule = REGISTRY[val.op].summed if val.op in REGISTRY else None
    return 0 if rule is None else rule(*val.ins, **val.params)


@dataclass(eq=False)
class Group:
    """Values that one kernel computes."""

    kind: str
    """loop, or the name of an op with a kernel of its own."""
    number: int
    vals: list[Val] = field(default_factory=list)
    level: dict[Val, str] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    """The index space."""
    reduced: tuple[bool, ...] | None = None
    """For each dimension of `shape` whether it is reduced; None as long as nothing is."""
    stored: list[Val] = field(default_factory=list)
    """Those that someone outside the group needs."""

    def add(self, val: Val, level: str = FULL) -> None:
        self.vals.append(val)
        self.level[val] = level

    @property
    def size(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def columns(self) -> int:
        """The columns of a product's result; its rows, if there is one column alone: they lie as columns do."""
        rule = REGISTRY[self.kind].columns
        assert rule is not None, f"{self.kind} has no columns"
        count = 1
        for n in rule(self.shape):
            count *= n
        return count if count > 1 else self.shape[-2] if len(self.shape) > 1 else 1

    @property
    def rows(self) -> int:
        """How many points the kept dimensions have."""
        count = 1
        for n, gone in zip(self.shape, self.reduced or (False,) * len(self.shape), strict=True):
            count *= 1 if gone else n
        return count


def accesses(val: Val) -> list[Access]:
    """Where each operand's entries lie; every value has an access after `with_copies`."""
    found = [access(v) for v in val.ins]
    assert all(a is not None for a in found)
    return found  # type: ignore[return-value]


def outside(group: Group) -> list[Val]:
    """The values from elsewhere that a group reads, each once, in order of first use."""
    found: dict[Val, None] = {}
    for val in group.vals:
        for a in accesses(val):
            if a.base not in group.level:
                found.setdefault(a.base)
    return list(found)


def repeats(group: Group, found: Access, shape: tuple[int, ...]) -> bool:
    """Whether a row value is taken once for each row of the group's space, by a value of this shape."""
    assert group.reduced is not None
    refined = refine([group.shape, shape])
    if refined is None or found.offset:
        return False
    if not found.strides:  # a single number goes with any shape
        return group.rows == 1
    strides = split_strides(shape, found.strides, refined)
    gone = spread_flags(group.shape, group.reduced, refined)
    if strides is None or gone is None:
        return False
    step = 1
    for n, s, reduced in reversed(list(zip(refined, strides, gone, strict=True))):
        if n == 1:
            continue
        if s != (0 if reduced else step):
            return False
        step *= 1 if reduced else n
    return True


def columns_together(group: Group, val: Val) -> bool:
    """Whether everything that a value takes from outside lies evenly along the columns of a product's result."""
    refined = refine([group.shape, val.shape])
    if refined is None:
        return False
    at, size = len(refined), 1
    while size < group.columns:
        at -= 1
        size *= refined[at]
    if size != group.columns:
        return False
    for source, found in zip(val.ins, accesses(val), strict=True):
        strides = [0] * len(refined) if not source.shape else split_strides(source.shape, found.strides, refined)
        if strides is None:
            return False
        if any(strides[d] != strides[d + 1] * refined[d + 1] for d in range(at, len(refined) - 1)):
            return False
    return True


def stages(group: Group) -> tuple[dict[Val, int], dict[Val, int]]:
    """In which way along its rows a loop group computes each full value, and before which each row value is there: a
    new one begins where a reduction must be complete."""
    stage: dict[Val, int] = {}
    avail: dict[Val, int] = {}
    for val in group.vals:
        inside = [a.base for a in accesses(val) if a.base in group.level]
        full = max((stage[b] for b in inside if group.level[b] == FULL), default=0)
        rows = max((avail[b] for b in inside if group.level[b] == ROW), default=0)
        if group.level[val] == FULL:
            stage[val] = max(full, rows)
        else:
            avail[val] = full + 1 if is_reduction(val) else rows
    return stage, avail
