"""How each function of nn.functional is called, beside torch: shapes stand for normal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.nn.cases_layers import ODD
from tests.nn.cases_losses import CLASSES, COLUMNS, COUNTS, IGNORED, REDUCTIONS, TIED, WEIGHTS, X
from tests.nn.peers import Case, Fixed, case, even, ints, shares, signs

NONE: Any = None


def on(*x: Any, **call: Any) -> Case:
    return case(x=list(x), call=call)


def reduced(*x: Any, **call: Any) -> list[Case]:
    return [on(*x, reduction=word, **call) for word in REDUCTIONS]


def everywhere(**call: Any) -> list[Case]:
    return [on((2, 3, 5), **call), on((), **call), on((0, 3), **call), on(ODD, **call)]


def written(**call: Any) -> list[Case]:
    return [*everywhere(**call), *everywhere(inplace=True, **call)]


RUNNING = (np.array([0.5, -1.0, 2.0]), np.array([0.5, 1.0, 2.0]))
MEAN, VAR = map(Fixed, RUNNING)
Q, K, V = (2, 3, 4), (2, 5, 4), (2, 5, 6)
LOOK = np.array([[True, False, True, True, False], [True] * 5, [False, True, False, False, True]])
NOWHERE = LOOK & np.array([[True], [False], [True]])
HEADS = [(3, 2, 4), (5, 2, 4), (5, 2, 4), 4, 2, (12, 4), (12,), NONE, NONE, False, 0.0, (4, 4), (4,)]

ACTIVATIONS: dict[str, list[Case]] = {
    "celu": [*written(), *written(alpha=0.5)],
    "elu": [*written(), *written(alpha=0.5)],
    "gelu": [*everywhere(), *everywhere(approximate="tanh")],
    "glu": [on((2, 6)), on((4, 3), dim=0), on((2, 2, 3), 1)],
    "hardshrink": [*everywhere(), *everywhere(lambd=3.0)],
    "hardsigmoid": written(),
    "hardswish": written(),
    "hardtanh": [*written(), *written(min_val=-3.0, max_val=0.5)],
    "leaky_relu": [*written(), *written(negative_slope=0.5)],
    "log_softmax": [on((2, 3), 1), on((3,), dim=0), on(ODD * 50, dim=-1), on((2, 3), dim=0, dtype=None)],
    "logsigmoid": [on((2, 3, 5)), on(()), on((0, 3)), on(ODD * 30)],
    "mish": written(),
    "prelu": [on((2, 3, 5), (3,)), on((2, 3), (1,)), on((), (1,)), on(ODD, (1,)), on((3,), (1,))],
    "relu": written(),
    "relu6": written(),
    "selu": written(),
    "sigmoid": [*everywhere(), on(ODD * 30)],
    "silu": [*written(), on(ODD * 30)],
    "softmax": [on((2, 3), 1), on((3,), dim=0), on(ODD * 50, dim=-1), on((2, 3, 0), dim=0)],
    "softmin": [on((2, 3), 1), on((3,), dim=0), on(ODD * 50, dim=-1)],
    "softplus": [*everywhere(), *everywhere(beta=2.0, threshold=2.0), on(ODD * 30), *everywhere(beta=-1.0)],
    "softshrink": [*everywhere(), *everywhere(lambd=3.0)],
    "softsign": everywhere(),
    "tanh": everywhere(),
    "tanhshrink": everywhere(),
    "threshold": [*written(threshold=0.5, value=-7.0), *written(threshold=-1, value=2)],
}

QUIET = {"training": False}
DRAWING: dict[str, list[Case]] = {
    "alpha_dropout": [on((2, 3), 0.5, False), on((2, 3), p=0.0, training=True), on((2, 3), p=1.0, training=True)],
    "dropout": [on((2, 3), 0.5, False), on((2, 3), p=0.0), on((2, 3), p=1.0), on((2, 3), p=1.0, inplace=True)],
    "dropout1d": [on((2, 3, 5), 0.5, False), on((3, 5), **QUIET), on((2, 3, 5), p=1.0)],
    "dropout2d": [on((2, 3, 5, 7), 0.5, False), on((2, 3, 5, 7), p=1.0)],
    "feature_alpha_dropout": [on((2, 3, 5), 0.5, False), on((2, 3, 5, 7), p=0.0, training=True)],
    "gumbel_softmax": [],  # every value is drawn: see test_random.py
}

PRODUCTS: dict[str, list[Case]] = {
    "bilinear": [on((4, 3), (4, 5), (2, 3, 5), (2,)), on((2, 4, 3), (2, 4, 5), (2, 3, 5)), on((3,), (5,), (2, 3, 5))],
    "conv1d": [
        on((2, 3, 9), (4, 3, 3)), on((3, 9), (4, 3, 3), (4,), stride=2, padding=1),
        on((1, 4, 9), (6, 2, 2), None, 3, 1, 2, 2),
        on((1, 2, 9), (3, 2, 3), padding="same"), on((1, 2, 3), (3, 2, 3), padding="valid"), on((2, 1, 1), (1, 1, 1)),
    ],
    "conv2d": [
        on((2, 3, 7, 6), (4, 3, 3, 2)), on((3, 7, 6), (4, 3, 3, 3), (4,), stride=[2, 1], padding=[1, 2]),
        on((1, 4, 8, 9), (6, 2, 2, 3), None, 3, 1, [2, 1], 2), on((1, 2, 5, 6), (3, 2, 3, 5), padding="same"),
        on((2, 2, 3, 3), (2, 1, 3, 3), groups=2), on((0, 2, 5, 5), (3, 2, 3, 3)), on((2, 2, 6, 5), (3, 2, 1, 1), (3,)),
    ],
    "conv_transpose1d": [
        on((2, 3, 5), (3, 4, 3)), on((3, 5), (3, 4, 3), (4,), stride=2, padding=1, output_padding=1),
        on((1, 4, 5), (4, 3, 2), None, 3, 1, 0, 2, 2),
    ],
    "conv_transpose2d": [
        on((2, 3, 5, 4), (3, 4, 3, 2)),
        on((3, 5, 4), (3, 4, 3, 3), (4,), stride=[2, 1], padding=[1, 2], output_padding=[1, 0]),
        on((1, 4, 3, 3), (4, 3, 2, 2), None, 3, 1, 0, 2, 2),
    ],
    "cosine_similarity": [
        on((3, 5), (3, 5)), on((3, 5), (5,), dim=-1), on((3, 5), (3, 5), dim=0, eps=1e-2), on((3,), (3,), dim=0),
    ],
    "embedding": [
        on(ints(7, 2, 5), (7, 3)), on(ints(7, 11), (7, 3), 2), on(ints(7, 11), (7, 3), padding_idx=-1),
        on(ints(7), (7, 3)),
        on(ints(7, 0), (7, 3)),
    ],
    "linear": [
        on((2, 3), (5, 3)), on((2, 3), (5, 3), (5,)), on((3,), (5, 3), (5,)), on((2, 7, 3), (5, 3), (5,)),
        on((0, 3), (5, 3)),
        on((2, 3), (3,)), on((3,), (3,)), on((1, 1), (1, 1), (1,)),
    ],
    "multi_head_attention_forward": [
        on(*HEADS), on(*HEADS, need_weights=False), on(*HEADS, average_attn_weights=False), on(*HEADS, attn_mask=~LOOK),
        on(*HEADS, key_padding_mask=~LOOK[:2]), on(*HEADS, attn_mask=(3, 5)), on(*HEADS[:-1], NONE, training=False),
        on(*HEADS[:5], NONE, *HEADS[6:], use_separate_proj_weight=True, q_proj_weight=(4, 4), k_proj_weight=(4, 4),
           v_proj_weight=(4, 4)),
        on(*HEADS[:7], (1, 1, 4), (1, 1, 4), True, *HEADS[10:], attn_mask=~LOOK),
    ],
    "normalize": [
        on((3, 5)), on((3, 5), 1.0), on((3, 5), p=3, dim=0), on((2, 3, 5), dim=[1, 2]), on((3, 5), 2.0, 1, 2.0),
        on((3, 5), p=float("inf")),
    ],
    "one_hot": [on(ints(5, 2, 3)), on(ints(5, 2, 3), 7), on(ints(5, 0), 4), on(ints(5), num_classes=5)],
    "pairwise_distance": [
        on((3, 5), (3, 5)), on((3, 5), (3, 5), 1.0, 1e-3, True), on((5,), (5,), p=3.0), on((3, 5), (5,)),
    ],
    "scaled_dot_product_attention": [
        on(Q, K, V), on(Q, K, V, LOOK), on(Q, K, V, (3, 5)), on((3, 4), (5, 4), (5, 6)), on(Q, Q, Q, is_causal=True),
        on((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6), (2, 1, 3, 5)), on(Q, K, V, scale=0.25),
        on((1, 4, 3, 4), (1, 2, 5, 4), (1, 2, 5, 6), enable_gqa=True), on((1, 1, 4), (1, 1, 4), (1, 1, 4)),
    ],
}  # fmt: skip

NORMS: dict[str, list[Case]] = {
    "batch_norm": [
        on((4, 3), NONE, NONE, training=True), on((2, 3, 5), MEAN, VAR),
        on((2, 3, 5, 2), MEAN, VAR, (3,), (3,), True, 0.5, 0.1),
        on((4, 3), MEAN, VAR, (3,), (3,)), on((4, 3), MEAN, VAR, (3,)), on((0, 3), MEAN, VAR),
    ],
    "group_norm": [
        on((2, 4, 3), 2), on((2, 4), 4, (4,), (4,), 0.1), on((1, 6, 2, 2), 3, (6,), (6,)), on((1, 2, 2), 1, (2,)),
    ],
    "instance_norm": [
        on((2, 3, 5)), on((2, 3, 5, 2), MEAN, VAR, (3,), (3,)), on((2, 3, 5), MEAN, VAR, use_input_stats=False),
        on((2, 3, 5), MEAN, VAR, momentum=0.5, eps=0.1), on((2, 3, 5), weight=(3,)),
    ],
    "layer_norm": [
        on((2, 3, 5), [5]), on((2, 3, 5), [3, 5], (3, 5), (3, 5), 0.1), on((5,), [5], (5,)), on((0, 5), [5]),
    ],
    "local_response_norm": [on((2, 5, 3), 2), on((2, 4, 3, 2), 3, 0.5, 0.5, 2.0), on((1, 2, 3), size=5, alpha=1.0)],
    "rms_norm": [on((2, 3, 5), [5]), on((2, 3, 5), [3, 5], (3, 5), 0.1), on((5,), [5], (5,))],
}  # fmt: skip

POOLS: dict[str, list[Case]] = {
    "adaptive_avg_pool1d": [on((2, 3, 7), 4), on((3, 7), [1]), on((2, 3, 6), 3), on((1, 1, 2), 5)],
    "adaptive_avg_pool2d": [
        on((2, 3, 7, 5), 4), on((3, 7, 5), [None, 2]), on((2, 3, 6, 4), [3, 2]), on((1, 1, 2, 2), [1, 1]),
    ],
    "adaptive_max_pool1d": [on((2, 3, 7), 4), on((3, 7), 1, True), on((1, 1, 2), 5)],
    "adaptive_max_pool2d": [
        on((2, 3, 7, 5), 4), on((3, 7, 5), [None, 2], return_indices=True), on(np.ones((1, 1, 4, 4)), 3),
    ],
    "avg_pool1d": [on((2, 3, 7), 2), on((3, 7), 3, 2, 1), on((2, 3, 8), 3, 2, 1, True, False), on((1, 1, 5), [2], [1])],
    "avg_pool2d": [
        on((2, 3, 7, 6), 2), on((3, 7, 6), [3, 2], [2, 1], [1, 0]), on((2, 3, 8, 6), 3, 2, 1, True, False),
        on((1, 1, 5, 5), 2, divisor_override=5), on((1, 2, 6, 6), 4, 3, 2, True),
    ],
    "max_pool1d": [
        on((2, 3, 7), 2), on((3, 7), 3, 2, 1, 1, True), on((2, 2, 8), 2, 1, 0, 3), on(np.ones((1, 1, 5)), 3, 1),
    ],
    "max_pool1d_with_indices": [on((2, 3, 7), 2), on((3, 7), 3, 2, 1, 1, True), on(np.ones((1, 1, 5)), 3, 1)],
    "max_pool2d": [
        on((1, 1, 3, 3), [1, 2], 1, [0, 1]),
        on((2, 3, 7, 6), 2), on((3, 7, 6), [3, 2], [2, 1], [1, 0]), on((2, 2, 8, 7), 3, 2, 1, ceil_mode=True),
        on((1, 2, 7, 7), 2, 1, 0, 3), on((1, 2, 5, 5), 2, return_indices=True), on(ints(2, 1, 2, 6, 6) * 1.0, 3, 1, 1),
    ],
    "max_pool2d_with_indices": [
        on((2, 3, 7, 6), 2), on((2, 2, 8, 7), 3, 2, 1, ceil_mode=True), on(ints(2, 1, 2, 6, 6) * 1.0, 3, 1, 1),
    ],
}  # fmt: skip

SHAPING: dict[str, list[Case]] = {
    "fold": [on((2, 12, 9), [4, 5], [2, 3]), on((12, 9), [4, 5], 2, 1, 1, 2), on((1, 4, 9), 5, 2, dilation=2)],
    "interpolate": [
        on((2, 3, 4), 7), on((1, 2, 3, 4), [5, 2]), on((1, 2, 3, 4), scale_factor=2, mode="bilinear"),
        on((1, 1, 5), None, 0.6),
        on((1, 2, 5), 3, mode="linear", align_corners=True), on((1, 1, 7), 3, mode="nearest-exact"),
        on((1, 1, 4, 3), scale_factor=[1.5, 0.7], mode="bilinear", align_corners=False),
        on((1, 1, 3), 1, mode="linear", align_corners=True),
        on((1, 1, 4, 3), scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
        on((1, 1, 1), 4, mode="linear"),
    ],
    "pad": [
        on((2, 3), [1, 2]), on((2, 3), [1, 2, 0, 3], "constant", 1.5), on((2, 3), [-1, 2]),
        on((2, 3, 5), [2, 1], "reflect"),
        on((2, 3, 4, 5), [2, 1, 0, 3], "reflect"), on((2, 3, 5), [7, 1], "replicate"),
        on((3, 4, 5), [1, 1, 2, 2], "circular"),
        on((4,), [1, 1]), on((2, 3), [0, 0]), on((2, 3), [-1, -2]), on((0, 3), [1, 1]),
        on((2, 3, 5), [5, 5], mode="circular"),
    ],
    "pixel_shuffle": [on((2, 8, 3, 5), 2), on((9, 2, 1), 3)],
    "pixel_unshuffle": [on((2, 3, 4, 6), 2), on((1, 3, 6), 3)],
    "unfold": [on((2, 3, 4, 5), [2, 3]), on((3, 4, 5), 2, 1, 1, 2), on((1, 1, 5, 4), 2, dilation=2, padding=[1, 0])],
}  # fmt: skip

LOSSES: dict[str, list[Case]] = {
    "binary_cross_entropy": [
        *reduced(even(2, 3), even(2, 3, seed=4)), *reduced(even(2, 3), ints(2, 2, 3) * 1.0, weight=Fixed(WEIGHTS)),
    ],
    "binary_cross_entropy_with_logits": [
        *reduced((2, 3), even(2, 3)), *reduced((2, 3), even(2, 3), weight=Fixed(WEIGHTS), pos_weight=Fixed(COLUMNS)),
        on(ODD * 40, even(11)),
    ],
    "cosine_embedding_loss": [*reduced((4, 3), (4, 3), signs(4, dtype=int)), on((3,), (3,), np.array(1), margin=0.5)],
    "cross_entropy": [
        *reduced((4, 3), CLASSES), *reduced((4, 3), IGNORED, weight=Fixed(WEIGHTS)), *reduced((4, 3), shares(4, 3)),
        *reduced((2, 3, 5), ints(3, 2, 5), label_smoothing=0.2, weight=Fixed(WEIGHTS)), on((3,), np.array(2)),
        on((4, 3), CLASSES, ignore_index=2), on((4, 3), IGNORED, label_smoothing=0.3),
        on((3, 4), np.array([-100] * 3), reduction="sum"),
        *reduced((4, 3), shares(4, 3), label_smoothing=0.2, weight=Fixed(WEIGHTS)),
    ],
    "gaussian_nll_loss": [
        *reduced((2, 3), (2, 3), even(2, 3)), on((2, 3), (2, 3), even(2, 1), full=True),
        on((2, 3), (2, 3), 0.5, eps=2.0),
    ],
    "hinge_embedding_loss": [*reduced((2, 3), signs(2, 3)), on(X, signs(2, 3), margin=2.0)],
    "huber_loss": [*reduced(X, TIED), on(X, TIED, delta=0.5)],
    "kl_div": [
        *(on(np.log(shares(2, 3)), shares(2, 3, seed=5), reduction=word) for word in ("sum", "none", "batchmean")),
        *(on((2, 3), (2, 3), reduction=word, log_target=True) for word in ("sum", "none", "batchmean")),
        on((2, 3), Fixed(np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])), reduction="sum"),
    ],
    "l1_loss": [*reduced(X, TIED), *reduced(X, TIED, weight=Fixed(even(2, 3)))],
    "margin_ranking_loss": [*reduced((4,), (4,), signs(4)), on(np.ones(2), np.zeros(2), np.ones(2), margin=1.0)],
    "mse_loss": [*reduced(X, TIED), *reduced(X, TIED, weight=Fixed(even(2, 3))), on((), ())],
    "multi_margin_loss": [
        *reduced((4, 3), CLASSES), *reduced((4, 3), CLASSES, p=2, margin=0.5, weight=Fixed(WEIGHTS)),
        on((3,), np.array(1)),
    ],
    "multilabel_soft_margin_loss": [
        *reduced((4, 3), ints(2, 4, 3) * 1.0), on((4, 3), ints(2, 4, 3) * 1.0, weight=Fixed(WEIGHTS)),
    ],
    "nll_loss": [
        *reduced((4, 3), CLASSES), *reduced((4, 3), IGNORED, weight=Fixed(WEIGHTS)), *reduced((2, 3, 5), ints(3, 2, 5)),
        on((3,), np.array(2)), on((4, 3), CLASSES, ignore_index=2),
    ],
    "poisson_nll_loss": [*reduced((2, 3), COUNTS), *reduced(even(2, 3), COUNTS, log_input=False, full=True, eps=1e-3)],
    "smooth_l1_loss": [*reduced(X, TIED), on(X, TIED, beta=0.5), on(X, TIED, beta=0.0)],
    "soft_margin_loss": reduced((2, 3), Fixed(signs(2, 3))),
    "triplet_margin_loss": [
        *reduced((4, 3), (4, 3), (4, 3)), on((4, 3), (4, 3), (4, 3), 2.0, 1.0, 1e-3, True), on((3,), (3,), (3,), p=3),
    ],
}  # fmt: skip

CASES = ACTIVATIONS | DRAWING | PRODUCTS | NORMS | POOLS | SHAPING | LOSSES
