"""The index space of a group, and how its points are counted and addressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...op import REGISTRY
from ..access import Access, contiguous
from ..dims import refine, split_strides, spread_flags
from ..groups import FULL, ROW, Group, accesses, is_product, is_reduction
from ..program import Val
from .ir import Function
from .values import I1, OF_DTYPE, Type, Value


@dataclass
class Space:
    """The index space of a group, as few dimensions as it can be."""

    sizes: list[int]
    reduced: list[bool]
    strides: dict[tuple[Val, int], list[int]] = field(default_factory=dict)
    """For operand number k of a value: strides over the dimensions (row values: over the kept ones)."""

    @property
    def kept(self) -> list[int]:
        return [at for at, gone in enumerate(self.reduced) if not gone]

    @property
    def gone(self) -> list[int]:
        return [at for at, gone in enumerate(self.reduced) if gone]


def iota_access(val: Val) -> Access:
    """The numbers along an axis, as if they lay in memory: entry (i, j, ...) is i * strides[0] + ..."""
    strides = [0] * len(val.shape)
    strides[val.params["axis"]] = 1
    return Access(val, 0, tuple(strides))


def space_of(group: Group, columns: int | None = None) -> Space:
    """Brings the group's space down to as few dimensions as all accesses allow; the `columns` of a matrix
    product stay a dimension by themselves, the last."""
    full = [v for v in group.vals if group.level[v] == FULL]
    sources = [v.ins[0].shape for v in group.vals if is_reduction(v)]
    refined = refine([group.shape, *(v.shape for v in full), *sources])
    assert refined is not None, "the shapes of a group do not go together"
    flags = spread_flags(group.shape, group.reduced or (False,) * len(group.shape), refined)
    assert flags is not None
    space = Space(list(refined), list(flags))
    kept = [n for n, gone in zip(refined, flags, strict=True) if not gone]
    for val in group.vals:
        if is_product(val.op):
            continue
        found = [iota_access(val)] if val.op == "iota" else accesses(val)
        for number, each in enumerate(found):
            inside = each.base in group.level and val.op != "iota"
            if inside:
                continue
            shape = val.shape if val.op == "iota" else val.ins[number].shape
            dims = kept if group.level[val] == ROW and not is_reduction(val) else refined
            strides = [0] * len(dims) if not shape else split_strides(shape, each.strides, dims)
            assert strides is not None, f"{val} does not fit {dims}"
            space.strides[val, number] = strides
    if columns == 1:
        space.sizes.append(1)
        space.reduced.append(False)
        for strides in space.strides.values():
            strides.append(0)
    while columns is not None and space.sizes[-1] < columns:
        _merge(space, group, len(space.sizes) - 2)
    _collapse(space, group, columns is not None)
    return space


def _collapse(space: Space, group: Group, keep_last: bool) -> None:
    """Makes neighbouring dimensions one wherever every access allows it."""
    at = 0
    while at + 1 < len(space.sizes) - int(keep_last):
        if space.reduced[at] != space.reduced[at + 1] or not all(
            _joinable(space, group, key, at) for key in space.strides
        ):
            at += 1
            continue
        _merge(space, group, at)


def _merge(space: Space, group: Group, at: int) -> None:
    """Makes dimensions at and at + 1 one."""
    for key, strides in space.strides.items():
        place = _place(space, group, key, at)
        if place is not None:
            strides.pop(place)
    space.sizes[at] *= space.sizes.pop(at + 1)
    space.reduced.pop(at + 1)


def _place(space: Space, group: Group, key: tuple[Val, int], at: int) -> int | None:
    """Where dimension `at` stands among an access's strides; None if it does not."""
    val = key[0]
    if group.level[val] == ROW and not is_reduction(val):
        return None if space.reduced[at] else sum(not gone for gone in space.reduced[:at])
    return at


def _joinable(space: Space, group: Group, key: tuple[Val, int], at: int) -> bool:
    place = _place(space, group, key, at)
    if place is None:
        return True
    strides = space.strides[key]
    return strides[place] == strides[place + 1] * space.sizes[at + 1]


def full_strides(space: Space) -> list[int]:
    return list(contiguous(tuple(space.sizes)))


def product(sizes: Iterable[int]) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total


def indices_of(f: Function, number: Value, sizes: list[int]) -> list[Value]:
    """A running number as one index for each size."""
    found: list[Value] = []
    for size in reversed(sizes[1:]):
        found.append(f.urem(number, f.index(size)))
        number = f.udiv(number, f.index(size))
    return [number, *reversed(found)] if sizes else []


def lanes_for(size: int, width: int) -> int:
    """How many lanes suit a dimension of this size: 0 for scalars."""
    if size == 1:
        return 0
    lanes = width
    while lanes > 2 and lanes // 2 >= size:
        lanes //= 2
    return lanes


def memory_type(dtype: object) -> Type:
    return OF_DTYPE[str(dtype)]


def held_type(val: Val) -> Type:
    return I1 if val.dtype.kind == "b" else memory_type(val.dtype)


def identity(val: Val) -> float:
    """What a reduction starts from."""
    fold = REGISTRY[val.op].fold
    assert fold is not None
    return fold.start(val.dtype)
