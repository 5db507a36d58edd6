"""How each loss is made and called, beside torch. The targets' own gradients are compared too, where torch has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.nn.peers import Case, Fixed, case, even, ints, shares, signs

REDUCTIONS = ("mean", "sum", "none")
KL_REDUCTIONS = ("sum", "none", "batchmean")  # "mean" warns
X = np.array([[0.0, 1.0, -2.0], [3.0, -0.5, 0.5]])
TIED = np.array([[0.0, 0.0, -1.0], [1.0, 0.5, 0.5]])  # differences of 0, 1 and -1: where losses have their corners


def reduced(*args: Any, x: Any, **kwargs: Any) -> list[Case]:
    return [case(*args, reduction=word, x=x, **kwargs) for word in REDUCTIONS]


CLASSES = np.array([0, 2, 1, 2])
IGNORED = np.array([0, -100, 1, 2])
COUNTS = Fixed(ints(5, 2, 3) * 1.0)
LABELS = ints(2, 4, 3) * 1.0
COLUMNS = np.array([[1.0, 2.0, 3.0]])
WEIGHTS = np.array([0.5, 2.0, 1.0])


def by_index(*extra: Case) -> list[Case]:
    """What NLLLoss and CrossEntropyLoss share."""
    return [
        *reduced(x=[(4, 3), CLASSES]), *reduced(x=[(4, 3), IGNORED]), *reduced(weight=WEIGHTS, x=[(4, 3), CLASSES]),
        *reduced(weight=WEIGHTS, ignore_index=2, x=[(4, 3), CLASSES]), case(x=[(3,), np.array(1)]),
        *reduced(x=[(2, 3, 5), ints(3, 2, 5)]), *reduced(WEIGHTS, x=[(2, 3, 2, 5), ints(3, 2, 2, 5)]),
        *reduced(x=[(0, 3), ints(3, 0)])[1:], case(x=[(1, 1), np.array([0])]),
        case(ignore_index=1, x=[(4, 3), CLASSES]),
        *extra,
    ]  # fmt: skip


CASES: dict[str, list[Case]] = {
    "BCELoss": [
        *reduced(x=[even(2, 3), even(2, 3, seed=5)]), *reduced(COLUMNS, x=[even(2, 3), ints(2, 2, 3) * 1.0]),
        case(x=[even(), even(seed=3)]),
    ],
    "BCEWithLogitsLoss": [
        *reduced(x=[(2, 3), even(2, 3)]), *reduced(np.array([1.0, 2.0, 3.0]), x=[(2, 3), even(2, 3)]),
        *reduced(pos_weight=np.array([1.0, 2.0, 3.0]), x=[(2, 3), even(2, 3)]),
        case(x=[np.array([-800.0, 800.0, 0.0]), np.array([0.0, 1.0, 1.0])]), case(x=[(), even()]),
    ],
    "CosineEmbeddingLoss": [
        *reduced(x=[(4, 3), (4, 3), signs(4, dtype=int)]), *reduced(0.5, x=[(4, 3), (4, 3), signs(4)]),
        case(margin=-0.5, x=[(3,), (3,), np.array(-1)]),
    ],
    "CrossEntropyLoss": by_index(
        *reduced(x=[(4, 3), shares(4, 3)]), *reduced(WEIGHTS, label_smoothing=0.25, x=[(4, 3), shares(4, 3)]),
        *reduced(label_smoothing=0.25, x=[(4, 3), IGNORED]),
        *reduced(WEIGHTS, label_smoothing=1.0, x=[(4, 3), IGNORED]),
        *reduced(x=[(2, 3, 5), shares(2, 3, 5)]), case(x=[(3,), shares(3, axis=0)]),
        *reduced(WEIGHTS, label_smoothing=0.1, x=[(2, 3, 5), ints(3, 2, 5)]), case(x=[X * 500, ints(3, 2)]),
    ),
    "GaussianNLLLoss": [
        *reduced(x=[(2, 3), (2, 3), even(2, 3)]), *reduced(full=True, eps=0.5, x=[(2, 3), (2, 3), even(2, 3)]),
        case(x=[(2, 3), (2, 3), even(2, 1)]), case(x=[(2, 3), (2, 3), even(2)]), case(x=[(2, 3), (2, 3), 0.5]),
        case(x=[(2, 3), (2, 3), np.zeros((2, 3))]),
    ],
    "HingeEmbeddingLoss": [
        *reduced(x=[(2, 3), signs(2, 3)]), *reduced(0.5, x=[(2, 3), signs(2, 3)]),
        case(margin=1.0, x=[np.ones((2, 2)), -np.ones((2, 2))]),
    ],
    "HuberLoss": [
        *(case(word, x=[X, TIED]) for word in REDUCTIONS), case("mean", 0.5, x=[X, TIED]),
        case(delta=2.0, x=[(2, 3), (2, 3)]),
        case(x=[(), ()]),
    ],
    "KLDivLoss": [
        *(case(reduction=word, x=[np.log(shares(2, 3)), shares(2, 3, seed=7)]) for word in KL_REDUCTIONS),
        *(case(reduction=word, log_target=True, x=[(2, 3), (2, 3)]) for word in KL_REDUCTIONS),
    ],
    "L1Loss": [*reduced(x=[X, TIED]), case(x=[(), ()]), *reduced(x=[(0, 3), (0, 3)])[1:]],
    "MSELoss": [*reduced(x=[X, TIED]), case(x=[(2, 3, 5), (2, 3, 5)]), *reduced(x=[(0, 3), (0, 3)])[1:]],
    "MarginRankingLoss": [
        *reduced(x=[(4,), (4,), signs(4)]), *reduced(0.5, x=[(2, 3), (2, 3), signs(2, 3)]),
        case(margin=1.0, x=[np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([1.0, 1.0])]),
    ],
    "MultiLabelSoftMarginLoss": [
        *reduced(x=[(4, 3), LABELS]), *reduced(WEIGHTS, x=[(4, 3), LABELS]),
        case(x=[(3,), ints(2, 3) * 1.0]),
    ],
    "MultiMarginLoss": [
        *reduced(x=[(4, 3), CLASSES]), *reduced(2, 0.5, x=[(4, 3), CLASSES]),
        *reduced(weight=WEIGHTS, x=[(4, 3), CLASSES]),
        *reduced(2, weight=WEIGHTS, x=[(4, 3), CLASSES]), case(x=[(3,), np.array(1)]),
    ],
    "NLLLoss": by_index(),
    "PoissonNLLLoss": [
        *reduced(x=[(2, 3), ints(5, 2, 3) * 1.0]), *reduced(False, True, x=[even(2, 3), COUNTS]),
        case(True, full=True, eps=1e-3, x=[(2, 3), COUNTS]),
        case(False, x=[np.zeros(3), np.array([0.0, 1.0, 2.0])]),
    ],
    "SmoothL1Loss": [
        *reduced(x=[X, TIED]), *reduced(beta=0.5, x=[X, TIED]), case(beta=0.0, x=[X, TIED]),
        case(beta=2.0, x=[(2, 3), (2, 3)]),
    ],
    "SoftMarginLoss": [
        *reduced(x=[(2, 3), Fixed(signs(2, 3))]), case(x=[np.array([-60.0, 800.0]), Fixed(np.ones(2))]),
    ],
    "TripletMarginLoss": [
        *reduced(x=[(4, 3), (4, 3), (4, 3)]), *reduced(0.5, 1.0, swap=True, x=[(4, 3), (4, 3), (4, 3)]),
        case(2.0, 3.0, 1e-3, True, x=[(4, 3), (4, 3), (4, 3)]), case(x=[(3,), (3,), (3,)]),
    ],
}  # fmt: skip
