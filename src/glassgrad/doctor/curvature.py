"""Curvature of a loss: its Hessian is never built, only multiplied with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import functions as fn
from ..autograd import grad
from .patient import Patient, drawing
from .probe import norm

Product = Callable[[Any], Any]


def hessian_of(patient: Patient, batch: Sequence[Any] | None = None) -> tuple[Product, Any]:
    """What multiplies a vector with the Hessian of the loss on a batch, by the parameters of the optimizer in one row;
    and the gradient, in float64. B. Pearlmutter, "Fast exact multiplication by the Hessian" (1994).
    """
    one = patient.copy()
    cells = [p for p in one.parameters if p.requires_grad]
    with drawing(one.seed):
        slopes = grad(one.value(batch or one.batches[0]), cells, create_graph=True, allow_unused=True)
    used = [(p, g) for p, g in zip(cells, slopes, strict=True) if g is not None]
    sizes = [p.numel() for p, _ in used]
    curved = [(p, g) for p, g in used if g.requires_grad]

    def times(v: Any) -> Any:
        if not curved:
            return np.zeros(len(v))
        parts = np.split(np.asarray(v), np.cumsum(sizes)[:-1])
        along = sum(
            (g * fn.tensor(part.reshape(tuple(p.shape)), dtype=p.dtype)).sum()
            for (p, g), part in zip(used, parts, strict=True)
            if g.requires_grad
        )
        turned = grad(along, [p for p, _ in used], retain_graph=True, allow_unused=True)
        rows = [np.zeros(n) if t is None else t.numpy().ravel() for t, n in zip(turned, sizes, strict=True)]
        return np.concatenate(rows).astype(np.float64)

    return times, np.concatenate([g.detach().numpy().ravel().astype(np.float64) for _, g in used])


def spectrum(times: Product, size: int, steps: int = 40, seed: int = 0) -> tuple[Any, Any]:
    """Eigenvalues of a symmetric matrix and their weights, by Lanczos with full reorthogonalisation: the ends of the
    spectrum first come right; of a matrix of at most ``steps`` rows all of them.

    C. Lanczos (1950); G. Golub and C. Van Loan, "Matrix Computations", section 10.1. The weights are those of the
    density of the spectrum that a random vector sees (Ghorbani, Krishnan and Xiao, 2019).
    """
    random = np.random.default_rng(seed)
    q = random.standard_normal(size)
    basis, diagonal, beside = [q / norm(q)], [], []
    for _ in range(min(steps, size)):
        w = times(basis[-1])
        diagonal.append(float(w @ basis[-1]))
        for _ in range(2):
            w = w - sum((w @ each) * each for each in basis)
        length = norm(w)
        if length < 1e-10 * max(1e-300, *map(abs, diagonal)) or len(basis) == min(steps, size):
            break
        beside.append(length)
        basis.append(w / length)
    count = len(diagonal)
    tri = np.diag(diagonal) + np.diag(beside[: count - 1], 1) + np.diag(beside[: count - 1], -1)
    values, vectors = np.linalg.eigh(tri)
    return values, vectors[0] ** 2


def sharpness(patient: Patient, steps: int = 20) -> float:
    """The largest curvature on the first batch."""
    times, gradient = hessian_of(patient)
    if not len(gradient) or not math.isfinite(norm(gradient)):
        return 0.0
    return float(spectrum(times, len(gradient), steps)[0][-1])
