"""Sentences say what the numbers say, and nothing that they do not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.op import REGISTRY

F = nn.functional


def backward(tape, name):
    return next(s for s in tape.steps if s.phase == "backward" and s.name == name)


def through(function, at):
    x = gg.tensor(at, dtype=gg.float64, requires_grad=True)
    with gg.record() as tape:
        y = function(x)
        (y * 1.5).sum().backward()
    return tape


@pytest.mark.parametrize(("at", "share"), [(3.1, 0.81), (-4.0, 0.13)])
def test_where_tanh_is_flat(at, share):
    tape = through(gg.tanh, at)
    forward = next(s for s in tape.steps if s.op == "tanh")
    sign = "−" if at < 0 else ""
    assert f"x is {sign}{abs(at):g}, where tanh is flat" in forward.sentence
    sentence = backward(tape, "∂L/∂x").sentence
    assert sentence == f"x is {sign}{abs(at):g}, where tanh is nearly flat: only {share} % of the error gets through."


def test_where_it_is_not():
    tape = through(gg.tanh, 0.1)
    forward = next(s for s in tape.steps if s.op == "tanh")
    assert "flat" not in forward.sentence.replace(REGISTRY["tanh"].says, "")
    assert "goes on almost as it is" in backward(tape, "∂L/∂x").sentence
    assert "flat" not in backward(through(gg.sigmoid, 2.0), "∂L/∂x").sentence  # a tenth is not nothing
    assert "steep" in backward(through(gg.exp, 2.0), "∂L/∂x").sentence


def test_shares_are_those_of_the_numbers():
    """For every op of one operand: the percentage in the sentence is |error out| / |error in|."""
    told = 0
    for name, op in REGISTRY.items():
        if op.kind != "elementwise" or len(op.operands) != 1 or not op.differentiable or name == "cast":
            continue
        low, high = op.interval(0)
        for at in np.linspace(low + 0.05 * (high - low), high - 0.05 * (high - low), 7):
            tape = through(lambda x, name=name: getattr(x, name)(), float(at))
            for step in tape.steps:
                share = re.search(r"([\d.e−]+) % of the error", step.sentence)
                if step.phase != "backward" or step.edge is None or share is None:
                    continue
                came = float(tape.value(tape.cotangents[step.edge.node]))
                told += 1
                said = float(share[1].replace("−", "-")) / 100
                assert said == pytest.approx(abs(float(step.value) / came), rel=0.06), step.sentence
    assert told > 50


def test_nothing_gets_through_a_dead_relu():
    sentence = backward(through(gg.relu, [-1.0, -2.0]), "∂L/∂x").sentence
    assert sentence == "Nothing of the error gets through to x: the slope of relu is 0 wherever error arrived."


def test_an_op_that_mixes_and_a_value_that_is_used_twice():
    w = gg.tensor([1.0, -2.0], requires_grad=True)
    with gg.record() as tape:
        y = w * 3 - w * 3
        (y + w).sum().backward()
    (gathered,) = [s for s in tape.steps if s.op == "sum of the paths"]
    assert "is used 3 times, so the errors of all its uses are added up" in gathered.sentence
    with gg.record() as tape:
        z = w * 3.0 + w * -2.9
        z.sum().backward()
    (gathered,) = [s for s in tape.steps if s.op == "sum of the paths"]
    assert gathered.sentence.endswith("they cancel out for the most part.")


def test_where_nan_appears_first():
    x = gg.tensor([1.0, -1.0, 4.0], requires_grad=True)
    with gg.record() as tape:
        y = x.log()
        z = y * 2
        z.sum().backward()
    said = {s.name: s.sentence for s in tape.steps}
    assert (
        said["y"]
        == "Here nan appears for the first time on this way in 1 of 3 entries, first at [1]: all operands were finite."
    )
    assert said["z"].startswith("Nan came in with the operands and is passed on")
    y = next(s for s in tape.steps if s.name == "y")
    assert y.largest == (1,) and "not finite" in y.result


def test_infinity():
    with gg.record() as tape:
        y = gg.tensor([100.0, 1.0]).exp()
        y.sum()
    assert "Here infinity appears" in tape.steps[0].sentence


def test_of_many_entries_the_share_that_is_flat():
    x = gg.tensor(np.concatenate([np.full(30, 6.0), np.zeros(70)]), requires_grad=True)
    with gg.record() as tape:
        y = gg.sigmoid(x)
        y.sum().backward()
    assert "At 30% of the entries it is flat" in tape.steps[0].sentence
    assert "In 30% of the 100 entries sigmoid is flat or nearly so" in backward(tape, "∂L/∂x").sentence


def test_how_far_weights_move():
    w = gg.tensor([3.0, 4.0], dtype=gg.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    with gg.record() as tape:
        (w * gg.tensor([3.0, 4.0], dtype=gg.float64)).sum().backward()
        optimizer.step()
    assert tape.steps[-1].sentence == "w moves by 0.5, 10 % of its norm."
    optimizer.zero_grad()
    with gg.record() as tape:
        (w * 0.0).sum().backward()
        optimizer.step()
    assert tape.steps[-1].sentence == "w stays where it is."


def test_every_op_has_a_sentence_in_every_phase():
    gg.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(18, 4),
    )  # fmt: skip
    optimizer = optim.AdamW(net.parameters())
    with gg.record() as tape:
        F.cross_entropy(net(gg.randn(3, 1, 8, 8)), gg.tensor([0, 1, 3])).backward()
        optimizer.step()
    for step in tape.steps:
        assert step.sentence.endswith("."), step
        assert "nan" not in step.sentence and "None" not in step.sentence
