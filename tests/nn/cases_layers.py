"""How each layer that is not a convolution, a loss or recurrent is made and called, beside torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.nn.peers import Case, case, ints

ODD = np.array([-7.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 25.0])  # where the activations have corners
SHAPES: list[Any] = [(2, 3, 5), (), (0, 3), ODD]


def everywhere(*args: Any, **kwargs: Any) -> list[Case]:
    return [case(*args, x=[x], **kwargs) for x in SHAPES]


ACTIVATIONS: dict[str, list[Case]] = {
    "CELU": [*everywhere(), *everywhere(0.5), *everywhere(alpha=3.0, inplace=True)],
    "ELU": [*everywhere(), *everywhere(0.5), *everywhere(alpha=3.0, inplace=True)],
    "GELU": [*everywhere(), *everywhere("tanh"), *everywhere(approximate="tanh")],
    "GLU": [case(x=(2, 3, 4)), case(1, x=(2, 6, 3)), case(dim=0, x=(2,)), case(x=(0, 4))],
    "Hardshrink": [*everywhere(), *everywhere(1.0), *everywhere(lambd=0.0)],
    "Hardsigmoid": [*everywhere(), *everywhere(True)],
    "Hardswish": [*everywhere(), *everywhere(True)],
    "Hardtanh": [*everywhere(), *everywhere(-0.5, 3.0), *everywhere(-2, 2, inplace=True)],
    "LeakyReLU": [*everywhere(), *everywhere(0.25), *everywhere(negative_slope=2.0, inplace=True)],
    "LogSigmoid": everywhere(),
    "LogSoftmax": [case(1, x=(2, 3, 5)), case(dim=-1, x=(3,)), case(0, x=ODD * 100), case(1, x=(0, 3))],
    "Mish": [*everywhere(), *everywhere(True)],
    "PReLU": [*everywhere(), case(3, x=(2, 3, 5)), case(3, 0.5, x=(2, 3)), case(num_parameters=1, init=-2.0, x=(3,))],
    "ReLU": [*everywhere(), *everywhere(True)],
    "ReLU6": [*everywhere(), *everywhere(inplace=True)],
    "SELU": [*everywhere(), *everywhere(True)],
    "SiLU": [*everywhere(), *everywhere(True)],
    "Sigmoid": everywhere(),
    "Softmax": [case(1, x=(2, 3, 5)), case(dim=-1, x=(3,)), case(0, x=ODD * 100), case(1, x=(0, 3))],
    "Softmax2d": [case(x=(2, 3, 5, 7)), case(x=(3, 5, 7)), case(x=(1, 1, 2, 2))],
    "Softmin": [case(1, x=(2, 3, 5)), case(dim=-1, x=(3,))],
    "Softplus": [*everywhere(), *everywhere(2.0), *everywhere(beta=0.5, threshold=2.0)],
    "Softshrink": [*everywhere(), *everywhere(1.0), *everywhere(lambd=0.0)],
    "Softsign": everywhere(),
    "Tanh": everywhere(),
    "Tanhshrink": everywhere(),
    "Threshold": [*everywhere(0.5, -7.0), *everywhere(0, 0), *everywhere(-1.0, 2.0, inplace=True)],
}

DROPOUTS: dict[str, list[Case]] = {
    name: [
        *(case(train=False, x=shape) for shape in shapes),
        case(0.0, x=shapes[0]),
        case(p=0.25, inplace=True, train=False, x=shapes[0]),
        case(1.0, x=shapes[0]),
        case(1, x=shapes[0], train=False),
    ]
    for name, shapes in {
        "AlphaDropout": [(2, 3), (), (0, 3)],
        "Dropout": [(2, 3), (), (0, 3)],
        "Dropout1d": [(2, 3, 5), (3, 5)],
        "Dropout2d": [(2, 3, 5, 7)],
        "FeatureAlphaDropout": [(2, 3, 5, 7), (2, 3, 5)],
    }.items()
}

POOLS: dict[str, list[Case]] = {
    "AdaptiveAvgPool1d": [case(5, x=(2, 3, 7)), case(1, x=(3, 7)), case((4,), x=(1, 2, 4)), case(5, x=(2, 3, 2))],
    "AdaptiveAvgPool2d": [
        case(3, x=(2, 3, 7, 5)), case((None, 2), x=(3, 7, 5)), case(1, x=(1, 2, 4, 3)), case((4, 6), x=(1, 2, 8, 6)),
        case((2, 3), x=(0, 2, 5, 4)), case(7, x=(1, 1, 3, 2)),
    ],
    "AdaptiveMaxPool1d": [case(5, x=(2, 3, 7)), case(1, x=(3, 7)), case(4, True, x=(1, 2, 9))],
    "AdaptiveMaxPool2d": [
        case(3, x=(2, 3, 7, 5)), case((None, 2), x=(3, 7, 5)), case((2, 3), return_indices=True, x=(2, 2, 5, 4)),
        case(2, x=[np.zeros((1, 2, 5, 5))]),
    ],
    "AvgPool1d": [
        case(2, x=(2, 3, 7)), case(3, 2, 1, x=(3, 7)),
        case((3,), stride=(2,), padding=(1,), ceil_mode=True, x=(2, 3, 8)),
        case(3, 2, 1, count_include_pad=False, x=(1, 1, 6)),
    ],
    "AvgPool2d": [
        case(2, x=(2, 3, 6, 5)), case((3, 2), (2, 1), (1, 0), x=(3, 7, 5)), case(3, 2, 1, True, x=(2, 3, 8, 6)),
        case(3, 2, 1, True, False, x=(1, 1, 6, 8)), case(2, divisor_override=3, x=(1, 2, 5, 4)),
        case(3, 1, 1, divisor_override=7, x=(1, 2, 5, 4)), case(2, x=(0, 3, 6, 5)),
    ],
    "MaxPool1d": [
        case(2, x=(2, 3, 7)), case(3, 2, 1, x=(3, 7)), case((3,), stride=2, padding=1, ceil_mode=True, x=(2, 3, 8)),
        case(2, 1, 0, 3, x=(1, 1, 6)), case(3, return_indices=True, x=(2, 2, 9)), case(2, x=[np.zeros((1, 1, 6))]),
    ],
    "MaxPool2d": [
        case(2, x=(2, 3, 6, 5)), case((3, 2), (2, 1), (1, 0), x=(3, 7, 5)),
        case(3, 2, 1, ceil_mode=True, x=(2, 3, 8, 6)),
        case(2, 1, 0, (3, 2), x=(1, 1, 6, 8)), case(3, 2, 1, return_indices=True, x=(2, 2, 9, 7)),
        case(2, x=[np.zeros((1, 2, 4, 4))]), case(2, x=(0, 3, 6, 5)), case(2, x=[ints(2, 1, 2, 6, 6).astype(float)]),
    ],
}  # fmt: skip

NORMS: dict[str, list[Case]] = {
    "BatchNorm1d": [
        case(3, x=(5, 3)), case(3, x=(2, 3, 7)), case(3, x=(5, 3), train=False), case(3, x=(2, 3, 7), train=False),
        case(3, 1e-3, 0.5, x=(5, 3)), case(3, momentum=None, x=(5, 3)), case(3, affine=False, x=(5, 3)),
        case(3, bias=False, x=(5, 3)), case(3, track_running_stats=False, x=(5, 3)), case(3, x=(1, 3, 4)),
        case(3, track_running_stats=False, x=(5, 3), train=False), case(3, x=(1, 3), train=False),
        case(3, momentum=0.0, x=(4, 3)), case(3, momentum=1.0, x=(4, 3)), case(3, x=(0, 3), train=False),
    ],
    "BatchNorm2d": [
        case(3, x=(2, 3, 5, 7)), case(3, x=(2, 3, 5, 7), train=False), case(3, momentum=None, x=(1, 3, 2, 2)),
        case(3, eps=0.1, affine=False, track_running_stats=False, x=(2, 3, 1, 1)), case(1, x=(1, 1, 2, 1)),
    ],
    "GroupNorm": [
        case(2, 4, x=(3, 4)), case(1, 4, x=(2, 4, 5)), case(4, 4, 1e-2, x=(2, 4, 3, 3)),
        case(2, 4, affine=False, x=(1, 4, 2)),
        case(2, 4, bias=False, x=(1, 4, 2)), case(2, 6, x=(2, 6, 1, 1)),
    ],
    "InstanceNorm1d": [
        case(3, x=(2, 3, 7)), case(3, x=(3, 7)), case(3, affine=True, x=(2, 3, 7)),
        case(3, 0.1, affine=True, bias=False, x=(2, 3, 7)),
        case(3, track_running_stats=True, x=(2, 3, 7)), case(3, track_running_stats=True, x=(2, 3, 7), train=False),
        case(3, 1e-5, 0.5, True, True, x=(3, 7)), case(3, x=(2, 3, 7), train=False),
    ],
    "InstanceNorm2d": [
        case(3, x=(2, 3, 5, 7)), case(3, x=(3, 5, 7)), case(3, affine=True, track_running_stats=True, x=(2, 3, 5, 7)),
        case(3, affine=True, track_running_stats=True, x=(3, 5, 7), train=False), case(3, x=(1, 3, 1, 2)),
    ],
    "LayerNorm": [
        case(5, x=(2, 3, 5)), case((3, 5), x=(2, 3, 5)), case([5], 1e-2, x=(5,)),
        case(5, elementwise_affine=False, x=(1, 5)),
        case(5, bias=False, x=(2, 5)), case(5, x=(0, 5)), case(1, x=(3, 1)),
    ],
    "LocalResponseNorm": [
        case(2, x=(2, 5, 7)), case(3, 0.5, 0.5, 2.0, x=(1, 4, 3, 3)), case(1, alpha=1.0, x=(2, 1, 2)),
        case(5, k=0.5, x=(2, 3, 2)),
    ],
    "RMSNorm": [
        case(5, x=(2, 3, 5)), case((3, 5), x=(2, 3, 5)), case([5], 1e-2, x=(5,)),
        case(5, elementwise_affine=False, x=(1, 5)),
        case(5, x=(0, 5)),
    ],
}  # fmt: skip

SHAPING: dict[str, list[Case]] = {
    "CircularPad1d": [case(2, x=(2, 3, 5)), case((1, 3), x=(3, 5)), case((0, 5), x=(1, 1, 5))],
    "CircularPad2d": [case(1, x=(2, 3, 4, 5)), case((1, 2, 3, 0), x=(3, 4, 5))],
    "ConstantPad1d": [
        case(2, 1.5, x=(2, 3, 5)), case((1, 0), -2, x=(3, 5)), case((-1, 2), 0.5, x=(2, 5)), case(1, 0, x=(4,)),
    ],
    "ConstantPad2d": [case(2, 1.5, x=(2, 3, 5)), case((1, 0, -1, 2), -2.0, x=(1, 2, 3, 5))],
    "Flatten": [case(x=(2, 3, 5)), case(0, 1, x=(2, 3, 5)), case(start_dim=0, x=()), case(x=(0, 3, 5)), case(x=(4, 1))],
    "Fold": [
        case((4, 5), (2, 3), x=(2, 12, 9)), case((4, 5), 2, 1, 1, 2, x=(3 * 4, 9)),
        case((5, 5), 2, dilation=2, x=(1, 4, 9)),
    ],
    "Identity": [case(x=(2, 3)), case(3, unused=1, x=())],
    "PixelShuffle": [
        case(2, x=(2, 8, 3, 5)), case(3, x=(9, 2, 1)), case(1, x=(2, 3, 2, 2)), case(2, x=(2, 1, 4, 1, 3)),
    ],
    "PixelUnshuffle": [case(2, x=(2, 3, 4, 6)), case(3, x=(1, 3, 6)), case(1, x=(2, 3, 2, 2))],
    "ReflectionPad1d": [case(2, x=(2, 3, 5)), case((1, 3), x=(3, 5)), case((4, 0), x=(1, 1, 5))],
    "ReflectionPad2d": [case(1, x=(2, 3, 4, 5)), case((1, 2, 3, 0), x=(3, 4, 5))],
    "ReplicationPad1d": [case(2, x=(2, 3, 5)), case((1, 7), x=(3, 5))],
    "ReplicationPad2d": [case(1, x=(2, 3, 4, 5)), case((1, 2, 7, 0), x=(3, 4, 5))],
    "Unflatten": [case(1, (3, 5), x=(2, 15)), case(-1, (2, -1), x=(3, 6)), case(0, (1, 4), x=(4,))],
    "Unfold": [
        case((2, 3), x=(2, 3, 4, 5)), case(2, 1, 1, 2, x=(3, 4, 5)),
        case(2, dilation=2, padding=(1, 0), x=(1, 1, 5, 4)),
    ],
    "Upsample": [
        case(scale_factor=2, x=(2, 3, 4)), case((5, 7), x=(1, 2, 3, 4)), case(7, mode="linear", x=(1, 2, 5)),
        case(scale_factor=(2, 1.5), mode="bilinear", x=(1, 2, 3, 4)), case(None, 0.6, x=(1, 2, 7)),
        case((5, 2), mode="bilinear", align_corners=True, x=(2, 1, 3, 4)), case(9, None, "nearest-exact", x=(1, 1, 4)),
        case(scale_factor=1.7, mode="linear", recompute_scale_factor=True, x=(1, 1, 4)),
    ],
    "UpsamplingBilinear2d": [
        case(scale_factor=2, x=(2, 3, 4, 5)), case((7, 3), x=(1, 1, 4, 5)), case(1, x=(1, 1, 2, 3)),
    ],
    "UpsamplingNearest2d": [case(scale_factor=2, x=(2, 3, 4, 5)), case((7, 3), x=(1, 1, 4, 5))],
    "ZeroPad1d": [case(2, x=(2, 3, 5)), case((1, 0), x=(5,))],
    "ZeroPad2d": [case(2, x=(2, 3, 5, 4)), case((1, 0, -1, 2), x=(3, 5))],
}  # fmt: skip

PRODUCTS: dict[str, list[Case]] = {
    "Bilinear": [
        case(3, 5, 2, x=[(4, 3), (4, 5)]), case(3, 5, 2, False, x=[(2, 4, 3), (2, 4, 5)]),
        case(3, 5, 2, x=[(3,), (5,)]),
        case(1, 1, 1, x=[(1, 1), (1, 1)]), case(3, 5, 2, x=[(0, 3), (0, 5)]),
    ],
    "CosineSimilarity": [
        case(x=[(3, 5), (3, 5)]), case(2, 1e-3, x=[(3, 5, 2), (3, 5, 2)]), case(dim=0, x=[(4,), (4,)]),
    ],
    "Embedding": [
        case(7, 3, x=[ints(7, 2, 5)]), case(7, 3, 2, x=[ints(7, 11)]), case(7, 3, padding_idx=-1, x=[ints(7, 11)]),
        case(7, 3, x=[ints(7)]), case(7, 3, x=[ints(7, 0, 2)]), case(7, 3, x=[ints(7, 4).astype(np.int32)]),
    ],
    "Linear": [
        case(3, 5, x=(2, 3)), case(3, 5, False, x=(2, 3)), case(3, 5, x=(3,)), case(3, 5, x=(2, 7, 3)),
        case(3, 5, x=(0, 3)),
        case(1, 1, x=(1, 1)), case(3, 1, bias=False, x=(2, 2, 2, 3)),
    ],
    "PairwiseDistance": [
        case(x=[(3, 5), (3, 5)]), case(1.0, x=[(3, 5), (3, 5)]), case(3, 1e-3, True, x=[(2, 5), (2, 5)]),
        case(x=[(4,), (4,)]),
        case(float("inf"), x=[(3, 5), (3, 5)]),
    ],
}  # fmt: skip

CASES = ACTIVATIONS | DROPOUTS | POOLS | NORMS | SHAPING | PRODUCTS
