"""Ops that move entries without changing them: reshape, permute, expand, slice, scatter into a slice, cat, flip."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import constant
from ..errors import ArgumentError, DtypeError, ShapeError
from ..graph import Node
from ..op import ATOM, case, op
from ..spec import Dtype, Shape, Spec, broadcast_shapes, reshaped

Array = Any
Cut = tuple[int, int, int]
"""start, stop and step along one axis; the step is positive and both ends are within the axis."""


def zeros(shape: Shape, dtype: Dtype) -> Node:
    """An array of zeros that takes no memory until it is written."""
    return expand(constant(0, dtype), shape=shape)


@op(
    spec=lambda x: x, latex=r"{x}", prec=ATOM, cases=[case((2, 3)), case(()), case((0, 3))],
    says="A copy; the gradient passes unchanged.",
)  # fmt: skip
def copy(xp: Any, x: Array) -> Array:
    return np.array(x, copy=True, order="C") if xp is np else xp.array(x, copy=True)


copy.vjp(lambda g, y, x: g)
copy.simplifies(lambda r, val: val.ins[0])


@op(
    spec=lambda x: x, latex=r"{x}", prec=ATOM, cases=[case((2, 3)), case(())], differentiable=False,
    write=lambda base, new: new,
    says="The same value cut loose from its history: no gradient goes back through here.",
)  # fmt: skip
def detach(xp: Any, x: Array) -> Array:
    return x


detach.simplifies(lambda r, val: val.ins[0])


def _replace_spec(x: Spec, new: Spec) -> Spec:
    if x != new:
        raise ShapeError("a value is replaced by one of its shape and dtype", got=f"{new} for {x}")
    return x


@op(
    spec=_replace_spec, latex=r"{new}", prec=ATOM, cases=[case((2, 3), (2, 3)), case((), ())],
    says="Another value in place of x, written where nothing was recorded; the gradient goes to x, as if it were x.",
)  # fmt: skip
def replace(xp: Any, x: Array, new: Array) -> Array:
    return new


replace.vjp(lambda g, y, x, new: g)
replace.vjp(None)
replace.simplifies(lambda r, val: val.ins[1])


@op(
    spec=lambda x, after: x, latex=r"{x}", prec=ATOM, cases=[case((2, 3), (5,)), case((), (2,))],
    says="The same value, to compute from it a second time: when `after` is there, and not together with the first.",
)  # fmt: skip
def again(xp: Any, x: Array, after: Array) -> Array:
    return x


again.vjp(lambda g, y, x, after: g)
again.vjp(None)
again.looks(lambda shape, strides, new: (0, strides))


def _reshape_spec(x: Spec, *, shape: Shape) -> Spec:
    if math.prod(shape) != math.prod(x.shape):
        raise ShapeError(
            f"cannot reshape to {list(shape)}: it has {math.prod(shape)} entries, the tensor {math.prod(x.shape)}",
            got=str(x),
            fix="give a shape with the same product, or -1 for one size that is to be worked out",
        )
    return Spec(shape, x.dtype)


def _write_reshape(base: Node, new: Node, *, shape: Shape) -> Node:
    return reshape(new, shape=base.shape)


@op(
    spec=_reshape_spec, latex=r"{x}", prec=ATOM,
    cases=[
        case((2, 3, 5), shape=(6, 5)), case((2, 3), shape=(3, 1, 2)), case((1,), shape=()), case((0, 3), shape=(3, 0)),
    ],
    write=_write_reshape,
    says="The same entries in another shape, in the same order.",
)  # fmt: skip
def reshape(xp: Any, x: Array, *, shape: Shape) -> Array:
    return x.reshape(shape)


reshape.vjp(lambda g, y, x, *, shape: reshape(g, shape=x.shape))


@reshape.looks
def _(old: Shape, strides: Shape, new: Shape, **_: Any) -> tuple[int, Shape] | None:
    found = reshaped(old, strides, new)
    return None if found is None else (0, found)


@reshape.simplifies
def _(r: Any, val: Any) -> Any:
    (source,) = val.ins
    if source.shape == val.shape:
        return source
    if source.op == "reshape":
        return r.made(reshape, *source.ins, shape=val.shape, like=val)
    if source.op == "expand" and not source.ins[0].shape:
        return r.made(expand, *source.ins, shape=val.shape, like=val)
    return None


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    back = [0] * len(axes)
    for to, source in enumerate(axes):
        back[source] = to
    return tuple(back)


def _write_permute(base: Node, new: Node, *, axes: tuple[int, ...]) -> Node:
    return permute(new, axes=_inverse(axes))


@op(
    spec=lambda x, *, axes: Spec(tuple(x.shape[axis] for axis in axes), x.dtype), prec=ATOM,
    latex=lambda x, *, axes: f"{x}^\\top",
    cases=[case((2, 3), axes=(1, 0)), case((2, 3, 5), axes=(1, 2, 0)), case((), axes=())],
    write=_write_permute,
    says="Swaps axes; the gradient is swapped back.",
)  # fmt: skip
def permute(xp: Any, x: Array, *, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


permute.vjp(lambda g, y, x, *, axes: permute(g, axes=_inverse(axes)))
permute.looks(lambda shape, strides, new, *, axes: (0, tuple(strides[axis] for axis in axes)))


@permute.simplifies
def _(r: Any, val: Any) -> Any:
    (source,), axes = val.ins, val.params["axes"]
    if axes == tuple(range(len(axes))):
        return source
    if source.op == "permute":
        inner = source.params["axes"]
        return r.made(permute, *source.ins, axes=tuple(inner[a] for a in axes), like=val)
    return None


def _expand_spec(x: Spec, *, shape: Shape) -> Spec:
    try:
        fits = broadcast_shapes(x.shape, shape) == tuple(shape)
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"cannot expand to {list(shape)}: only sizes of 1 and new axes at the left can be repeated",
            got=str(x), fix="unsqueeze the tensor where it is to be repeated",
        )  # fmt: skip
    return Spec(tuple(shape), x.dtype)


def _no_write(base: Node, new: Node, *, shape: Shape) -> Node:
    raise ArgumentError(
        "cannot write in place through an expanded tensor: one entry of it stands in many places",
        got=f"{list(base.shape)} expanded to {list(shape)}",
        fix="clone() the expanded tensor first",
    )


@op(
    spec=_expand_spec, latex=r"{x}", prec=ATOM, write=_no_write,
    cases=[case((3,), shape=(2, 3)), case((2, 1, 5), shape=(2, 3, 5)), case((), shape=(2, 3)), case((1,), shape=(0,))],
    says="Repeats x along axes of size 1; the gradients of all the repeats are added.",
)  # fmt: skip
def expand(xp: Any, x: Array, *, shape: Shape) -> Array:
    if xp is np and x.ndim and x.size and x.flags.c_contiguous:  # np.broadcast_to takes ten times as long
        new = len(shape) - x.ndim
        strides = x.strides
        if shape[new:] != x.shape:
            sizes = list(zip(x.shape, shape[new:], strides, strict=True))
            if any(size not in (1, to) for size, to, _ in sizes):
                raise ValueError("these sizes cannot be repeated")  # the spec rule says it in the user's terms
            strides = tuple(0 if size != to else stride for size, to, stride in sizes)
        return np.ndarray(shape, x.dtype, x, 0, (0,) * new + strides)
    return xp.broadcast_to(x, shape)


@expand.looks
def _(old: Shape, strides: Shape, new: Shape, **_: Any) -> tuple[int, Shape]:
    more = len(new) - len(old)
    return 0, (0,) * more + tuple(0 if n != m else s for n, m, s in zip(old, new[more:], strides, strict=True))


@expand.simplifies
def _(r: Any, val: Any) -> Any:
    (source,) = val.ins
    if source.shape == val.shape:
        return source
    if source.op == "expand" or (source.op == "reshape" and not source.ins[0].shape):
        return r.made(expand, *source.ins, shape=val.shape, like=val)
    return None


@expand.vjp
def _(g: Node, y: Node, x: Node, *, shape: Shape) -> Node:
    from .reduce import sum

    new = len(shape) - len(x.shape)
    same = tuple(axis + new for axis, size in enumerate(x.shape) if size != shape[axis + new])
    total = g
    if new:
        total = sum(total, axes=tuple(range(new)))
    if same:
        total = sum(total, axes=tuple(axis - new for axis in same), keep=True)
    return total


def _length(cut: Cut) -> int:
    start, stop, step = cut
    return max(0, -((start - stop) // step))


def _slices(cuts: tuple[Cut, ...]) -> tuple[slice, ...]:
    return tuple(slice(start, stop, step) for start, stop, step in cuts)


_CUTS = [((0, 2, 1), (1, 3, 1)), ((0, 2, 1), (0, 3, 2)), ((1, 1, 1), (0, 3, 1))]


def _slice_latex(x: str, *, cuts: tuple[Cut, ...]) -> str:
    return f"{x}_{{{','.join(f'{start}:{stop}' + f':{step}' * (step != 1) for start, stop, step in cuts)}}}"


def _write_slice(base: Node, new: Node, *, cuts: tuple[Cut, ...]) -> Node:
    return slice_scatter(base, new, cuts=cuts)


@op(
    spec=lambda x, *, cuts: Spec(tuple(map(_length, cuts)), x.dtype), latex=_slice_latex, prec=ATOM,
    cases=[*(case((2, 3), cuts=cuts) for cuts in _CUTS), case((2, 3, 5), cuts=((0, 1, 1), (0, 3, 1), (1, 5, 3)))],
    write=_write_slice,
    says="Takes a part; what was not taken gets a gradient of 0.",
)  # fmt: skip
def slice_(xp: Any, x: Array, *, cuts: tuple[Cut, ...]) -> Array:
    return x[_slices(cuts)]


@slice_.looks
def _(shape: Shape, strides: Shape, new: Shape, *, cuts: tuple[Cut, ...]) -> tuple[int, Shape]:
    offset = 0 if 0 in new else sum(start * s for (start, _, _), s in zip(cuts, strides, strict=True))
    return offset, tuple(step * s for (_, _, step), s in zip(cuts, strides, strict=True))


def _whole(cuts: tuple[Cut, ...], shape: Shape) -> bool:
    return all(cut == (0, n, 1) for cut, n in zip(cuts, shape, strict=True))


slice_.simplifies(lambda r, val: val.ins[0] if _whole(val.params["cuts"], val.ins[0].shape) else None)


@slice_.vjp
def _(g: Node, y: Node, x: Node, *, cuts: tuple[Cut, ...]) -> Node:
    return slice_scatter(zeros(x.shape, g.dtype), g, cuts=cuts)


def _slice_scatter_spec(x: Spec, part: Spec, *, cuts: tuple[Cut, ...]) -> Spec:
    expected = tuple(map(_length, cuts))
    if part.shape != expected:
        raise ShapeError(f"cannot write into a part of shape {list(expected)}", got=f"{part} into {x}")
    return x


@op(
    spec=_slice_scatter_spec, latex=r"{x} \gets {part}", prec=ATOM,
    cases=[case((2, 3), tuple(map(_length, cuts)), cuts=cuts) for cuts in _CUTS],
    says="x with a part of it replaced; the gradient of the part goes to what was put there.",
)  # fmt: skip
def slice_scatter(xp: Any, x: Array, part: Array, *, cuts: tuple[Cut, ...]) -> Array:
    if xp is not np:
        return x.at[_slices(cuts)].set(part)
    made = np.array(x, order="C")
    made[_slices(cuts)] = part
    return made


@slice_scatter.simplifies
def _(r: Any, val: Any) -> Any:
    x, part = val.ins
    cuts = val.params["cuts"]
    if _whole(cuts, x.shape):
        return part
    if r.is_zeros(x):
        return r.assembled(val, (part,), (cuts,))
    return r.assembled(val, (x, part), (tuple((0, n, 1) for n in x.shape), cuts))


@slice_scatter.vjp
def _(g: Node, y: Node, x: Node, part: Node, *, cuts: tuple[Cut, ...]) -> Node:
    return slice_scatter(g, zeros(part.shape, g.dtype), cuts=cuts)


slice_scatter.vjp(lambda g, y, x, part, *, cuts: slice_(g, cuts=cuts))


def _cat_spec(*xs: Spec, axis: int) -> Spec:
    first = xs[0]
    for number, x in enumerate(xs[1:], 1):
        if len(x.shape) != len(first.shape) or any(
            a != b for where, (a, b) in enumerate(zip(first.shape, x.shape, strict=True)) if where != axis
        ):
            raise ShapeError(
                f"cat along dimension {axis}: tensor {number} does not fit tensor 0; all other sizes must be the same",
                got=" and ".join(map(str, xs)), fix="reshape or slice the tensors first",
            )  # fmt: skip
    if len({x.dtype for x in xs}) > 1:
        raise DtypeError("cat needs tensors of one dtype", got=" and ".join(map(str, xs)), fix="use .to(dtype)")
    shape = list(first.shape)
    shape[axis] = sum(x.shape[axis] for x in xs)
    return Spec(tuple(shape), first.dtype)


@op(
    spec=_cat_spec, latex=lambda *xs, axis: r"\left[" + ",\\; ".join(xs) + r"\right]", prec=ATOM,
    cases=[case((2, 3), (2, 5), axis=1), case((2, 3), (1, 3), (5, 3), axis=0), case((2, 0), (2, 3), axis=1)],
    says="Puts tensors one after another; each gets its own part of the gradient.",
)  # fmt: skip
def cat(xp: Any, *xs: Array, axis: int) -> Array:
    return xp.concatenate(xs, axis=axis)


@cat.simplifies
def _(r: Any, val: Any) -> Any:
    axis, start, boxes = val.params["axis"], 0, []
    for part in val.ins:
        box = [(0, n, 1) for n in val.shape]
        box[axis] = (start, start + part.shape[axis], 1)
        start += part.shape[axis]
        boxes.append(tuple(box))
    return r.assembled(val, val.ins, tuple(boxes))


@cat.vjp_each
def _(index: int, g: Node, y: Node, *xs: Node, axis: int) -> Node:
    start = sum(x.shape[axis] for x in xs[:index])
    cuts = [(0, size, 1) for size in g.shape]
    cuts[axis] = (start, start + xs[index].shape[axis], 1)
    return slice_(g, cuts=tuple(cuts))


@op(
    spec=lambda x, *, axes: x, latex=r"\overleftarrow{{{x}}}", prec=ATOM,
    cases=[case((2, 3), axes=(1,)), case((2, 3, 5), axes=(0, 2))],
    says="Turns the order along axes; the gradient is turned back.",
)  # fmt: skip
def flip(xp: Any, x: Array, *, axes: tuple[int, ...]) -> Array:
    return xp.ascontiguousarray(xp.flip(x, axes)) if x.ndim else x


flip.vjp(lambda g, y, x, *, axes: flip(g, axes=axes))


@flip.looks
def _(shape: Shape, strides: Shape, new: Shape, *, axes: tuple[int, ...]) -> tuple[int, Shape]:
    offset = sum((shape[a] - 1) * strides[a] for a in axes if shape[a])
    return offset, tuple(-s if a in axes else s for a, s in enumerate(strides))
