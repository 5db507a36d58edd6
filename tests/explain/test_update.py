"""From gradient to new weight: every optimizer's update is written so that its formulas give its numbers, and recording
a step changes none of them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.explain.evaluate import of_latex, of_text
from tests.optim.test_optimizers import RULES

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.errors import ArgumentError
from glassgrad.explain import formula

F = nn.functional


CLOSE = {"NAdam": 1e-6}
"""Beside 1e-9: NAdam keeps its product of momenta in float32, as torch's does."""


@pytest.fixture(autouse=True)
def whole_sums(monkeypatch):
    monkeypatch.setattr(formula, "SHOWN", 10**9)


def training(name, options, *, clip=None, dtype="double"):
    gg.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    net = net.double() if dtype == "double" else net
    optimizer = getattr(optim, name)(net.parameters(), **options)
    kind = gg.float64 if dtype == "double" else gg.float32
    x, y = gg.randn(5, 3, dtype=kind), gg.randn(5, 2, dtype=kind)

    def step():
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        if clip is not None:
            clip(net.parameters())
        optimizer.step()
        return loss

    return net, optimizer, step


@pytest.mark.parametrize(("name", "options"), RULES)
def test_every_optimizers_update(name, options):
    net, _, step = training(name, options)
    step()
    step()
    with gg.record() as tape:
        step()
    for p in net.parameters():
        for index in ((0,) * p.ndim, tuple(n - 1 for n in p.shape)):
            made = tape.update(p, index)
            assert made.new == p[index].item() and made.rule == name
            assert made.moves[0].value == p.grad[index].item()
            assert made.moves[-1].value == made.new or any(m.value == made.new for m in made.moves)
            for move in made.moves[1:]:
                for read in (of_text, of_latex):
                    assert read(move.expr) == pytest.approx(move.value, rel=CLOSE.get(name, 1e-9), abs=1e-15), str(move)
    for step_ in tape.steps:
        if step_.phase == "update" and step_.value.size:
            expr = step_.entry()
            number = float(step_.value[step_.largest])
            assert of_text(expr) == pytest.approx(number, rel=CLOSE.get(name, 1e-9), abs=1e-15), str(expr)


@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_recording_changes_no_number(name, options, dtype):
    plain, _, step = training(name, options, dtype=dtype)
    for _ in range(4):
        step()
    recorded, optimizer, step = training(name, options, dtype=dtype)
    for _ in range(4):
        with gg.record():
            step()
    for a, b in zip(plain.parameters(), recorded.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    for state in optimizer.state.values():
        assert all(type(v) in (float, int, gg.Tensor, type(None)) for v in state.values())


CLIPS = {
    "norm": lambda ps: nn.utils.clip_grad_norm_(ps, 0.05),
    "norm that is large enough": lambda ps: nn.utils.clip_grad_norm_(ps, 500.0),
    "infinite norm": lambda ps: nn.utils.clip_grad_norm_(ps, 0.05, norm_type=float("inf")),
    "value": lambda ps: nn.utils.clip_grad_value_(ps, 0.01),
}


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_clipping_is_a_move_of_its_own(clip):
    net, _, step = training("SGD", {"lr": 0.1}, clip=clip)
    with gg.record() as tape:
        step()
    w = net[0].weight
    index = (1, 2)
    made = tape.update(w, index)
    clipped = [m for m in made.moves if m.name.startswith("clipped")]
    assert len(clipped) == 1 and clipped[0].value == w.grad[index].item()
    assert of_text(clipped[0].expr) == pytest.approx(clipped[0].value, rel=1e-9)
    last = made.moves[-1]
    assert "lr" in last.formula and "clipped" in last.formula
    assert made.new == pytest.approx(made.old - 0.1 * w.grad[index].item(), rel=1e-12)
    (sentence,) = [s.sentence for s in tape.steps if s.name == clipped[0].name.partition("[")[0]]
    assert "clipped" in sentence


def test_the_norm_that_clipping_goes_by_is_a_move():
    net, _, step = training("SGD", {"lr": 0.1}, clip=lambda ps: nn.utils.clip_grad_norm_(ps, 1e9))
    with gg.record() as tape:
        step()
    total = sum(float((p.grad**2).sum()) for p in net.parameters())
    names = [m.name for m in tape.update(net[0].weight, (1, 2)).moves]
    (shared,) = [m for m in tape.update(net[0].weight, (1, 2)).moves if m.name.startswith("S")]
    assert shared.value == pytest.approx(total, rel=1e-12)
    assert names.index(shared.name) < next(k for k, name in enumerate(names) if name.startswith("clipped"))


def test_rates_and_counts_have_their_names():
    net, _, step = training("AdamW", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.2})
    for _ in range(2):
        step()
    with gg.record() as tape:
        step()
    text = str(tape.update(net[2].bias, 0))
    for name in ("lr", "beta1", "beta2^t", "eps", "weight_decay", "exp_avg", "exp_avg_sq"):
        assert name in text, text
    assert "0.9³" in text or "0.9^3" in text  # the third step


def test_schedules_are_followed():
    net, optimizer, step = training("SGD", {"lr": 1.0})
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for expected in (1.0, 0.5, 0.25):
        with gg.record() as tape:
            step()
        made = tape.update(net[0].bias, 0)
        assert made.new == pytest.approx(made.old - expected * net[0].bias.grad[0].item(), rel=1e-12)
        assert f"{expected:g} ·" in made.moves[-1].numbers or expected == 1
        schedule.step()


def test_no_update_recorded():
    net, _, _ = training("SGD", {"lr": 0.1})
    x = gg.randn(5, 3, dtype=gg.float64)
    with gg.record() as tape:
        net(x).sum().backward()
    with pytest.raises(ArgumentError, match="no update of this tensor was recorded"):
        tape.update(net[0].weight, (0, 0))
    with pytest.raises(ArgumentError, match="no update was recorded"):
        tape.responsibility()


@pytest.mark.parametrize("engine", ["native", "interpret"])
def test_a_compiled_step_is_recorded_as_the_plain_function_runs(engine):
    """And goes on compiled afterwards, with the numbers of a training that was never recorded."""
    plain, _, step = training("Adam", {"lr": 0.05})
    losses = [step().item() for _ in range(9)]
    net, _, step = training("Adam", {"lr": 0.05})
    compiled = gg.compile(step, engine=engine)
    made = []
    for number in range(9):
        if number in (2, 5):
            with gg.record() as tape:
                made.append(compiled().item())
            assert tape.why(net[0].weight, (0, 0)).value == net[0].weight.grad[0, 0].item()
            assert tape.update(net[0].weight, (0, 0)).new == net[0].weight[0, 0].item()
        else:
            made.append(compiled().item())
    assert made == pytest.approx(losses, rel=1e-10)
    for a, b in zip(plain.parameters(), net.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-10)
