"""Every printed formula, read back and computed, gives the number it stands for: of every op, and of random graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.explain.evaluate import leaves, of_latex, of_text
from tests.graphs import LARGEST, SHAPES, pick

import glassgrad as gg
from glassgrad.dispatch import leaf
from glassgrad.explain import formula
from glassgrad.explain.formula import Whole
from glassgrad.op import REGISTRY
from glassgrad.tensor import wrap

CASES = [pytest.param(op, case, id=f"{op.name}-{n}") for op in REGISTRY.values() for n, case in enumerate(op.cases)]
CLOSE = 1e-8
"""Sums are added up in another order than the op adds them."""


@pytest.fixture(autouse=True)
def whole_sums(monkeypatch):
    """No term is left out of a printed sum."""
    monkeypatch.setattr(formula, "SHOWN", 10**9)


def places(step):
    """Some entries of a step: the first, the last, the largest."""
    if not step.value.size:
        return []
    ends = [np.unravel_index(flat, step.shape) for flat in (0, step.value.size - 1)] if step.shape else [()]
    return list(dict.fromkeys([tuple(map(int, end)) for end in ends] + [step.largest]))


def check(step):
    for at in places(step):
        expr, number = step.entry(at), float(step.value[at])
        for leaf_ in leaves(expr):
            assert not isinstance(leaf_, Whole) or leaf_.op.kind != "elementwise", f"{expr} is not taken apart"
        scale = max(1.0, abs(number)) * CLOSE
        boolean = step.value.dtype.kind == "b" or (step.value.dtype.kind == "f" and "¬" in str(expr))
        for read, style in ((of_text, formula.TEXT), (of_latex, formula.LATEX)):
            got = read(expr, boolean)
            assert got == pytest.approx(number, CLOSE, scale, nan_ok=True), f"{step.name}{at}: {expr.write(style)}"


@pytest.mark.parametrize(("op", "case"), CASES)
def test_every_formula_of_an_op(op, case):
    arrays = case.arrays(op, np.dtype("float64"), np.random.default_rng(sum(map(ord, op.name))))
    if op.refuses is not None:  # whole numbers by which nothing is divided
        arrays[-1] = np.abs(arrays[-1]) + 1
    nodes = [
        leaf(a, a.dtype.kind == "f" and op.differentiable and op.rule(k) is not None) for k, a in enumerate(arrays)
    ]
    with gg.record() as tape:
        made = wrap(op(*nodes, **case.params))
        if made.requires_grad:
            (made * gg.tensor(np.random.default_rng(1).uniform(-1, 1, made.shape))).sum().backward()
    steps = [step for step in tape.steps if step.op == op.name]
    assert steps
    for step in steps:
        check(step)


def test_a_sum_with_factors_is_not_written_without_them():
    """What is no plain sum of entries is not written as one, though its rows are known."""
    x = gg.tensor([[1.0, 2.0, 4.0]], dtype=gg.float64)
    with gg.record() as tape:
        x.softmax(1)
    (step,) = tape.steps
    assert isinstance(step.entry((0, 1)), Whole)
    assert str(step.entry((0, 1))) == "softmax(x)[0,1]"


@settings.get_profile("explained")
@given(st.data())
def test_every_formula_of_random_graphs(data):
    """Two thirds of what `--graphs` says, 200 by default."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shapes = data.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    values = [gg.tensor(rng.uniform(-2, 2, shape), requires_grad=True) for shape in shapes]
    with gg.record() as tape:
        for number in range(data.draw(st.integers(2, 6))):
            name, step, operands = pick(data.draw, [x.detach().numpy() for x in values])
            note(f"{number}: {name} of {operands}")
            made = step(gg, *(values[at] for at in operands))
            if made.numel() > LARGEST:
                made = made.mean(-1)
            values.append(made)
        total = sum((x * x).sum() for x in values if x.requires_grad)
        total.backward()
    for step in tape.steps:
        check(step)
