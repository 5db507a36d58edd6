"""Convolution, and the two products that are its derivatives; each is bilinear and they differentiate into each other.

    conv(x, w)            y[n,o,p]   = sum over c,k of w[o,c,k] * x[n,c, p*stride + k*dilation - padding]
    conv_transpose(u, w)  the same sum read from y to x: the gradient of x
    conv_weight(x, u)     the same sum read from y and x to w: the gradient of w

x is (batch, channels, *space), w is (out, channels / groups, *kernel), with one or two dimensions of space.
Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016), for sizes and transposes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from ..errors import DtypeError, ShapeError
from ..graph import Node
from ..op import PRODUCT, case, op
from ..spec import Shape, Spec, bool_, numel
from .shape import flip, permute, reshape, slice_

Array = Any
Sizes = tuple[int, ...]


def out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many windows of ``kernel`` fit into ``size`` with ``padding`` at both ends."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _check(x: Spec, w: Spec, groups: int, what: str) -> None:
    if x.dtype != w.dtype:
        raise DtypeError(
            f"{what} needs one dtype, not {x.dtype} and {w.dtype}", got=f"input {x}, weight {w}",
            fix="convert one of them with .to(dtype)",
        )  # fmt: skip
    if len(x.shape) != len(w.shape) or len(x.shape) not in (3, 4):
        raise ShapeError(
            f"{what} takes (batch, channels, length) or (batch, channels, height, width) and a weight to match",
            got=f"input {x}, weight {w}", fix="add the missing batch dimension with unsqueeze(0)",
        )  # fmt: skip
    if w.shape[0] % groups:
        raise ShapeError(f"{what}: {w.shape[0]} output channels cannot be split into {groups} groups", got=str(w))


def _conv_spec(x: Spec, w: Spec, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Spec:
    _check(x, w, groups, "conv")
    if x.shape[1] != w.shape[1] * groups:
        raise ShapeError(
            f"conv: the input has {x.shape[1]} channels, the weight is for {w.shape[1] * groups}",
            got=f"input {x}, weight {w}, groups {groups}", fix="match in_channels to the input",
        )  # fmt: skip
    space = tuple(map(out_size, x.shape[2:], w.shape[2:], stride, padding, dilation))
    if min(space) < 1:
        raise ShapeError(
            f"conv: the kernel {list(w.shape[2:])} is larger than the padded input", got=f"input {x}, weight {w}",
            fix="use a smaller kernel or dilation, or more padding",
        )  # fmt: skip
    return Spec((x.shape[0], w.shape[0], *space), x.dtype)


def _windows(kernel: Sizes, out: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[Sizes, tuple[slice, ...]]]:
    """For each entry of the kernel: its place, and the padded input's entries that it meets, one for each output."""
    for place in itertools.product(*map(range, kernel)):
        starts = [k * d for k, d in zip(place, dilation, strict=True)]
        yield place, tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, out, stride, strict=True))


def _columns(xp: Any, x: Array, kernel: Sizes, out: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
    """Every window as a column: (batch, channels, *kernel, *out)."""
    padded = xp.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding))) if any(padding) else x
    columns = xp.empty((*x.shape[:2], *kernel, *out), x.dtype)
    for place, window in _windows(kernel, out, stride, dilation):
        columns[(slice(None), slice(None), *place)] = padded[(slice(None), slice(None), *window)]
    return columns


_CASES: list[tuple[Shape, Shape, Shape, dict[str, Any]]] = [
    ((2, 3, 5, 7), (4, 3, 3, 2), (2, 4, 3, 6), {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}),
    ((1, 4, 5, 6), (6, 2, 2, 3), (1, 6, 3, 4), {"stride": (2, 1), "padding": (1, 1), "dilation": (2, 2), "groups": 2}),
    ((2, 3, 7), (5, 3, 3), (2, 5, 4), {"stride": (2,), "padding": (1,), "dilation": (1,), "groups": 1}),
]


@op(
    spec=_conv_spec, kind="conv", latex=r"{x} \ast {w}", prec=PRODUCT,
    cases=[case(x, w, **params) for x, w, _, params in _CASES],
    summed=lambda x, w, **_: math.prod(w.shape[1:]), columns=lambda shape: shape[2:],
    says="Slides the kernels over the input; each result is a window times a kernel, added up.",
)  # fmt: skip
def conv(xp: Any, x: Array, w: Array, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
    kernel = w.shape[2:]
    out = tuple(map(out_size, x.shape[2:], kernel, stride, padding, dilation))
    columns = _columns(xp, x, kernel, out, stride, padding, dilation)
    rows = w.reshape(groups, w.shape[0] // groups, -1)
    made = xp.matmul(rows, columns.reshape(x.shape[0], groups, rows.shape[2], math.prod(out)))
    return made.reshape(x.shape[0], w.shape[0], *out)


def _transpose_spec(
    u: Spec, w: Spec, *, size: Shape, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Spec:
    _check(u, w, groups, "conv_transpose")
    if u.shape[1] != w.shape[0]:
        raise ShapeError(
            f"conv_transpose: the input has {u.shape[1]} channels, the weight is for {w.shape[0]}",
            got=f"input {u}, weight {w}", fix="match in_channels to the input",
        )  # fmt: skip
    return Spec((u.shape[0], w.shape[1] * groups, *size), u.dtype)


@op(
    spec=_transpose_spec, kind="conv", latex=r"{u} \ast^\top {w}", prec=PRODUCT,
    cases=[case(u, w, size=x[2:], **params) for x, w, u, params in _CASES],
    flops=lambda y, u, w, **_: 2 * numel(u.shape) * numel(w.shape[1:]),
    says="Lays a scaled copy of the kernel around each entry and adds the copies up.",
)  # fmt: skip
def conv_transpose(
    xp: Any, u: Array, w: Array, *, size: Shape, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    kernel, out = w.shape[2:], u.shape[2:]
    rows = w.reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    columns = xp.matmul(rows, u.reshape(u.shape[0], groups, w.shape[0] // groups, math.prod(out)))
    columns = columns.reshape(u.shape[0], w.shape[1] * groups, *kernel, *out)
    made = xp.zeros((*columns.shape[:2], *(n + 2 * p for n, p in zip(size, padding, strict=True))), u.dtype)
    for place, window in _windows(kernel, out, stride, dilation):
        made[(slice(None), slice(None), *window)] += columns[(slice(None), slice(None), *place)]
    return made[(slice(None), slice(None), *(slice(p, p + n) for n, p in zip(size, padding, strict=True)))]


def _weight_spec(
    x: Spec, u: Spec, *, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Spec:
    return Spec((u.shape[1], x.shape[1] // groups, *kernel), x.dtype)


@op(
    spec=_weight_spec, kind="conv", latex=r"{u} \star {x}", prec=PRODUCT,
    cases=[case(x, u, kernel=w[2:], **params) for x, w, u, params in _CASES],
    summed=lambda x, u, **_: u.shape[0] * math.prod(u.shape[2:]),
    says="How each kernel entry's input goes together with the result's gradient, over all places and examples.",
)  # fmt: skip
def conv_weight(
    xp: Any, x: Array, u: Array, *, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    out = u.shape[2:]
    columns = _columns(xp, x, kernel, out, stride, padding, dilation)
    columns = columns.reshape(x.shape[0], groups, x.shape[1] // groups * math.prod(kernel), math.prod(out))
    rows = u.reshape(u.shape[0], groups, u.shape[1] // groups, math.prod(out))
    made = xp.matmul(rows, columns.swapaxes(2, 3)).sum(axis=0, dtype=x.dtype)
    return made.reshape(u.shape[1], x.shape[1] // groups, *kernel)


@conv.simplifies
def _(r: Any, val: Any) -> Any:
    """Over weights that lie in order."""
    x, w = val.ins
    if 0 in x.shape or 0 in w.shape:
        return r.filled(0, val.shape, val.dtype)
    if val.dtype == bool_:
        return r.counted(conv, val)
    ordered = r.in_order(w)
    return None if ordered is w else r.made(conv, x, ordered, **val.params, like=val)


def _apart(r: Any, x: Any, before: list[int], steps: Sizes, sizes: list[int]) -> Any:
    """x with zeros around, and between its entries where a step is above 1, in the dimensions after the first two."""
    cuts = [(0, n, 1) for n in x.shape[:2]]
    cuts += [(b, b + (n - 1) * s + 1, s) for b, s, n in zip(before, steps, x.shape[2:], strict=True)]
    shape = (*x.shape[:2], *sizes)
    return r.assembled(r.filled(0, shape, x.dtype), (x,), (tuple(cuts),))


@conv_transpose.simplifies
def _(r: Any, val: Any) -> Any:
    """A convolution of the entries set apart by the stride, with the weights turned round."""
    (u, w), p = val.ins, val.params
    kernel, dilation, groups, padding = w.shape[2:], p["dilation"], p["groups"], p["padding"]
    if 0 in u.shape or 0 in w.shape:
        return r.filled(0, val.shape, val.dtype)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    border = [a - q for a, q in zip(reach, padding, strict=True)]
    if min(border) < 0:  # more is cut off than the kernel reaches over
        size = tuple(n + 2 * q for n, q in zip(p["size"], padding, strict=True))
        whole = r.made(conv_transpose, u, w, **{**p, "size": size, "padding": (0,) * len(size)}, like=val)
        cuts = [(0, n, 1) for n in val.shape[:2]] + [(q, q + n, 1) for q, n in zip(padding, p["size"], strict=True)]
        return r.made(slice_, whole, cuts=tuple(cuts), like=val)
    wanted = [size - 2 * b + a for size, b, a in zip(p["size"], border, reach, strict=True)]
    apart = [(n - 1) * s + 1 for n, s in zip(u.shape[2:], p["stride"], strict=True)]
    if apart != wanted or any(s != 1 for s in p["stride"]):
        u = _apart(r, u, [0] * len(wanted), p["stride"], wanted)
    out, inner = w.shape[0] // groups, w.shape[1]
    space = tuple(range(3, 3 + len(kernel)))
    turned = r.made(reshape, w, shape=(groups, out, inner, *kernel))
    turned = r.made(flip, r.made(permute, turned, axes=(0, 2, 1, *space)), axes=space)
    turned = r.made(reshape, r.in_order(turned), shape=(groups * inner, out, *kernel))
    ones = (1,) * len(kernel)
    return r.made(conv, u, turned, stride=ones, padding=tuple(border), dilation=dilation, groups=groups, like=val)


@conv_weight.simplifies
def _(r: Any, val: Any) -> Any:
    """Over input that has its border of zeros, and a gradient that lies in order."""
    (x, u), padding = val.ins, val.params["padding"]
    if 0 in x.shape or 0 in u.shape:
        return r.filled(0, val.shape, val.dtype)
    if val.dtype == bool_:
        return r.counted(conv_weight, val)
    ordered = r.in_order(u)
    if ordered is u and not any(padding):
        return None
    if any(padding):
        sizes = [n + 2 * q for n, q in zip(x.shape[2:], padding, strict=True)]
        x = _apart(r, x, list(padding), (1,) * len(padding), sizes)
    return r.made(conv_weight, x, ordered, **{**val.params, "padding": (0,) * len(padding)}, like=val)


conv.writes(lambda k: k.convolution())
conv_weight.writes(lambda k: k.weight_gradient())


def _moves(params: dict[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("stride", "padding", "dilation", "groups")}


@conv.vjp
def _(g: Node, y: Node, x: Node, w: Node, **params: Any) -> Node:
    return conv_transpose(g, w, size=x.shape[2:], **params)


@conv.vjp
def _(g: Node, y: Node, x: Node, w: Node, **params: Any) -> Node:
    return conv_weight(x, g, kernel=w.shape[2:], **params)


@conv_transpose.vjp
def _(g: Node, y: Node, u: Node, w: Node, **params: Any) -> Node:
    return conv(g, w, **_moves(params))


@conv_transpose.vjp
def _(g: Node, y: Node, u: Node, w: Node, **params: Any) -> Node:
    return conv_weight(g, u, kernel=w.shape[2:], **_moves(params))


@conv_weight.vjp
def _(g: Node, y: Node, x: Node, u: Node, **params: Any) -> Node:
    return conv_transpose(u, g, size=x.shape[2:], **_moves(params))


@conv_weight.vjp
def _(g: Node, y: Node, x: Node, u: Node, **params: Any) -> Node:
    return conv(x, g, **_moves(params))
