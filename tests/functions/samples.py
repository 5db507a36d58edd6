"""One or more calls for every public function: ``lambda m, a, b: m.add(a, b)`` runs on glassgrad and on torch alike.

The parameter names select the tensors: see `TENSORS`. Everything is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

rng = np.random.default_rng(7)
_inf, _nan = math.inf, math.nan


def _uniform(low: float, high: float, *shape: int) -> Any:
    return rng.uniform(low, high, shape)


TENSORS: dict[str, Any] = {
    "a": _uniform(-2, 2, 2, 3),
    "b": _uniform(-2, 2, 2, 3),
    "c": _uniform(-2, 2, 2, 3),
    "p": _uniform(0.2, 2, 2, 3),  # positive
    "u": _uniform(-0.9, 0.9, 2, 3),  # within the unit interval
    "w": _uniform(1.1, 3, 2, 3),  # above 1
    "v": _uniform(-2, 2, 3),
    "v4": _uniform(-2, 2, 4),
    "M": _uniform(-2, 2, 3, 4),
    "S": _uniform(-1, 1, 3, 3),
    "A": _uniform(-2, 2, 2, 3, 4),
    "B": _uniform(-2, 2, 2, 4, 5),
    "N": _uniform(-2, 2, 2, 3, 5),
    "one": _uniform(-2, 2, 2, 1, 3, 1),
    "z": np.array(0.7),
    "e": np.zeros((0, 3)),
    "bad": np.array([[1, _nan, -_inf], [_inf, 0, -2.5]]),
    "ties": np.array([[2.0, 1, 2], [1, 1, 3]]),
    "zeros": np.array([[0.0, 3, 0], [1, 0, 0]]),
    "half": np.array([[-2.5, -1.5, -0.5], [0.5, 1.5, 2.4]]),
    "i": np.array([[3, -2, 7], [1, 4, -5]]),
    "j": np.array([[2, 3, -4], [5, 1, 2]]),
    "n": np.array([[0, 1, 2], [2, 1, 0]]),  # indices
    "k": np.array([2, 0, 1, 2]),
    "q": np.array([[True, False, True], [False, False, True]]),
    "r": np.array([[True, True, False], [False, True, True]]),
}

Call = Callable[..., Any]
CALLS: dict[str, list[Call]] = {}


def add(*calls: Call) -> None:
    """File calls under the function that they name last after ``m.``."""
    for call in calls:
        CALLS.setdefault(call.__code__.co_names[0], []).append(call)


# -- elementwise, one operand; the domains keep the slope finite
for _names, _tensor in {
    "abs absolute neg negative sin cos tan sinh cosh tanh atan arctan sigmoid relu exp expm1 erf erfc exp2 square sign "
    "sgn floor ceil trunc fix frac round reciprocal asinh arcsinh sinc deg2rad rad2deg isnan isinf isfinite signbit "
    "logical_not positive isposinf isneginf isreal": "a",
    "log log2 log10 log1p sqrt rsqrt": "p",
    "asin arcsin acos arccos atanh arctanh": "u",
    "acosh arccosh": "w",
}.items():
    for _name in _names.split():
        CALLS[_name] = [lambda m, x, name=_name: getattr(m, name)(x)]
        CALLS[_name][0].tensors = (_tensor,)  # type: ignore[attr-defined]
for _name in (
    "isnan", "isinf", "isfinite", "sign", "abs", "nan_to_num", "isposinf", "isneginf", "signbit",
    "logical_not", "relu", "round", "floor",
):  # fmt: skip
    CALLS.setdefault(_name, []).append(lambda m, bad, name=_name: getattr(m, name)(bad))
for _name in (
    "abs", "neg", "sign", "square", "floor", "ceil", "trunc", "round", "sgn",
    "relu", "signbit", "logical_not", "bitwise_not", "sin", "exp", "sqrt",
):  # fmt: skip
    CALLS.setdefault(_name, []).append(lambda m, i, name=_name: getattr(m, name)(i))
for _name in (
    "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "not_equal",
    "less", "less_equal", "greater", "greater_equal",
):  # fmt: skip
    CALLS[_name] = [lambda m, a, b, name=_name: getattr(m, name)(a, b)]
    CALLS[_name] += [lambda m, a, v, name=_name: getattr(m, name)(a, v)]
    CALLS[_name] += [lambda m, ties, i, name=_name: getattr(m, name)(ties, i)]
for _name in ["eq", "ne", "lt", "le", "gt", "ge"]:
    CALLS[_name] += [lambda m, ties, name=_name: getattr(m, name)(ties, 1)]
for _name in ["bitwise_and", "bitwise_or", "bitwise_xor"]:
    CALLS[_name] = [lambda m, i, j, name=_name: getattr(m, name)(i, j)]
    CALLS[_name] += [lambda m, q, r, name=_name: getattr(m, name)(q, r)]
for _name in ["logical_and", "logical_or", "logical_xor"]:
    CALLS[_name] = [lambda m, q, r, name=_name: getattr(m, name)(q, r)]
    CALLS[_name] += [lambda m, zeros, b, name=_name: getattr(m, name)(zeros, b)]

add(
    lambda m, half: m.round(half),
    lambda m, a: m.round(a, decimals=1),
    lambda m, bad: m.nan_to_num(bad, nan=1.0, posinf=2.0, neginf=-3.0),
    lambda m, a, b: m.add(a, b),
    lambda m, a, v: m.add(a, v, alpha=2),
    lambda m, i, q: m.add(i, q),
    lambda m, a: m.add(a, 3),
    lambda m, a, z: m.sub(a, z),
    lambda m, a, b: m.subtract(a, b, alpha=0.5),
    lambda m, a, b: m.rsub(a, b, alpha=2),
    lambda m, a, v: m.mul(a, v),
    lambda m, i, j: m.multiply(i, j),
    lambda m, a, p: m.div(a, p),
    lambda m, i, j: m.div(i, j),
    lambda m, i, j: m.div(i, j, rounding_mode="floor"),
    lambda m, i, j: m.div(i, j, rounding_mode="trunc"),
    lambda m, a, p: m.div(a, p, rounding_mode="floor"),
    lambda m, a, p: m.divide(a, p, rounding_mode="trunc"),
    lambda m, i: m.true_divide(i, 2),
    lambda m, a, p: m.floor_divide(a.detach(), p.detach()),
    lambda m, i, j: m.floor_divide(i, j),
    lambda m, a, p: m.remainder(a, p),
    lambda m, i, j: m.remainder(i, j),
    lambda m, i: m.remainder(i, -3),
    lambda m, a, p: m.fmod(a, p),
    lambda m, i, j: m.fmod(i, j),
    lambda m, a: m.fmod(a, 0.7),
    lambda m, p, a: m.pow(p, a),
    lambda m, a: m.pow(a, 2),
    lambda m, a: m.pow(a, 3),
    lambda m, a: m.pow(a, 0),
    lambda m, p: m.pow(p, -0.5),
    lambda m, i: m.pow(i, 2),
    lambda m, a: m.pow(2, a),
    lambda m, p, a: m.float_power(p, a),
    lambda m, i: m.float_power(i, 2),
    lambda m, q, a, b: m.where(q, a, b),
    lambda m, q, a, v: m.where(q, a, v),
    lambda m, q, a: m.where(q, a, 0.0),
    lambda m, q, i, a: m.where(q, i, a),
    lambda m, q: m.where(q),
    lambda m, a: m.clamp(a, -1, 1),
    lambda m, a: m.clamp(a, min=0.5),
    lambda m, a: m.clip(a, max=0.5),
    lambda m, a, b, p: m.clamp(a, b, b + p),
    lambda m, i: m.clamp(i, -2, 3),
    lambda m, bad: m.clamp(bad, -1, 1),
    lambda m, ties: m.clamp(ties, 1, 2),
    lambda m, a: m.clamp_min(a, 0.5),
    lambda m, a: m.clamp_max(a, 0.5),
    lambda m, a, b: m.logaddexp(a, b),
    lambda m, a, b: m.atan2(a, b),
    lambda m, zeros, a: m.arctan2(zeros, a),
    lambda m, a, p: m.xlogy(a, p),
    lambda m, zeros, p: m.xlogy(zeros, p),
    lambda m, zeros, a: m.xlogy(zeros * 0, a),
    lambda m, a, b: m.lerp(a, b, 0.3),
    lambda m, a, b, c: m.lerp(a, b, c),
    lambda m, a, b, c: m.addcmul(a, b, c, value=0.5),
    lambda m, a, b, p: m.addcdiv(a, b, p, value=0.5),
    lambda m, a, b: m.addcdiv(a, b, b),
    lambda m, a, b: m.hypot(a, b),
    lambda m, u: m.logit(u.abs() + 0.05),
    lambda m, a: m.logit(a, 0.1),
    lambda m, zeros, a: m.heaviside(zeros.detach(), a.detach()),
    lambda m, a, b: m.copysign(a, b),
    lambda m, a, bad: m.fmax(a, bad),
    lambda m, a, bad: m.fmin(bad, a),
    lambda m, ties, bad: m.isclose(ties, ties + 1e-6),
    lambda m, bad: m.isclose(bad, bad, equal_nan=True),
    lambda m, a: m.allclose(a, a + 1e-7),
    lambda m, a, b: m.allclose(a, b),
    lambda m, a, b: m.equal(a, b),
    lambda m, a: m.equal(a, a + 0),
    lambda m, a: m.clone(a),
    # -- reductions
    lambda m, A: m.sum(A),
    lambda m, A: m.sum(A, 1),
    lambda m, A: m.sum(A, (0, -1), keepdim=True),
    lambda m, q: m.sum(q),
    lambda m, i: m.sum(i, 0),
    lambda m, a: m.sum(a, dim=1, dtype=m.float64),
    lambda m, e: m.sum(e, 0),
    lambda m, A: m.mean(A),
    lambda m, A: m.mean(A, (0, 2)),
    lambda m, i: m.mean(i, 0, dtype=m.float32),
    lambda m, A: m.mean(A, 1, True),
    lambda m, A: m.var(A),
    lambda m, A: m.var(A, 1),
    lambda m, A: m.var(A, (0, 2), correction=0, keepdim=True),
    lambda m, A: m.var(A, 1, unbiased=False),
    lambda m, a: m.var(a, False),
    lambda m, A: m.std(A, 1),
    lambda m, A: m.std(A, dim=(1, 2), correction=2),
    lambda m, A: m.var_mean(A, 1),
    lambda m, A: m.std_mean(A, 1, keepdim=True),
    lambda m, A: m.amax(A, 1),
    lambda m, ties: m.amax(ties, 1),
    lambda m, ties: m.amin(ties, (0, 1), True),
    lambda m, i: m.amin(i, 1),
    lambda m, A: m.aminmax(A),
    lambda m, A: m.aminmax(A, dim=1, keepdim=True),
    lambda m, A: m.max(A),
    lambda m, A: m.max(A, 1),
    lambda m, ties: m.max(ties, 1, keepdim=True),
    lambda m, a, b: m.max(a, b),
    lambda m, i: m.max(i, 0),
    lambda m, q: m.max(q),
    lambda m, z: m.max(z, 0),
    lambda m, bad: m.max(bad, 1),
    lambda m, A: m.min(A),
    lambda m, ties: m.min(ties, 0),
    lambda m, a, b: m.min(a, b),
    lambda m, bad: m.min(bad, 1),
    lambda m, ties: m.argmax(ties),
    lambda m, ties: m.argmax(ties, 1, keepdim=True),
    lambda m, i: m.argmin(i),
    lambda m, ties: m.argmin(ties, 0),
    lambda m, bad: m.argmin(bad, 1),
    lambda m, q: m.all(q),
    lambda m, q: m.all(q, 0),
    lambda m, zeros: m.any(zeros, 1, keepdim=True),
    lambda m, q: m.any(q),
    lambda m, e: m.all(e),
    lambda m, zeros: m.count_nonzero(zeros),
    lambda m, zeros: m.count_nonzero(zeros, 0),
    lambda m, bad: m.nansum(bad[1:], 1),
    lambda m, bad: m.nanmean(bad[1:], 1),
    lambda m, A: m.prod(A, 1),
    lambda m, zeros: m.prod(zeros, 1, keepdim=True),
    lambda m, zeros: m.prod(zeros[:, :2]),
    lambda m, a: m.prod(a),
    lambda m, i: m.prod(i),
    lambda m, q: m.prod(q, 0),
    lambda m, e: m.prod(e.detach(), 0),
    lambda m, A: m.cumsum(A, 1),
    lambda m, i: m.cumsum(i, -1),
    lambda m, q: m.cumsum(q, 1),
    lambda m, a: m.cumsum(a, 0, dtype=m.float64),
    lambda m, A: m.cumprod(A, 2),
    lambda m, one: m.cumprod(one, 1),
    lambda m, one: m.cumsum(one, 1),
    lambda m, one: m.prod(one, 1),
    lambda m, one: m.prod(one, 1, True),
    lambda m, one: m.sum(one, 1),
    lambda m, one: m.amax(one, 1),
    lambda m, one: m.max(one, 1),
    lambda m, one: m.sort(one, 1),
    lambda m, one: m.median(one, 1),
    lambda m, one: m.logsumexp(one, 1),
    lambda m, z: m.sum(z),
    lambda m, z: m.prod(z, 0),
    lambda m, z: m.cumsum(z, 0),
    lambda m, z: m.cumprod(z, 0),
    lambda m, z: m.softmax(z, 0),
    lambda m, z: m.sort(z),
    lambda m, z: m.logsumexp(z, 0),
    lambda m, z: m.median(z),
    lambda m, z: m.median(z, 0),
    lambda m, z: m.cummax(z, 0),
    lambda m, z: m.kthvalue(z, 1),
    lambda m, z: m.topk(z, 1),
    lambda m, e: m.cumprod(e, 0),
    lambda m, e: m.logsumexp(e, 0),
    lambda m, e: m.softmax(e, 1),
    lambda m, i: m.nan_to_num(i),
    lambda m, q: m.isinf(q),
    lambda m, i: m.isfinite(i),
    lambda m, q: m.isfinite(q),
    lambda m, q: m.isnan(q),
    lambda m, zeros: m.cumprod(zeros, 1),
    lambda m, A: m.cummax(A, 1),
    lambda m, ties: m.cummax(ties, 1),
    lambda m, ties: m.cummin(ties, 0),
    lambda m, A: m.logcumsumexp(A, 1),
    lambda m, ties: m.argsort(ties, dim=1, stable=True),
    lambda m, ties: m.argsort(ties, dim=0, descending=True, stable=True),
    lambda m, A: m.sort(A),
    lambda m, ties: m.sort(ties, dim=1, descending=True, stable=True),
    lambda m, q: m.sort(q, dim=1, stable=True),
    lambda m, A: m.msort(A),
    lambda m, A: m.topk(A, 2),
    lambda m, A: m.topk(A, 2, dim=1, largest=False),
    lambda m, A: m.median(A),
    lambda m, A: m.median(A, 2),
    lambda m, A: m.kthvalue(A, 2),
    lambda m, A: m.kthvalue(A, 3, 1, True),
    lambda m, A: m.quantile(A, 0.3),
    lambda m, A, u: m.quantile(A, m.as_tensor([0.1, 0.5, 1.0], dtype=A.dtype), 1, keepdim=True),
    lambda m, A: m.quantile(A, 0.25, 2, interpolation="lower"),
    lambda m, A: m.logsumexp(A, 1),
    lambda m, A: m.logsumexp(A, (0, 2), keepdim=True),
    lambda m, A: m.softmax(A, 1),
    lambda m, i: m.softmax(i, 1, dtype=m.float64),
    lambda m, A: m.log_softmax(A, -1),
    lambda m, a: m.norm(a),
    lambda m, a: m.norm(a, 1),
    lambda m, a: m.norm(a, 3, 1),
    lambda m, a: m.norm(a, math.inf, 1, True),
    lambda m, a: m.norm(a, -math.inf),
    lambda m, a: m.norm(a.detach(), 0, 1),
    lambda m, zeros: m.norm(zeros * 0),
    lambda m, a, b: m.dist(a, b, 3),
    lambda m, A: m.diff(A),
    lambda m, A: m.diff(A, 2, 1),
    lambda m, a: m.histc(a, 4, -1, 1),
    lambda m, i, k: m.isin(i, k),
    lambda m, S: m.cov(S),
    lambda m, v: m.cov(v),
    lambda m, S: m.corrcoef(S),
    lambda m, A: m.cdist(A, A + 1.5),
    lambda m, A: m.cdist(A, A + 1.5, 1.0),
)
