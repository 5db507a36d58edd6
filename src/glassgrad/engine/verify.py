"""A typechecker for programs and groups: run after every pass in tests, it says which pass broke what.

It is on when `ON` is set; the native engine then calls it after each pass.
"""

from __future__ import annotations

from ..op import REGISTRY
from ..spec import Spec
from .groups import Group, accesses, is_elementwise, is_reduction, outside
from .program import CONST, INPUT, OWN, Program, Val
from .slices import Chain

ON = [False]


class Broken(AssertionError):
    """A program or a group that a pass must not have made."""


def program(made: Program, after: str) -> Program:
    """Every value has the shape and dtype that its op's rule says, and comes after what it is made of."""
    if not ON[0]:
        return made
    seen: set[Val] = set()
    for val in made.order():
        for source in val.ins:
            if source not in seen:
                raise Broken(f"after {after}: {val} comes before {source}")
        seen.add(val)
        if val.op in (INPUT, CONST):
            if val.op == CONST and (val.data.shape, val.data.dtype) != (val.shape, val.dtype):
                raise Broken(f"after {after}: {val} holds {val.data.dtype}{list(val.data.shape)}")
            continue
        if val.op in OWN:
            _own(val, after)
            continue
        spec = REGISTRY[val.op].spec(*[Spec(v.shape, v.dtype) for v in val.ins], **val.params)
        if spec != Spec(val.shape, val.dtype):
            raise Broken(f"after {after}: {val} should be {spec}")
    return made


def _own(val: Val, after: str) -> None:
    if val.op == "contig" and (val.ins[0].shape, val.ins[0].dtype) != (val.shape, val.dtype):
        raise Broken(f"after {after}: {val} copies {val.ins[0]}")
    if val.op == "assemble":
        for part, cuts in zip(val.ins, val.params["cuts"], strict=True):
            for n, whole, (start, stop, step) in zip(part.shape, val.shape, cuts, strict=True):
                if not 0 <= start <= stop <= whole or len(range(start, stop, step)) != n:
                    raise Broken(f"after {after}: {part} does not fit {cuts} of {val}")


def groups(made: list[Group], outputs: list[Val], after: str) -> list[Group]:
    """Every group reads only inputs, constants and what an earlier group stores, and computes in order."""
    if not ON[0]:
        return made
    stored: set[Val] = set()
    for number, group in enumerate(made):
        if group.number != number:
            raise Broken(f"after {after}: group {number} is numbered {group.number}")
        here: set[Val] = set()
        for val in group.vals:
            for found in accesses(val):
                base = found.base
                known = base.op in (INPUT, CONST) or base in here or base in stored
                if not known:
                    raise Broken(f"after {after}: {val} of group {number} needs {base}, which is not there yet")
                if base in group.level and base not in here:
                    raise Broken(f"after {after}: in group {number} {val} comes before {base}")
            if group.kind == "loop" and not is_elementwise(val) and not is_reduction(val):
                raise Broken(f"after {after}: {val} is in a loop group")
            here.add(val)
        if len(group.vals) != len(here):
            raise Broken(f"after {after}: group {number} computes a value twice")
        if set(group.level) != here:
            raise Broken(f"after {after}: group {number} has levels for other values than it holds")
        stored |= set(group.stored)
        if not set(group.stored) <= here:
            raise Broken(f"after {after}: group {number} stores what it does not compute")
    for output in outputs:
        if output not in stored:
            raise Broken(f"after {after}: the output {output} is stored by no group")
    return made


def chains(made: list[Group], outputs: list[Val], found: list[Chain]) -> None:
    """What lives inside a chain is no output, and whoever reads it is in a chain that has made it before."""
    if not ON[0]:
        return
    of_group = {number: chain for chain in found for number in range(chain.first, chain.stop)}
    if sum(chain.stop - chain.first for chain in found) != len(of_group):
        raise Broken("after slices: chains overlap")
    inside = {val for chain in found for val in chain.inside}
    if inside & set(outputs):
        raise Broken("after slices: an output is in no memory of its own")
    stored = [val for group in made for val in group.stored]
    if any(val not in inside and stored.count(val) > 1 for val in set(stored)):
        raise Broken("after slices: what lies in memory as a whole is written twice")
    written: dict[Chain, set[Val]] = {chain: set() for chain in found}
    for group in made:
        chain = of_group.get(group.number)
        for base in outside(group):
            if base in inside and (chain is None or base not in written[chain]):
                raise Broken(f"after slices: group {group.number} needs {base}, which only another chain has")
        if chain is not None:
            written[chain].update(group.stored)
