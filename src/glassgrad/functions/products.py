"""Matrix products and what is composed of them: einsum, outer and inner products, affine maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dispatch import apply
from ..errors import ArgumentError, DtypeError, ShapeError
from ..graph import Node
from ..ops.conv import conv as conv_op
from ..ops.conv import conv_transpose as conv_transpose_op
from ..ops.fused import affine as affine_op
from ..ops.linalg import matmul as matmul_op
from ..ops.pool import max_pool_index as max_pool_index_op
from ..ops.shape import expand, permute, reshape
from ..spec import broadcast_shapes
from ..tensor import Tensor, wrap
from .register import function, node_of, tensor_of


def _one_dtype(name: str, a: Node, b: Node) -> None:
    if a.dtype is not b.dtype and a.dtype != b.dtype:
        raise DtypeError(
            f"{name} needs one dtype, not {a.dtype} and {b.dtype}",
            got=f"{a.spec} and {b.spec}",
            fix="convert one of them, e.g. x.to(other.dtype); numbers from NumPy are float64, glassgrad's float32",
        )


@function()
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, with vectors at either side and batches that broadcast, as PyTorch and NumPy have it.

    Shapes: (..., n, k) @ (..., k, m) -> (..., n, m).
    """
    a, b = node_of(tensor_of(input)), node_of(tensor_of(other, "other"))
    _one_dtype("a matrix product", a, b)
    if len(a.shape) == 2 and len(b.shape) == 2:
        return wrap(apply(matmul_op, (a, b), {}))
    if not a.shape or not b.shape:
        raise ShapeError("a matrix product needs dimensions", got=f"{a.spec} @ {b.spec}", fix="use * for numbers")
    return wrap(_general(a, b))


def _general(a: Node, b: Node) -> Node:
    row, column = len(a.shape) == 1, len(b.shape) == 1
    a = reshape(a, shape=(1, *a.shape)) if row else a
    b = reshape(b, shape=(*b.shape, 1)) if column else b
    if a.shape[-1] != b.shape[-2]:
        matmul_op.spec(a.spec, b.spec)
    if len(b.shape) == 2:  # one product of all rows rather than one for each batch
        lead = a.shape[:-1]
        made = apply(matmul_op, (reshape(a, shape=(math.prod(lead), a.shape[-1])), b), {})
        shape = (*lead, b.shape[-1])
    else:
        batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = a if a.shape[:-2] == batch else expand(a, shape=(*batch, *a.shape[-2:]))
        b = b if b.shape[:-2] == batch else expand(b, shape=(*batch, *b.shape[-2:]))
        made = apply(matmul_op, (a, b), {})
        shape = made.shape
    if row:
        shape = (*shape[:-2], shape[-1])
    if column:
        shape = shape[:-1]
    return made if shape == made.shape else reshape(made, shape=shape)


setattr(Tensor, "__matmul__", matmul)  # noqa: B010
setattr(Tensor, "__rmatmul__", lambda self, other: matmul(other, self))  # noqa: B010


def _with_dims(name: str, input: Tensor, other: Tensor, a: int, b: int) -> Tensor:
    if input.ndim != a or other.ndim != b:
        raise ShapeError(
            f"{name} takes tensors of {a} and {b} dimensions", got=f"{input.node.spec} and {other.node.spec}",
            fix="use matmul, which takes any",
        )  # fmt: skip
    return matmul(input, other)


@function()
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    return _with_dims("mm", input, mat2, 2, 2)


@function()
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices."""
    if input.ndim == mat2.ndim == 3 and input.shape[0] != mat2.shape[0]:
        raise ShapeError("bmm: the batches differ in size", got=f"{input.node.spec} and {mat2.node.spec}")
    return _with_dims("bmm", input, mat2, 3, 3)


@function()
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector."""
    return _with_dims("mv", input, vec, 2, 1)


@function()
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' entries."""
    return _with_dims("dot", input, tensor, 1, 1)


@function()
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products along the last dimension of both. Shapes: (..., k), (..., k) -> (..., ...)."""
    if not input.ndim or not other.ndim:
        return input * other
    return tensordot(input, other, ([input.ndim - 1], [other.ndim - 1]))


@function(names=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every entry of one vector times every entry of the other."""
    return input.unsqueeze(1) * vec2.unsqueeze(0)


@function(inplace=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)."""
    product = mm(mat1, mat2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


@function(method=False)
def affine(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``, the map of a linear layer.

    Shapes: (..., in), (out, in), (out,) -> (..., out).
    """
    x, w = node_of(input), node_of(weight)
    _one_dtype("a linear map", x, w)
    if not x.shape or x.shape[-1] != w.shape[-1]:
        raise ShapeError(
            f"a linear map from {w.shape[-1]} to {w.shape[0]} features got {x.shape[-1] if x.shape else 'no'} features",
            got=f"input {x.spec}, weight {w.spec}",
            fix="the last size of the input must be in_features; flatten or transpose the input, or change the layer",
        )
    flat = x if len(x.shape) == 2 else reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))
    if bias is None:
        made = apply(matmul_op, (flat, w), {"tb": True})
    else:
        b = node_of(bias)
        _one_dtype("a linear map", x, b)
        made = apply(affine_op, (flat, w, b), {})
    return wrap(made if flat is x else reshape(made, shape=(*x.shape[:-1], w.shape[0])))


@function(method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The product over several dimensions at once: the last ``dims`` of a and the first of b, or two lists."""
    left = list(range(a.ndim - dims, a.ndim)) if isinstance(dims, int) else [d % a.ndim for d in dims[0]]
    right = list(range(dims)) if isinstance(dims, int) else [d % b.ndim for d in dims[1]]
    names = [chr(97 + at) for at in range(a.ndim + b.ndim)]
    for at, other in zip(right, left, strict=True):
        names[a.ndim + at] = names[other]
    free = [names[at] for at in range(a.ndim) if at not in left]
    free += [names[a.ndim + at] for at in range(b.ndim) if at not in right]
    return einsum(f"{''.join(names[: a.ndim])},{''.join(names[a.ndim :])}->{''.join(free)}", a, b)


@function(method=False)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products, written with one letter for each dimension: ``einsum("bik,bkj->bij", a, b)``.

    Letters that are missing on the right are summed over. Without ``->`` the letters that occur once are kept, in
    alphabetical order. ``...`` stands for dimensions without a letter.
    """
    given = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else list(operands)
    terms, result = _parse(equation, [tensor_of(x, "an operand") for x in given])
    made, letters = _unique(given[0].node, terms[0])
    for number, (x, term) in enumerate(zip(given[1:], terms[1:], strict=True), 1):
        later = set(result).union(*terms[number + 1 :])
        made, letters = _contract(made, letters, *_unique(x.node, term), later)
    made, letters = _sum_out(made, letters, set(result))
    return wrap(permute(made, axes=tuple(letters.index(letter) for letter in result)))


def _parse(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ArgumentError(f"einsum: {len(terms)} terms for {len(operands)} operands", got=repr(equation))
    extra = max((x.ndim - len(term.replace("...", "")) for x, term in zip(operands, terms, strict=True)), default=0)
    dots = "ΑΒΓΔΕΖΗΘ"[: max(extra, 0)]
    written = []
    for x, term in zip(operands, terms, strict=True):
        missing = x.ndim - len(term.replace("...", ""))
        full = term.replace("...", dots[len(dots) - missing :]) if "..." in term and missing >= 0 else term
        if len(full) != x.ndim or (not full.isalpha() and full):
            raise ShapeError(
                f"einsum: the term {term!r} does not name each dimension", got=f"{x.node.spec} in {equation!r}"
            )
        written.append(full)
    letters = "".join(written)
    if not arrow:
        return written, dots + "".join(sorted(a for a in set(letters) if letters.count(a) == 1 and a not in dots))
    right = right.replace("...", dots)
    if len(set(right)) < len(right) or not set(right) <= set(letters):
        raise ArgumentError("einsum: each letter of the result must occur once, and in an operand", got=repr(equation))
    return written, right


def _unique(x: Node, term: str) -> tuple[Node, str]:
    """A letter that stands twice in one term takes the diagonal."""
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            a, b = (at for at, found in enumerate(term) if found == letter and term[:at].count(letter) < 2)
            x = wrap(x).diagonal(0, a, b).node
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + letter
    return x, term


def _sum_out(x: Node, letters: str, kept: set[str]) -> tuple[Node, str]:
    gone = tuple(at for at, letter in enumerate(letters) if letter not in kept)
    if not gone:
        return x, letters
    return wrap(x).sum(gone).node, "".join(letter for letter in letters if letter in kept)


def _contract(a: Node, la: str, b: Node, lb: str, later: set[str]) -> tuple[Node, str]:
    """Two terms into one, as a batched matrix product: batch letters, free letters of each, summed letters."""
    a, la = _sum_out(a, la, later | set(lb))
    b, lb = _sum_out(b, lb, later | set(la))
    size = _sizes(a, la, b, lb)
    batch = [x for x in la if x in lb and x in later]
    summed = [x for x in la if x in lb and x not in later]
    free_a, free_b = [x for x in la if x not in lb], [x for x in lb if x not in la]
    left = _grouped(a, la, size, batch, free_a, summed)
    right = _grouped(b, lb, size, batch, summed, free_b)
    made = apply(matmul_op, (left, right), {})
    letters = batch + free_a + free_b
    return reshape(made, shape=tuple(size[x] for x in letters)), "".join(letters)


def _sizes(a: Node, la: str, b: Node, lb: str) -> dict[str, int]:
    size: dict[str, int] = {}
    for letter, n in zip(la + lb, a.shape + b.shape, strict=True):
        if size.get(letter, 1) not in (1, n) and n != 1:
            raise ShapeError(f"einsum: {letter!r} stands for sizes {size[letter]} and {n}", got=f"{a.spec}, {b.spec}")
        size[letter] = max(n, size.get(letter, n)) if n != 0 else 0
    return size


def _grouped(x: Node, letters: str, size: dict[str, int], *groups: list[str]) -> Node:
    order = [letter for group in groups for letter in group]
    x = permute(x, axes=tuple(letters.index(letter) for letter in order))
    full = tuple(size[letter] for letter in order)
    x = x if x.shape == full else expand(x, shape=full)
    return reshape(x, shape=tuple(math.prod(size[letter] for letter in group) for group in groups))


@function(method=False)
def conv(
    input: Tensor, weight: Tensor, *, stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...],
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """Convolution over one or two dimensions of space, without a bias.

    Shapes: (batch, in, *space), (out, in / groups, *kernel) -> (batch, out, *windows).
    """
    x, w = node_of(input), node_of(weight)
    params = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv_op.spec(x.spec, w.spec, **params)
    return wrap(apply(conv_op, (x, w), params))


@function(method=False)
def conv_transpose(
    input: Tensor, weight: Tensor, *, stride: tuple[int, ...], padding: tuple[int, ...],
    output_padding: tuple[int, ...], dilation: tuple[int, ...], groups: int = 1,
) -> Tensor:  # fmt: skip
    """The transpose of a convolution, without a bias: each entry lays down a scaled kernel.

    Shapes: (batch, in, *space), (in, out / groups, *kernel) -> (batch, out, *size), with
    size = (space - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.
    """
    x, w = node_of(input), node_of(weight)
    terms = zip(x.shape[2:], w.shape[2:], stride, padding, output_padding, dilation, strict=True)
    size = tuple((n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, o, d in terms)
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise ArgumentError("output_padding must be smaller than stride or dilation", got=repr(output_padding))
    params = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv_transpose_op.spec(x.spec, w.spec, **params)
    return wrap(apply(conv_transpose_op, (x, w), params))


@function(method=False)
def max_pool_index(
    input: Tensor, *, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...],
    dilation: tuple[int, ...], ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """Where, in the flattened space of the input, the largest entry of each window stands (int64)."""
    params: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    params["ceil_mode"] = ceil_mode
    max_pool_index_op.spec(input.node.spec, **params)
    return wrap(apply(max_pool_index_op, (input.node,), params))
