"""Curvature of a loss: its Hessian is never built, only multiplied with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import functions as fn
from ..autograd import grad
from ..errors import GlassgradError
from ..optim import SGD
from .patient import Patient, drawing
from .probe import norm

Product = Callable[[Any], Any]
ROOM, LEAST = 4e8, 6
"""Bytes for the basis of Lanczos; with fewer vectors than so many the ends of a spectrum are not worth looking at."""


def fitting(size: int) -> int:
    """How many vectors of float64 there is room for."""
    return int(ROOM / (8 * max(1, size)))


def hessian_of(patient: Patient, batch: Sequence[Any] | None = None) -> tuple[Product, Any]:
    """What multiplies a vector with the Hessian of the loss on a batch, by the parameters of the optimizer in one row;
    and the gradient, in float64. B. Pearlmutter, "Fast exact multiplication by the Hessian" (1994).
    """
    used = _slopes(patient.copy(), batch)
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


def _slopes(one: Patient, batch: Sequence[Any] | None) -> list[tuple[Any, Any]]:
    """The optimizer's parameters that the loss depends on, with their gradients, in the optimizer's order."""
    cells = [p for p in one.parameters if p.requires_grad]
    with drawing(one.seed):
        slopes = grad(one.value(batch or one.batches[0]), cells, create_graph=True, allow_unused=True)
    return [(p, g) for p, g in zip(cells, slopes, strict=True) if g is not None]


@dataclass(frozen=True)
class Ritz:
    """What `lanczos` knows of a matrix."""

    values: Any
    """Its eigenvalues, ascending: approximate ones, the ends best."""
    weights: Any
    """The share of the spectrum that each stands for, as the random vector sees it."""
    errors: Any
    """How far each is from an eigenvalue, at most."""
    basis: list[Any] = field(repr=False)
    parts: Any = field(repr=False)

    def vector(self, place: int) -> Any:
        """The eigenvector of the value at this place, of length 1."""
        return sum(part * each for part, each in zip(self.parts[:, place], self.basis, strict=True))


def lanczos(times: Product, size: int, steps: int = 40, seed: int = 0) -> Ritz:
    """Eigenvalues of a symmetric matrix and their weights, by Lanczos with full reorthogonalisation: the ends of the
    spectrum first come right; of a matrix of at most ``steps`` rows all of them.

    C. Lanczos (1950); G. Golub and C. Van Loan, "Matrix Computations", section 10.1. The weights are those of the
    density of the spectrum that a random vector sees (Ghorbani, Krishnan and Xiao, 2019).
    """
    steps = max(1, min(steps, size, fitting(size)))
    random = np.random.default_rng(seed)
    q = random.standard_normal(size)
    basis, diagonal, beside = [q / norm(q)], [], []
    for _ in range(steps):
        w = np.array(times(basis[-1]), np.float64)
        diagonal.append(float(w @ basis[-1]))
        for _ in range(2):
            for each in basis:
                w -= (w @ each) * each
        length = norm(w)
        if length < 1e-10 * max(1e-300, *map(abs, diagonal)) or len(basis) == steps:
            break
        beside.append(length)
        basis.append(w / length)
    count = len(diagonal)
    tri = np.diag(diagonal) + np.diag(beside[: count - 1], 1) + np.diag(beside[: count - 1], -1)
    values, vectors = np.linalg.eigh(tri)
    return Ritz(values, vectors[0] ** 2, np.abs(length * vectors[-1]), basis, vectors)


def spectrum(times: Product, size: int, steps: int = 40, seed: int = 0) -> tuple[Any, Any]:
    """The eigenvalues that `lanczos` finds, and their weights."""
    found = lanczos(times, size, steps, seed)
    return found.values, found.weights


def headroom(patient: Patient, steps: int = 20) -> float | None:
    """By which factor all rates of gradient descent could grow until steps overshoot: at 1 they just do not.

    On a curvature of h plain descent converges below a rate of 2 / h; with momentum m and dampening d below
    2 (1 + m) / ((1 - d) h), with Nesterov's momentum below 2 (1 + m) / ((1 + 2 m) h): where the roots of its recurrence
    leave the unit circle. With a rate for each group h is the largest eigenvalue of R^(1/2) H R^(1/2), which has the
    rates on the diagonal of R. None for rules that are no gradient descent, where no curvature is positive, and for
    more parameters than there is room for.
    """
    if type(patient.optimizer) is not SGD or fitting(sum(p.numel() for p in patient.parameters)) < LEAST:
        return None
    one = patient.copy()
    try:
        used = {id(p) for p, _ in _slopes(one, None)}
        times, gradient = hessian_of(patient)
    except GlassgradError:  # an operation without a second derivative
        return None
    if not len(gradient) or not math.isfinite(norm(gradient)):
        return None
    rates, decays = [], []
    for group in one.optimizer.param_groups:
        m = float(group["momentum"])
        stretched = (1 + 2 * m if group["nesterov"] else 1 - float(group["dampening"]) * (m > 0)) / (1 + m)
        for p in (p for p in group["params"] if id(p) in used):
            rates.append(np.full(p.numel(), float(group["lr"]) * stretched))
            decays.append(np.full(p.numel(), float(group["weight_decay"])))
    root, decay = np.sqrt(np.concatenate(rates)), np.concatenate(decays)
    with np.errstate(all="ignore"):
        highest = float(spectrum(lambda v: root * (times(root * v) + decay * root * v), len(root), steps)[0][-1])
    return 2 / highest if highest > 0 and math.isfinite(highest) else None
