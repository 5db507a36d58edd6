"""How one recorded op maps its operand's entries to its result's: factors, where they lead, and the largest of them.

Everything comes from the op's own derivative rule, evaluated in float64. A rule is linear in the cotangent, so

- with a cotangent of ones, of entry numbers, or of ones at chosen places it gives the entries of the Jacobian;
- over numbers whose sum is their maximum (`Largest`) it gives, for each entry of the operand, the largest
  |factor| · potential among the entries that it leads to: the backward pass in the max-times semiring
  (L. Pachter, B. Sturmfels, "Tropical geometry of statistical models", PNAS 2004, for the principle).
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from ..autodiff import cotangents
from ..dispatch import leaf
from ..graph import Node, ancestors
from ..op import Op
from ..spec import Dtype
from .entries import _copy
from .recording import unseen

Flat = Any
"""A 1-d array of entry numbers, in C order."""
BLOCK = 1 << 22
"""Entries of the blocks in which a product over `Largest` is computed."""


class Largest(np.ndarray[Any, Any]):
    """Numbers of 0 or more whose sum is their maximum; products are products."""

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, **options: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, Largest) else x for x in given]
        out = options.get("out")
        if out is not None:
            options["out"] = tuple(np.asarray(x) if isinstance(x, Largest) else x for x in out)
        if ufunc is np.matmul and method == "__call__":
            made: Any = _largest_product(*plain)
        else:
            made = getattr(np.maximum if ufunc is np.add else ufunc, method)(*plain, **options)
        return made.view(Largest) if isinstance(made, np.ndarray) else made


def _largest_product(a: Any, b: Any) -> Any:
    """max over k of a[..., i, k] * b[..., k, j]."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    made = np.zeros((*batch, a.shape[-2], b.shape[-1]))
    step = max(1, BLOCK // max(1, a.shape[-1] * b.shape[-1]))
    for at in itertools.product(*map(range, batch)):
        left, right = np.ascontiguousarray(a[at]), np.ascontiguousarray(b[at].T)
        for start in range(0, left.shape[0], step):
            rows = left[start : start + step, None, :] * right[None]
            made[at][start : start + step] = rows.max(axis=2, initial=0.0)
    return made


class LocalMap:
    """What one op does with one of its operands."""

    def __init__(self, node: Node, index: int, inputs: tuple[Node, ...], values: list[Any], result: Any) -> None:
        assert isinstance(node.op, Op)
        self.op: Op = node.op
        self.node, self.index = node, index
        self.inputs, self.values, self.result = inputs, values, result
        self.shape_in, self.shape_out = inputs[index].shape, node.shape
        rule = self.op.rule(index)
        assert rule is not None
        self.rule = rule

    # -- the rule over other numbers ------------------------------------------------------------------------------

    def pull(self, seed: Any) -> Any:
        """The rule on a cotangent."""
        made = [_copy(x, v) for x, v in zip(self.inputs, self.values, strict=True)]
        found = self.rule(leaf(seed), leaf(self.result), *made, **self.node.params).value
        return np.broadcast_to(found, self.shape_in)

    def largest(self, potential: Any) -> Any:
        """For each entry of the operand the largest |factor| * potential among the entries it leads to."""
        if self.op.summed is not None:
            held = [_copy(x, _sizes(v)) for x, v in zip(self.inputs, self.values, strict=True)]
            found = self.rule(leaf(_sizes(potential)), leaf(_sizes(self.result)), *held, **self.node.params).value
            return np.broadcast_to(np.asarray(found), self.shape_in)
        if self.moved is not None:
            made = np.zeros(int(np.prod(self.shape_in)))
            inside = self.moved >= 0
            np.maximum.at(made, self.moved[inside], potential.ravel()[inside])
            return made.reshape(self.shape_in)
        made = np.zeros(self.shape_in)
        for seed in self._seeds():
            np.maximum(made, np.abs(self.pull(seed * potential)), out=made)
        return made

    def counted(self, counts: Any) -> Any:
        """For each entry of the operand the sum of `counts` over the entries it leads to with a factor other than 0."""
        if self.op.summed is not None:
            ones = [(v != 0).astype(np.float64) if v.dtype.kind == "f" else v for v in self.values]
            held = [_copy(x, v) for x, v in zip(self.inputs, ones, strict=True)]
            found = self.rule(leaf(counts), leaf(self.result), *held, **self.node.params).value
            return np.broadcast_to(found, self.shape_in)
        if self.moved is not None:
            made = np.zeros(int(np.prod(self.shape_in)))
            inside = self.moved >= 0
            np.add.at(made, self.moved[inside], counts.ravel()[inside])
            return made.reshape(self.shape_in)
        made = np.zeros(self.shape_in)
        for seed in self._seeds():
            reached = self.pull(seed) != 0
            with np.errstate(all="ignore"):
                made += np.where(reached, np.round(np.abs(self.pull(seed * counts) / self.pull(seed))), 0.0)
        return made

    def column(self, entry: int) -> tuple[Flat, Any]:
        """Where entry number `entry` of the operand leads to, and with which factors."""
        if self.op.kind == "elementwise":
            factors = self.slopes
            if self.shape_in == self.shape_out:
                return np.array([entry]), factors.ravel()[entry : entry + 1]
            return np.arange(factors.size), factors.ravel()
        if self.moved is not None:
            start, stop = np.searchsorted(self._moved_sorted, [entry, entry + 1])
            places = self._moved_order[start:stop]
            return places, np.ones(len(places))
        if self.single is not None:
            target = self.single[entry]
            return (np.array([target]), self.slopes.ravel()[entry : entry + 1]) if target >= 0 else (_NONE, np.zeros(0))
        made = self._pushed(entry).ravel()
        places = np.flatnonzero(made)
        return places, made[places]

    def _pushed(self, entry: int) -> Any:
        """The tangent of the result for a tangent that is 1 at one entry of the operand."""
        tangent = np.zeros(int(np.prod(self.shape_in)))
        tangent[entry] = 1
        return self.push(tangent.reshape(self.shape_in))

    def push(self, tangent: Any) -> Any:
        """The Jacobian times a tangent. A product is linear in each operand; else the rule, linear in the cotangent, is
        differentiated by it."""
        if self.op.kind == "elementwise":
            return self.slopes * tangent
        if self.op.summed is not None:
            given = [tangent if k == self.index else v for k, v in enumerate(self.values)]
            return self.op.value(np, *given, **self.node.params)
        made = [_copy(x, v) for x, v in zip(self.inputs, self.values, strict=True)]
        seed = leaf(np.zeros(self.shape_out), True)
        with unseen(grad=True):
            pulled = self.rule(seed, leaf(self.result), *made, **self.node.params)
            if not pulled.requires_grad:
                return np.zeros(self.shape_out)
            found = cotangents([pulled], [leaf(np.broadcast_to(tangent, pulled.shape).copy())], {seed}, keep_graph=True)
        return np.zeros(self.shape_out) if seed not in found else np.broadcast_to(found[seed].value, self.shape_out)

    # -- what kind of map it is ------------------------------------------------------------------------------------

    @functools.cached_property
    def slopes(self) -> Any:
        """The factor of every entry, where each leads to one entry at most; of an elementwise op the diagonal."""
        if self.op.kind == "elementwise":
            rule = self.rule
            made = [_copy(x, v) for x, v in zip(self.inputs, self.values, strict=True)]
            found = rule(leaf(np.ones(self.shape_out)), leaf(self.result), *made, **self.node.params).value
            return np.broadcast_to(found, self.shape_out)
        return self.pull(np.ones(self.shape_out))

    @functools.cached_property
    def moved(self) -> Any:
        """For a structural op, which entry of the operand each entry of the result is (-1: none); None for others, and
        where it is no mere move."""
        if self.op.kind != "structural":
            return None
        given = []
        for k, v in enumerate(self.values):
            if v.dtype.kind != "f":
                given.append(v)
                continue
            given.append(
                np.arange(1, v.size + 1, dtype=np.float64).reshape(v.shape) if k == self.index else np.zeros(v.shape)
            )
        made = np.asarray(self.op.value(np, *given, **self.node.params), np.float64).ravel()
        places = np.round(made).astype(np.int64) - 1
        if places.max(initial=-1) >= self.values[self.index].size:
            return None  # entries were added up
        same = np.where(
            places >= 0,
            self.values[self.index].ravel()[np.maximum(places, 0)] if self.values[self.index].size else 0.0,
            np.nan,
        )
        inside = places >= 0
        ours = self.result.ravel()
        return places if np.array_equal(same[inside], ours[inside], equal_nan=True) else None

    @functools.cached_property
    def _moved_order(self) -> Any:
        return np.argsort(self.moved, kind="stable")

    @functools.cached_property
    def _moved_sorted(self) -> Any:
        return self.moved[self._moved_order]

    @functools.cached_property
    def single(self) -> Any:
        """For each entry of the operand the one entry of the result that it leads to (-1: none); None where an entry
        leads to several."""
        count = int(np.prod(self.shape_out))
        ones = self.pull(np.ones(self.shape_out)).ravel()
        numbers = self.pull(np.arange(1, count + 1, dtype=np.float64).reshape(self.shape_out)).ravel()
        with np.errstate(all="ignore"):
            places = np.where(ones != 0, np.round(numbers / ones), 0).astype(np.int64) - 1
        if places.min(initial=0) < -1 or places.max(initial=-1) >= count:
            return None
        trial = np.random.default_rng(0).uniform(1, 2, self.shape_out)
        expected = np.where(places >= 0, ones * trial.ravel()[np.maximum(places, 0)] if count else 0.0, 0.0)
        return places if np.allclose(self.pull(trial).ravel(), expected, 1e-9, 0) else None

    def _seeds(self) -> list[Any]:
        """Cotangents of ones at places no two of which share an entry of the operand, all places together: the Jacobian
        in as few pulls as its axes allow (A. Curtis, M. Powell, J. Reid, 1974)."""
        if self.op.kind == "elementwise" and self.shape_in == self.shape_out:
            return [np.ones(self.shape_out)]
        if self.single is not None:
            return [np.ones(self.shape_out)]
        coupled = [axis for axis in range(len(self.shape_out)) if not self._apart(axis)]
        found = []
        for at in itertools.product(*(range(self.shape_out[axis]) for axis in coupled)):
            seed = np.zeros(self.shape_out)
            where: list[Any] = [slice(None)] * len(self.shape_out)
            for axis, place in zip(coupled, at, strict=True):
                where[axis] = place
            seed[tuple(where)] = 1
            found.append(seed)
        return found

    def _apart(self, axis: int) -> bool:
        """Whether entries of the result that differ along an axis never share an entry of the operand."""
        size = self.shape_out[axis]
        if size <= 1:
            return True
        rng = np.random.default_rng(1)
        seen = np.zeros(self.shape_in, bool)
        for place in (0, 1, size - 1) if size > 2 else (0, 1):
            seed = np.zeros(self.shape_out)
            where: list[Any] = [slice(None)] * len(self.shape_out)
            where[axis] = place
            seed[tuple(where)] = rng.uniform(1, 2, seed[tuple(where)].shape)
            reached = self.pull(seed) != 0
            if (reached & seen).any():
                return False
            seen |= reached
        return True


@functools.cache
def bends(op: Op, index: int, dtypes: tuple[Dtype, ...], params: tuple[tuple[str, Any], ...] = ()) -> bool:
    """Whether the slope of an elementwise op changes with its operand: whether its rule reads it, or the result."""
    if not op.differentiable or op.rule(index) is None:
        return False
    rule = op.rule(index)
    assert rule is not None
    operands = [leaf(np.full((), 0.5).astype(dtype), dtype.kind == "f") for dtype in dtypes]
    result = leaf(np.full((), 0.5), True)
    with unseen(grad=True):
        made = rule(leaf(np.ones(())), result, *operands, **dict(params))
    return bool({result, operands[index]} & set(ancestors([made])))


_NONE = np.zeros(0, np.int64)


def _sizes(value: Any) -> Any:
    return np.abs(value).view(Largest) if value.dtype.kind == "f" else value
