"""The article's program for XOR: the doctor is told nothing of it, says that it stands on a saddle, and mends it.

A hundred seeds: python benchmarks/doctor/xor.py
"""

import numpy as np
import pytest
from benchmarks.doctor.xor import examined, program, right

from glassgrad.recipes.article import EPOCHS, Y, learn, logits, start


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_diagnosed_without_a_hint_and_mended(seed):
    (found,), proven, mended = examined(seed)
    assert found.fault == "flat place"
    assert "a saddle" in found.symptom
    evidence = dict(found.evidence)
    assert evidence["least curvature"] < 0 < evidence["largest curvature"]
    assert evidence["size of the gradient"] < 0.1 * evidence["its size if the rows' gradients were drawn at random"]
    assert proven
    assert mended


def test_it_is_the_articles_program_and_does_not_learn_by_itself():
    net, optimizer = program(0)
    first = optimizer.param_groups[0]["params"][0].detach().numpy().T
    assert np.array_equal(first.ravel(), start(0)[:8])
    _, (end,) = learn(0.1, 0.1, range(1))
    wrong = ((logits(end) > 0) != (Y > 0.5)).sum().item()
    assert wrong
    assert not right(net)
    assert EPOCHS == 1000
