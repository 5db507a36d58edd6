"""Products with a weight, and looking rows up in one."""

from __future__ import annotations

from ... import functions as fn
from ...errors import ArgumentError, DtypeError, NotCovered, ShapeError
from ...tensor import Tensor
from ._common import check_indices, floating, known

__all__ = ["bilinear", "embedding", "linear", "one_hot"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (*, in) with (out, in) and (out,) gives (*, out).

    Raises ShapeError when the last dimension of x is not ``in``.

    >>> nn.functional.linear(gg.ones(2, 3), gg.ones(1, 3), gg.ones(1)).tolist()
    [[4.0], [4.0]]
    """
    shape = input.shape
    if not shape or shape[-1] != weight.shape[-1]:
        raise ShapeError(
            "linear multiplies the last dimension of the input with the last of the weight",
            got=f"input {tuple(shape)}, weight {tuple(weight.shape)}",
            fix=f"give the layer {shape[-1] if shape else 'some'} input features, or reshape the input",
        )
    if weight.dim() == 1:
        y = (input * weight).sum(-1)
        return y if bias is None else y + bias
    if bias is not None and bias.shape != (weight.shape[0],):
        return fn.affine(input, weight) + bias
    return fn.affine(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of a_i * weight[o, i, j] * b_j, plus bias: (*, in1) and (*, in2) give (*, out).

    >>> nn.functional.bilinear(gg.ones(2, 3), gg.ones(2, 5), gg.ones(1, 3, 5)).tolist()
    [[15.0], [15.0]]
    """
    out, n, m = weight.shape
    lead = tuple(input1.shape[:-1])
    if tuple(input2.shape[:-1]) != lead or input1.shape[-1] != n or input2.shape[-1] != m:
        raise ShapeError(
            f"bilinear takes (*, {n}) and (*, {m}) with the same leading dimensions",
            got=f"{tuple(input1.shape)} and {tuple(input2.shape)}",
        )
    a, b = (input1, input2) if len(lead) == 1 else (input1.reshape(-1, n), input2.reshape(-1, m))
    rows = a.shape[0]
    right = (a @ weight.permute(1, 0, 2).reshape(n, out * m)).reshape(rows, out, m)
    y = (right * b.unsqueeze(1)).sum(2)
    if bias is not None:
        y = y + bias
    return y if len(lead) == 1 else y.reshape((*lead, out))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table: indices (*) into (num, dim) give (*, dim). No gradient flows to the row ``padding_idx``.

    Raises IndexRangeError for an index outside the table, DtypeError for indices that are not integers, NotCovered
    for ``max_norm``, ``scale_grad_by_freq`` and ``sparse``.

    >>> nn.functional.embedding(gg.tensor([2, 0]), gg.arange(6.0).reshape(3, 2)).tolist()
    [[4.0, 5.0], [0.0, 1.0]]
    """
    if max_norm is not None or scale_grad_by_freq or sparse:
        raise NotCovered("embedding without max_norm, scale_grad_by_freq and sparse is what there is")
    if input.dtype not in (fn.int64, fn.int32):
        raise DtypeError("embedding looks up integers", got=f"dtype {input.dtype}", fix="pass input.long()")
    values = known(input)
    check_indices(input, weight.shape[0], "embedding index")
    rows = weight[input]
    if padding_idx is None:
        return rows
    if not -weight.shape[0] <= padding_idx < weight.shape[0]:
        raise ArgumentError("padding_idx is a row of the table", got=f"{padding_idx} of {weight.shape[0]} rows")
    padding_idx %= weight.shape[0]
    if values is not None and not (values == padding_idx).any():
        return rows
    return fn.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Indices (*) as rows of zeros with a single one: int64 (*, num_classes); -1 takes the largest index plus one.

    Raises DtypeError unless the indices are int64, IndexRangeError for one outside.

    >>> nn.functional.one_hot(gg.tensor([1, 0]), 3).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    if floating(tensor) or tensor.dtype != fn.int64:
        raise DtypeError("one_hot takes class indices as int64", got=f"dtype {tensor.dtype}", fix="pass tensor.long()")
    if num_classes == -1:
        if tensor.numel() == 0:
            raise ArgumentError("one_hot cannot tell the number of classes from no index at all", fix="num_classes=...")
        num_classes = int(tensor.max().item()) + 1
    check_indices(tensor, num_classes, "class index")
    return (tensor.unsqueeze(-1) == fn.arange(num_classes)).to(fn.int64)
