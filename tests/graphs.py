"""Random graphs: steps drawn one by one, each for the shapes that are there, and run with both libraries."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[Any], Any]
Step = Callable[..., Any]
"""``step(module, *operands)``: the same call for glassgrad and torch."""
Shape = tuple[int, ...]

SHAPES: list[Shape] = [(), (3,), (4,), (2, 3), (3, 2), (2, 1), (1, 3), (2, 3, 4), (2, 2, 3), (2, 3, 5, 4)]
ODD: list[Shape] = [(17,), (2, 33), (65, 3), (129,), (1, 5, 31), (7, 15), (64, 2)]
"""A little more or less than vectors hold."""
EMPTY: list[Shape] = [(0,), (2, 0), (0, 3), (2, 0, 3), (3, 1, 0)]
LARGEST = 400
FAR = 1e-6
"""How far a point must be from a kink or a tie: nearer, the last bit of rounding decides, and both may be right."""

SMOOTH: dict[str, Step] = {
    "neg": lambda m, x: -x,
    "tanh": lambda m, x: m.tanh(x),
    "sigmoid": lambda m, x: x.sigmoid(),
    "sin": lambda m, x: x.sin(),
    "cos": lambda m, x: m.cos(x),
    "exp": lambda m, x: m.exp(m.tanh(x)),
    "expm1": lambda m, x: m.expm1(-(x * x)),
    "log": lambda m, x: (x * x + 0.5).log(),
    "log1p": lambda m, x: m.log1p(x * x),
    "sqrt": lambda m, x: (x * x + 0.1).sqrt(),
    "rsqrt": lambda m, x: (x * x + 0.5).rsqrt(),
    "square": lambda m, x: x.square(),
    "cube": lambda m, x: m.tanh(x) ** 3,
    "power": lambda m, x: (x * x + 0.3) ** 0.7,
    "erf": lambda m, x: m.erf(x),
    "atan": lambda m, x: x.atan(),
    "reciprocal": lambda m, x: (x * x + 0.5).reciprocal(),
    "asinh": lambda m, x: x.asinh(),
    "add a number": lambda m, x: x + 0.75,
    "from a number": lambda m, x: 1.5 - x,
    "over a number": lambda m, x: x / 3,
    "number over": lambda m, x: 2 / (x * x + 1),
    "clone": lambda m, x: x.clone(),
    "half detached": lambda m, x: x * x.detach(),
    "scaled in place": lambda m, x: (x * 1).mul_(0.5).add_(0.25),
    "sin in place": lambda m, x: (x + 0.0).sin_(),
    "augmented": lambda m, x: augmented(x * 2, x),
}
TWO: dict[str, Step] = {
    "add": lambda m, x, y: x + y,
    "sub": lambda m, x, y: m.sub(x, y, alpha=0.5),
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / (y * y + 0.5),
    "pow": lambda m, x, y: (x * x + 0.5) ** m.tanh(y),
    "atan2": lambda m, x, y: m.atan2(x, y * y + 0.5),
    "logaddexp": lambda m, x, y: m.logaddexp(x, y),
    "hypot": lambda m, x, y: m.hypot(x, y * y + 0.5),
    "lerp": lambda m, x, y: m.lerp(*m.broadcast_tensors(x, y), 0.3),
    "addcmul": lambda m, x, y: m.addcmul(x, y, y, value=0.5),
    "xlogy": lambda m, x, y: m.xlogy(x, y * y + 0.5),
}
KINKED: dict[str, Step] = {
    "relu": lambda m, x: x.relu(),
    "abs": lambda m, x: abs(x),
    "sign": lambda m, x: x.sign() * x,
    "where": lambda m, x: m.where(x > 0, x * 2, x * 0.1),
    "masked": lambda m, x: x.masked_fill(x < 0, 0.5),
    "max with 0": lambda m, x: m.maximum(x, m.zeros_like(x)),
    "clamped": lambda m, x: x.clamp(min=0),
    "counted": lambda m, x: x * (x > 0).sum().to(x.dtype) / (x.numel() + 1),
    "both signs": lambda m, x: x * ((x > 0.5) | (x < -0.5)).to(x.dtype),
    "whole": lambda m, x: x + (x * 0 + x.ndim).to(m.int64) // 2,
    "positive rows": lambda m, x: (x * (x > 0)).cumsum(0) if x.ndim else x * (x > 0),
}
TIED: dict[str, Step] = {
    "amax": lambda m, x, d: m.amax(x, d),
    "amin": lambda m, x, d: x.amin(d, True),
    "max": lambda m, x, d: x.max(d)[0],
    "min": lambda m, x, d: m.min(x, d, keepdim=True)[0],
    "sort": lambda m, x, d: m.sort(x, dim=d)[0],
    "median": lambda m, x, d: x.median(d)[0],
    "topk": lambda m, x, d: x.topk(1, d)[0],
    "cummax": lambda m, x, d: m.cummax(x, d)[0],
    "ranks": lambda m, x, d: x * (x.argsort(d) % 3).to(x.dtype),
    "argmax": lambda m, x, d: x.sum(d) * x.argmax(d).to(x.dtype),
    "sort pick": lambda m, x, d: x.gather(d, x.argsort(d, descending=True)),
}
ALONG: dict[str, Step] = {
    "sum": lambda m, x, d: x.sum(d),
    "sum kept": lambda m, x, d: m.sum(x, d, keepdim=True),
    "sum of two": lambda m, x, d: x.sum((d, (d + 1) % x.ndim)) if x.ndim > 1 else x.sum(d),
    "mean of the others": lambda m, x, d: (
        x.mean([a for a in range(x.ndim) if a != d], keepdim=True) if x.ndim > 1 else x
    ),
    "mean": lambda m, x, d: x.mean(d),
    "var": lambda m, x, d: x.var(d, correction=0),
    "std": lambda m, x, d: (x.var(d, correction=0, keepdim=True) + 0.1).sqrt(),
    "prod": lambda m, x, d: m.tanh(x).prod(d),
    "cumsum": lambda m, x, d: x.cumsum(d),
    "cumprod": lambda m, x, d: m.cos(x).cumprod(d),
    "softmax": lambda m, x, d: x.softmax(d),
    "log_softmax": lambda m, x, d: m.log_softmax(x, d),
    "logsumexp": lambda m, x, d: x.logsumexp(d),
    "norm": lambda m, x, d: (x * x + 0.1).norm(dim=d),
    "flip": lambda m, x, d: x.flip(d),
    "roll": lambda m, x, d: x.roll(1, d),
    "diff": lambda m, x, d: x.diff(dim=d),
    "unsqueeze": lambda m, x, d: x.unsqueeze(d),
    "transpose": lambda m, x, d: x.transpose(0, d),
    "first": lambda m, x, d: x.select(d, 0),
    "every other": lambda m, x, d: x[(slice(None),) * d + (slice(None, None, 2),)],
    "unbound": lambda m, x, d: sum(m.unbind(x, d)),
    "chunks": lambda m, x, d: m.cat(x.chunk(2, d)[::-1], d),
    "stacked": lambda m, x, d: m.stack([x, x * 2], d),
    "repeated": lambda m, x, d: m.cat([x, x * x], d),
    "picked": lambda m, x, d: x.index_select(d, m.tensor([0, x.shape[d] - 1, 0])),
    "gathered": lambda m, x, d: x.gather(d, m.zeros(x.shape, dtype=m.int64)),
    "scattered": lambda m, x, d: x.scatter_add(d, m.zeros(x.shape, dtype=m.int64), x * 2),
    "written": lambda m, x, d: written(x * 1, d),
    "written through a view": lambda m, x, d: through(x * 1, d),
}


OVER: dict[str, Step] = {
    "sum over": lambda m, x, axes, keep: x.sum(axes, keepdim=keep),
    "mean over": lambda m, x, axes, keep: x.mean(axes, keepdim=keep),
    "var over": lambda m, x, axes, keep: x.var(axes, correction=0, keepdim=keep),
    "logsumexp over": lambda m, x, axes, keep: x.logsumexp(axes, keepdim=keep),
    "root mean square over": lambda m, x, axes, keep: ((x * x).mean(axes, keepdim=keep) + 0.1).sqrt(),
    "less its mean over": lambda m, x, axes, keep: x - x.mean(axes, keepdim=True),
}
BLOCKS: dict[str, Step] = {
    "layer_norm": lambda m, x: m.nn.functional.layer_norm(x, x.shape[-1:], eps=0.1),
    "attention": lambda m, x: m.nn.functional.scaled_dot_product_attention(x, m.tanh(x), x * 0.5),
    "causal attention": lambda m, x: m.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
    "gelu": lambda m, x: m.nn.functional.gelu(x),
    "silu": lambda m, x: m.nn.functional.silu(x),
    "softplus": lambda m, x: m.nn.functional.softplus(x),
    "mse": lambda m, x: m.nn.functional.mse_loss(m.tanh(x), x),
}


def augmented(y: Any, x: Any) -> Any:
    y += x
    y *= x.detach() + 1
    return y


def written(y: Any, d: int) -> Any:
    y[(slice(None),) * d + (0,)] = y.sum() * 0.1
    return y


def through(y: Any, d: int) -> Any:
    part = y.transpose(0, d)[0]
    part *= 2
    part += y.mean()
    return y


def gap(values: np.ndarray) -> float:
    ordered = np.sort(values, axis=None)
    return float(np.diff(ordered).min(initial=math.inf))


def reduce_to(shape: Shape, draw: Draw) -> int:
    return draw(st.integers(0, len(shape) - 1))


KINDS = ["smooth", "two", "along", "along", "over", "block", "kinked", "tied", "shape", "product", "image"]


def pick(draw: Draw, values: list[np.ndarray]) -> tuple[str, Step, list[int]]:
    """A step for some of the values there are: its name, the call, and which values it takes."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    at = draw(st.integers(0, len(values) - 1))
    x = values[at]
    fallback = ("tanh", SMOOTH["tanh"], [at])
    if kind == "two":
        fits = [n for n, y in enumerate(values) if broadcast(x.shape, y.shape)]
        name = draw(st.sampled_from(sorted(TWO)))
        return name, TWO[name], [at, draw(st.sampled_from(fits))]
    if kind in ("along", "tied") and x.ndim and x.size:
        table = ALONG if kind == "along" else TIED
        name, d = draw(st.sampled_from(sorted(table))), reduce_to(x.shape, draw)
        if kind == "tied" and gap(x) < FAR:
            return fallback
        return name, (lambda m, x, call=table[name], d=d: call(m, x, d)), [at]
    if kind == "over" and x.ndim and x.size:
        name, keep = draw(st.sampled_from(sorted(OVER))), draw(st.booleans())
        axes = tuple(draw(st.lists(st.integers(-x.ndim, x.ndim - 1), unique_by=lambda a: a % x.ndim, min_size=1)))
        return f"{name} {axes}", (lambda m, x, call=OVER[name]: call(m, x, axes, keep)), [at]
    if kind == "block" and x.ndim > 1 and x.size:
        name = draw(st.sampled_from(sorted(BLOCKS)))
        return name, BLOCKS[name], [at]
    if kind == "kinked" and np.abs(x).min(initial=math.inf) > FAR:
        name = draw(st.sampled_from(sorted(KINKED)))
        return name, KINKED[name], [at]
    if kind == "shape":
        return shaped(draw, x, at)
    if kind == "product":
        return product(draw, values, at) or fallback
    if kind == "image" and x.ndim in (3, 4) and x.size:
        return convolution(draw, x, at) if min(x.shape[2:]) > 1 else fallback
    name = draw(st.sampled_from(sorted(SMOOTH)))
    return name, SMOOTH[name], [at]


def convolution(draw: Draw, x: np.ndarray, at: int) -> tuple[str, Step, list[int]]:
    channels, area = x.shape[1], x.ndim - 2
    groups = draw(st.sampled_from([n for n in (1, 2, channels) if channels % n == 0]))
    outs = groups * draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(area))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(area))
    least = [max(0, d * (k - 1) + 1 - n) for k, d, n in zip(kernel, dilation, x.shape[2:], strict=True)]
    padding = tuple(draw(st.integers(-(-p // 2), -(-p // 2) + 1)) for p in least)
    options = {"stride": draw(st.integers(1, 3)), "padding": padding, "dilation": dilation, "groups": groups}

    def conv(m: Any, x: Any) -> Any:
        shape = (outs, channels // groups, *kernel)
        weight = m.linspace(-1, 1, math.prod(shape), dtype=x.dtype).reshape(shape)
        function = m.nn.functional.conv1d if x.ndim == 3 else m.nn.functional.conv2d
        return function(x, weight, **options)

    return f"conv {kernel} {options}", conv, [at]


def broadcast(a: Shape, b: Shape) -> bool:
    try:
        return np.prod(np.broadcast_shapes(a, b)) <= LARGEST
    except ValueError:
        return False


def shaped(draw: Draw, x: np.ndarray, at: int) -> tuple[str, Step, list[int]]:
    kind = draw(st.sampled_from(["flat", "permute", "expand", "slice", "index", "mask", "tril", "reshape", "pad"]))
    if kind == "permute":
        axes = draw(st.permutations(range(x.ndim)))
        return kind, lambda m, x: x.permute(*axes) if axes else x * 1, [at]
    if kind == "expand" and x.size * 2 <= LARGEST:
        return kind, lambda m, x: x.expand(2, *x.shape), [at]
    if kind == "slice" and x.ndim and x.size:
        starts = [draw(st.integers(0, n - 1)) for n in x.shape]
        return kind, lambda m, x: x[tuple(slice(a, None) for a in starts)], [at]
    if kind == "index" and x.ndim and x.size:
        rows = draw(st.lists(st.integers(-x.shape[0], x.shape[0] - 1), min_size=1, max_size=4))
        return kind, lambda m, x: x[m.tensor(rows)], [at]
    if kind == "mask" and x.ndim and x.size:
        bits = draw(st.lists(st.booleans(), min_size=x.shape[0], max_size=x.shape[0]))
        bits[0] = True
        return kind, lambda m, x: x[m.tensor(bits)], [at]
    if kind == "tril" and x.ndim >= 2:
        k = draw(st.integers(-1, 1))
        return kind, lambda m, x: x.tril(k) + x.triu(1) * 0.5, [at]
    if kind == "reshape" and x.size % 2 == 0 and x.size:
        return kind, lambda m, x: x.reshape(2, -1), [at]
    if kind == "pad" and x.ndim:
        return kind, lambda m, x: m.nn.functional.pad(x, (1, 0), value=0.5), [at]
    return "flat", lambda m, x: x.flatten(), [at]


def product(draw: Draw, values: list[np.ndarray], at: int) -> tuple[str, Step, list[int]] | None:
    x = values[at]
    if not x.ndim or not x.size:
        return None
    kind = draw(st.sampled_from(["matmul", "gram", "outer", "einsum", "linear"]))
    if kind == "matmul":
        fits = [n for n, y in enumerate(values) if y.ndim and y.shape[-2 if y.ndim > 1 else 0] == x.shape[-1]]
        fits = [n for n in fits if broadcast(x.shape[:-2], values[n].shape[:-2])]
        if fits:
            return kind, lambda m, x, y: m.tanh(x) @ m.tanh(y), [at, draw(st.sampled_from(fits))]
    if kind == "gram" and x.ndim >= 2:
        return kind, lambda m, x: m.tanh(x) @ m.tanh(x).mT, [at]
    if kind == "outer" and x.ndim == 1:
        return kind, lambda m, x: m.outer(m.tanh(x), x), [at]
    if kind == "einsum" and x.ndim == 2:
        return kind, lambda m, x: m.einsum("ij,kj->ik", x, m.tanh(x)), [at]
    size = x.shape[-1]
    return "linear", lambda m, x: x @ m.linspace(-1, 1, size * 3, dtype=x.dtype).reshape(size, 3), [at]
