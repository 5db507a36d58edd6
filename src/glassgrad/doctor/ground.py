"""What a training stands on at its end: the spectrum of the Hessian there, and where the loss still falls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import grad
from ..surface import FLAT, MINIMUM, SADDLE, SLOPE, VALLEY, Spectrum
from .curvature import Product, Ritz, fitting, hessian_of, lanczos
from .patient import Patient, drawing
from .probe import norm

WHOLE = 256
"""Up to so many weights the whole Hessian is built, row by row, if there is time: every eigenvalue is known then."""
STEPS, VECTORS = (6, 80), (1, 8)
"""Steps of Lanczos and random vectors: at least and at most; otherwise what there is time for."""
OUTLYING = 3.0
"""An outlier is so many times as large as the root mean square of all eigenvalues. Random symmetric matrices end at 2
(Wigner), covariances of as many random samples as there are dimensions at 2.83 (Marchenko and Pastur)."""
APART = 0.01
"""Random vectors don't tell eigenvalues from zero that are smaller than this share of the largest."""
KNOWN = 0.01
"""An eigenvalue is known when its error is below this share of it."""
DOUBLINGS = 15
"""Steps of a walk along a direction, each twice as long as the one before."""
LOOKS = 3 * DOUBLINGS
"""How often `stands` asks for the loss, at most."""
LITTLE = 1e-3
"""A fall of the loss by less than this share of what the training has gained is none."""


@dataclass
class Bend:
    """How the loss bends at the end, by all the patient's parameters in one row."""

    spectrum: Spectrum
    gradient: Any
    least: Any
    """The direction of the least curvature."""
    noise: float
    """Curvatures nearer to zero than this can't be told from it."""


def bend(patient: Patient, batches: Sequence[Any], seconds: float, seed: int) -> Bend | None:
    """The spectrum of the Hessian of the mean loss of some batches; None where its slopes are not finite, or there are
    none."""
    used = _used(patient, batches[0])
    if not used.any():
        return None
    parts = [hessian_of(patient, batch) for batch in batches]
    parts = [part for part in parts if len(part[1]) == used.sum()]
    gradient = np.mean([slopes for _, slopes in parts], 0)
    if not np.isfinite(gradient).all():
        return None

    def times(v: Any) -> Any:
        return np.mean([product(v) for product, _ in parts], 0)

    single = any(p.dtype.itemsize < 8 for p in patient.parameters)
    noise = 100 * float(np.finfo(np.float32 if single else np.float64).eps)
    began = time.perf_counter()
    if not np.isfinite(times(np.ones(len(gradient)))).all():
        return None
    one = time.perf_counter() - began
    if len(gradient) <= WHOLE and len(gradient) * one <= 2 * seconds:
        spectrum, least = _whole(times, len(gradient), noise)
    else:
        spectrum, least = _sampled(times, len(gradient), noise, seconds / one, seed)
    rows = np.zeros((2, len(used)))
    rows[:, used] = gradient, least
    return Bend(spectrum, rows[0], rows[1], noise * max(abs(spectrum.low), abs(spectrum.high)))


def _used(patient: Patient, batch: Any) -> Any:
    """For each weight, whether the loss depends on it."""
    one = patient.copy()
    cells = [p for p in one.parameters if p.requires_grad]
    with drawing(one.seed):
        slopes = grad(one.value(batch), cells, allow_unused=True)
    seen = {id(p) for p, g in zip(cells, slopes, strict=True) if g is not None}
    return np.repeat([id(p) in seen for p in one.parameters], [p.numel() for p in one.parameters])


def _whole(times: Product, size: int, noise: float) -> tuple[Spectrum, Any]:
    """All eigenvalues."""
    rows = np.stack([times(row) for row in np.eye(size)])
    values, vectors = np.linalg.eigh((rows + rows.T) / 2)
    return _told(values, np.full(size, 1 / size), values, size, True, noise), vectors[:, 0]


def _sampled(times: Product, size: int, noise: float, products: float, seed: int) -> tuple[Spectrum, Any]:
    """Where random vectors see the eigenvalues, with about so many products: stochastic Lanczos quadrature.

    Ghorbani, Krishnan and Xiao, "An Investigation into Neural Net Optimization via Hessian Eigenvalue Density" (2019).
    """
    steps = int(np.clip(min(products / 2, fitting(size)), *STEPS))
    vectors = int(np.clip(products / steps, *VECTORS))
    runs: list[Ritz] = []
    lowest, least = np.inf, None
    for number in range(vectors):
        runs.append(lanczos(times, size, steps, seed + number))
        if runs[-1].values[0] < lowest:
            lowest, least = runs[-1].values[0], runs[-1].vector(0)
        runs[-1].basis.clear()
    values, weights = np.concatenate([r.values for r in runs]), np.concatenate([r.weights for r in runs]) / vectors
    surest = runs[0]
    known = surest.values[surest.errors < KNOWN * np.abs(surest.values)]
    return _told(values, weights, known, size, False, max(noise, APART)), least


def _told(values: Any, weights: Any, known: Any, size: int, exact: bool, noise: float) -> Spectrum:
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    zero = noise * float(np.abs(values).max())
    beyond = known[np.abs(known) > OUTLYING * np.sqrt(np.sum(weights * values**2))]
    outliers = beyond[np.argsort(-np.abs(beyond))]
    all_of, share_of, outlying = (tuple(map(float, row)) for row in (values, weights, outliers))
    return Spectrum(size, exact, all_of, share_of, outlying, all_of[0], all_of[-1], zero)


def fall(losses: Callable[[Any], float], at: Any, direction: Any) -> float:
    """How low the loss gets when one goes along a direction for as long as it falls, at most as far as the weights, or
    weights of 1, are large; each step is as long as all before."""
    unit = direction / (norm(direction) or 1.0)
    lowest = here = losses(at)
    length = reach(at) * 2.0 ** (1 - DOUBLINGS)
    for _ in range(DOUBLINGS):
        found = losses(at + length * unit)
        if not found <= lowest + 1e-6 * abs(here):
            break
        lowest, length = min(lowest, found), 2 * length
    return lowest


def reach(at: Any) -> float:
    """How large the weights are, or weights of 1 would be."""
    return max(norm(at), float(np.sqrt(len(at))))


def stands(losses: Callable[[Any], float], at: Any, found: Bend, gained: float) -> tuple[str, str]:
    """What the weights stand on, and the numbers that show it. The first is empty where they don't.

    Args:
        losses: the loss at any weights.
        at: the weights at the end.
        found: how the loss bends there.
        gained: by how much the training has lowered the loss.
    """
    here, seen = losses(at), found.spectrum
    stuck = gained <= LITTLE * abs(here)
    little = LITTLE * (abs(here) if stuck else gained)
    share = f"{100 * LITTLE:g} % of " + ("itself" if stuck else "what the training has gained")
    down = fall(losses, at, -found.gradient)
    if here - down > little:
        return SLOPE, f"against the gradient the loss falls from {here:.4g} to {down:.4g}"
    still = f"against the gradient the loss falls by less than {share}"
    bent = max(abs(seen.low), abs(seen.high)) * reach(at) ** 2 / 2
    if bent <= 1e-6 * abs(here) or not bent:
        return FLAT, f"{still}, and no curvature is larger than {max(abs(seen.low), abs(seen.high)):.2g}"
    if seen.low < -found.noise:
        lower = min(fall(losses, at, sign * found.least) for sign in (1.0, -1.0))
        if here - lower > max(3 * (here - down), 1e-5 * abs(here)):
            along = (
                f"along the direction of the least curvature, {seen.low:.3g}, it falls from {here:.4g} to {lower:.4g}"
            )
            return SADDLE, f"{still}, but {along}"
        if stuck:
            return SADDLE, f"{still}, and the least curvature is {seen.low:.3g}, known to {found.noise:.1g}"
        return "", f"{still}, and along the direction of the least curvature, {seen.low:.3g}, it hardly falls either"
    if seen.low <= found.noise:
        return (
            VALLEY,
            f"{still}, and no curvature is clearly below zero; {100 * seen.flat:.0f} % of the directions are flat",
        )
    known = f"all {seen.size} eigenvalues are" if seen.exact else "no eigenvalue that was found is not"
    return MINIMUM, f"{still}, and {known} above zero, the least is {seen.low:.3g}"
