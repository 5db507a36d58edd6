"""The article's net with its true numbers; its XOR program, why that does not learn, and two ways in which it does.

Last the same net is trained as it was before backpropagation, by trying weights, and what that costs is counted.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from timeit import repeat

import numpy as np

from .. import compile as compiled
from .. import no_grad, optim, record
from ..autograd import grad
from ..autograd.functional import hessian
from ..datasets import digits
from ..functions import from_numpy, zeros
from ..nn.functional import binary_cross_entropy_with_logits, cross_entropy
from ..tensor import Tensor
from .options import Html, Seed, Short
from .page import Page
from .pictures import canvas
from .worked import PRINTED, mistakes, numbers, recorded

X = from_numpy(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]))  # (4, 2)
Y = from_numpy(np.array([[0.0], [1], [1], [0]]))  # (4, 1)
WEIGHTS, EPOCHS = 17, 1000
Value = Callable[[Tensor], Tensor]


def logits(w: Tensor, x: Tensor = X) -> Tensor:
    """The article's net for XOR, 2-4-1, before its last sigmoid; w holds all of its weights."""
    w1, b1, w2, b2 = w.split([8, 4, 4, 1])
    hidden = (x @ w1.view(2, 4) + b1).sigmoid()  # (n, 4)
    return hidden @ w2.view(4, 1) + b2  # (n, 1)


def loss_of(w: Tensor) -> Tensor:
    """The loss whose gradient the article's program takes, though it prints another one."""
    return binary_cross_entropy_with_logits(logits(w), Y)


def start(seed: int, scale: float = 0.1) -> np.ndarray:
    """The article's first weights: normal, times 0.1, and biases of zero."""
    random = np.random.RandomState(seed)
    w1, w2 = random.randn(8), random.randn(4)
    return np.concatenate([scale * w1, np.zeros(4), scale * w2, [0.0]])


def solved(w: Tensor) -> bool:
    """Whether all four answers are right when rounded."""
    with no_grad():
        return bool(((logits(w) > 0) == (Y > 0.5)).all())


def learn(rate: float, scale: float, seeds: range) -> tuple[np.ndarray, list[Tensor]]:
    """Gradient descent from each seed's weights: the squared errors (seeds, EPOCHS), and the weights it ends with."""
    w = zeros(WEIGHTS, dtype=Y.dtype, requires_grad=True)
    optimizer = optim.SGD([w], lr=rate)

    @compiled
    def step() -> Tensor:
        optimizer.zero_grad()
        loss_of(w).backward()
        error: Tensor = (logits(w).sigmoid() - Y).square().mean()
        optimizer.step()
        return error.detach()

    errors, ends = np.empty((len(seeds), EPOCHS)), []
    for row, seed in enumerate(seeds):
        with no_grad():
            w.copy_(from_numpy(start(seed, scale)))
        for epoch in range(EPOCHS):
            errors[row, epoch] = step().item()
        ends.append(w.detach().clone())
    return errors, ends


def by_trying(value: Value, w: np.ndarray, size: float, target: float, most: int) -> tuple[int, float]:
    """Change all weights at random, keep what lowers the loss: how many losses that took, and the loss reached."""
    random, best, tries = np.random.RandomState(0), math.inf, 0
    while best > target and tries < most:
        other, tries = w + size * random.randn(w.size), tries + 1
        if (now := value(from_numpy(other)).item()) < best:
            w, best = other, now
    return tries, best


def by_gradient(value: Value, w: np.ndarray, rate: float, target: float) -> tuple[int, float]:
    """Gradient descent: how many steps it took, and how many losses could have been computed in the time of one."""
    slope, at, steps = compiled(lambda w: grad(value(w), w)[0]), from_numpy(w).requires_grad_(), 0
    while value(at).item() > target:
        at, steps = (at - rate * slope(at)).detach().requires_grad_(), steps + 1
    calls = (partial(slope, at), partial(compiled(value), at.detach()))
    return steps, operator.truediv(*(median(repeat(call, number=20, repeat=20)) for call in calls))


def show_numbers(page: Page) -> None:
    page.head("Its net of two weights, every number")
    found = numbers(recorded())
    for name, printed in PRINTED.items():
        page.figure(name, found[name], "{:.10f}", note=f"the article prints {printed}")
    for line in mistakes():
        page.say(line)


def show_xor(page: Page, seeds: range) -> None:
    page.head("Its program for XOR does not learn")
    page.say(
        f"{EPOCHS} epochs at its rate of 0.1, from {len(seeds)} seeds. It prints the squared error and follows the "
        "gradient of the cross-entropy. Neither falls: a net that always says 1/2 has an error of 0.25."
    )
    errors, ends = learn(0.1, 0.1, seeds)
    page.figure("article: solved", sum(map(solved, ends)), "{:.0f}", note=f"of {len(seeds)}")
    page.figure("article: lowest error", errors[:, -1].min(), "{:.5f}", note=f"highest {errors[:, -1].max():.5f}")
    curvature = np.array([np.linalg.eigvalsh(hessian(loss_of, w).numpy()) for w in ends])  # (seeds, 17)
    low, high = np.median(curvature[:, 0]), np.median(curvature[:, -1])
    page.figure("lowest curvature where it ends (median)", low)
    w = from_numpy(start(seeds[0])).requires_grad_()
    with record() as tape:
        loss = loss_of(w)
        loss.backward()
    page.text(str(tape.why(w, 0)), "The first weight's gradient at the start: its paths almost cancel.")
    page.say(
        f"The lowest curvature is negative from {(curvature[:, 0] < 0).sum()} of {len(seeds)} seeds: it stands on a "
        "saddle, not in a local optimum, and there is a way down. But that is flat. A deviation along it grows by "
        f"{-low:.2g} times the rate an epoch: at 0.1 tenfold in {math.log(10) / (0.1 * -low):,.0f} epochs, and it is "
        f"given {EPOCHS}. The chain rule says why: no input alone tells anything of XOR, so the paths of the four rows "
        "cancel but for products of several weights of about 0.1 and slopes of 1/4."
    )
    page.head("Two ways in which it learns")
    page.say(
        f"A rate of 5, and nothing else changed: above 2 / {high:.2f} = {2 / high:.1f}, from where on steps overshoot "
        "across the steepest direction, which swings it off the saddle. Or a start ten times as wide and a rate of 1: "
        "then the products are not small."
    )
    ways = {"as it was": (errors, ends), "rate 5": learn(5, 0.1, seeds), "wide start, rate 1": learn(1, 1, seeds)}
    for name, (found, ends) in list(ways.items())[1:]:
        page.figure(f"{name}: solved", sum(map(solved, ends)), "{:.0f}", asked=f"{len(seeds)} of {len(seeds)}")
        page.figure(f"{name}: median error", np.median(found[:, -1]), "{:.1e}")
    axis = np.linspace(-0.5, 1.5, 60)
    grid = from_numpy(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))  # (3600, 2)
    figure = canvas(8, 5)
    for above, below, (name, (found, ends)) in zip(*figure.subplots(2, 3), ways.items(), strict=True):
        above.semilogy(found.T, linewidth=0.4)
        above.set_title(name)
        said = logits(ends[0], grid).sigmoid().numpy().reshape(60, 60)
        below.imshow(said, origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), vmin=0, vmax=1, cmap="RdBu")
        below.scatter([0, 1, 0, 1], [1, 0, 0, 1], c=[1, 1, 0, 0], cmap="RdBu", vmin=0, vmax=1, edgecolors="black")
    page.picture(
        figure,
        f"Above: the squared error over the epochs, a line a seed. Below: what the net of seed {seeds[0]} says to "
        "every pair of inputs, and in the dots what it should say: red is 0, blue is 1.",
    )


def show_cost(page: Page, seed: int, most: int) -> None:
    page.head("Before backpropagation: learning by trying weights")
    images, labels = digits().train.tensors
    pixels = images.flatten(1).double()  # (1438, 64)

    def digits_loss(w: Tensor) -> Tensor:
        w1, b1, w2, b2 = w.split([64 * 32, 32, 32 * 10, 10])
        hidden = (pixels @ w1.view(64, 32) + b1).relu()  # (1438, 32)
        return cross_entropy(hidden @ w2.view(32, 10) + b2, labels)

    wide = np.random.RandomState(seed).randn(64 * 32 + 32 + 32 * 10 + 10) * 0.1
    for name, loss, w, rate, size in ("XOR", loss_of, start(seed, 1), 1, 0.5), ("digits", digits_loss, wide, 0.5, 0.02):
        target = loss(from_numpy(w)).item() / 20
        steps, ratio = by_gradient(loss, w, rate, target)
        tries, reached = by_trying(compiled(loss), w, size, target, most)
        page.say(f"{name}, {w.size:,} weights, until the loss has fallen from {20 * target:.3f} to {target:.3f}:")
        page.figure(f"{name}: steps by backpropagation", steps, "{:,.0f}")
        page.figure(f"{name}: one gradient, in losses computed", ratio, "{:.1f}")
        page.figure(f"{name}: steps by differences, in losses computed", 2 * w.size * steps, "{:,.0f}")
        page.figure(f"{name}: losses computed by trying", tries, "{:,.0f}", note=f"then the loss is {reached:.3f}")
    page.say(
        "Differences take two losses for each weight. Trying is cheap for 17 weights, and gets lost among many. "
        "Backpropagation takes about three losses' work for any number of weights (Baur and Strassen, 1983)."
    )


def article(short: Short = False, seed: Seed = 0, html: Html = Path("article.html")) -> Page:
    """See the article's numbers, why its XOR program does not learn, how it does, and what backpropagation saves."""
    seeds = range(seed, seed + (10 if short else 100))
    with Page(
        "The article, checked", html, command="glassgrad recipe article", seeds=f"{seeds[0]}-{seeds[-1]}"
    ) as page:
        show_numbers(page)
        show_xor(page, seeds)
        show_cost(page, seed, 1000 if short else 50_000)
    return page
