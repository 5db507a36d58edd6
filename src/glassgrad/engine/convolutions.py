"""Convolutions in the forms that have kernels: a transposed one as a plain one, a weight gradient over input with its
border."""

from __future__ import annotations

import math

import numpy as np

from .program import Val, constant, made_of


def _zeros(shape: tuple[int, ...], like: Val) -> Val:
    return made_of("expand", (constant(np.zeros((), like.dtype)),), {"shape": shape})


def put_into_zeros(x: Val, before: list[int], steps: list[int], sizes: list[int]) -> Val:
    """x with zeros around, and between its entries where a step is above 1, in the dimensions after the first two."""
    cuts = [(0, n, 1) for n in x.shape[:2]]
    cuts += [(b, b + (n - 1) * s + 1, s) for b, s, n in zip(before, steps, x.shape[2:], strict=True)]
    shape = (*x.shape[:2], *sizes)
    return Val("assemble", (x,), {"cuts": (tuple(cuts),)}, shape, x.dtype, None, x.origin)


def transposed(val: Val) -> Val | None:
    """conv_transpose as conv: over the entries set apart by the stride, with the weights turned round."""
    u, w = val.ins
    p = val.params
    kernel, dilation, groups = w.shape[2:], p["dilation"], p["groups"]
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    border = [r - q for r, q in zip(reach, p["padding"], strict=True)]
    if min(border) < 0 or 0 in u.shape:
        return None
    apart = [(n - 1) * s + 1 for n, s in zip(u.shape[2:], p["stride"], strict=True)]
    wanted = [size - 2 * b + r for size, b, r in zip(p["size"], border, reach, strict=True)]
    if any(a != b for a, b in zip(apart, wanted, strict=True)) or any(s != 1 for s in p["stride"]):
        if any(b < a for a, b in zip(apart, wanted, strict=True)):
            return None
        u = put_into_zeros(u, [0] * len(wanted), list(p["stride"]), wanted)
    out, inner = w.shape[0] // groups, w.shape[1]
    space = tuple(range(3, 3 + len(kernel)))
    turned = made_of("reshape", (w,), {"shape": (groups, out, inner, *kernel)})
    turned = made_of("permute", (turned,), {"axes": (0, 2, 1, *space)})
    turned = made_of("flip", (turned,), {"axes": space})
    turned = Val("contig", (turned,), {}, turned.shape, turned.dtype, None, val.origin)
    turned = made_of("reshape", (turned,), {"shape": (groups * inner, out, *kernel)})
    params = {"stride": (1,) * len(kernel), "padding": tuple(border), "dilation": dilation, "groups": groups}
    made = made_of("conv", (u, turned), params, val.origin)
    assert made.shape == val.shape, f"{made.shape} for {val.shape}"
    return made


def bordered(val: Val) -> Val | None:
    """conv_weight over input that has its border of zeros."""
    x, u = val.ins
    padding = val.params["padding"]
    if not any(padding) or 0 in x.shape:
        return None
    sizes = [n + 2 * q for n, q in zip(x.shape[2:], padding, strict=True)]
    x = put_into_zeros(x, list(padding), [1] * len(padding), sizes)
    params = {**val.params, "padding": (0,) * len(padding)}
    made = made_of("conv_weight", (x, u), params, val.origin)
    return made if math.prod(made.shape) else None
