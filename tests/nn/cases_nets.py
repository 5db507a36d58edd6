"""How convolutions, recurrent nets and transformers are made and called, beside torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.nn.peers import Case, case

CONVOLUTIONS: dict[str, list[Case]] = {
    "Conv1d": [
        case(2, 5, 3, x=(7, 2, 11)), case(2, 4, 3, 2, 1, 2, 2, x=(3, 2, 11)), case(2, 5, (3,), bias=False, x=(2, 11)),
        case(2, 5, 4, padding="same", x=(1, 2, 9)), case(2, 5, 3, padding="valid", x=(1, 2, 9)),
        case(1, 1, 1, x=(1, 1, 1)),
        case(2, 5, 4, padding="same", dilation=3, padding_mode="circular", x=(1, 2, 12)),
        case(2, 5, 3, padding=2, padding_mode="reflect", x=(2, 2, 5)), case(2, 2, 3, groups=2, x=(0, 2, 5)),
        case(2, 5, 3, stride=2, padding=(1,), padding_mode="replicate", x=(2, 5)),
    ],
    "Conv2d": [
        case(2, 5, 3, x=(3, 2, 7, 6)), case(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, x=(2, 4, 7, 8)),
        case(2, 5, 3, bias=False, x=(2, 7, 6)), case(2, 5, (4, 3), padding="same", x=(1, 2, 9, 8)),
        case(2, 5, 3, padding="valid", x=(1, 2, 9, 4)), case(3, 3, 3, groups=3, padding=1, x=(2, 3, 4, 5)),
        case(2, 5, 3, padding=(2, 1), padding_mode="reflect", x=(2, 2, 5, 4)), case(2, 5, 3, x=(0, 2, 7, 6)),
        case(2, 5, 3, padding=(2, 1), padding_mode="circular", x=(2, 5, 4)), case(1, 1, 1, x=(1, 1, 1, 1)),
        case(2, 5, (2, 3), padding="same", padding_mode="replicate", x=(1, 2, 5, 4)), case(2, 3, 2, 3, x=(2, 2, 8, 7)),
    ],
    "ConvTranspose1d": [
        case(2, 5, 3, x=(7, 2, 4)), case(2, 4, 3, 2, 1, 1, 2, x=(3, 2, 5)),
        case(2, 5, 3, bias=False, dilation=2, x=(2, 4)),
        case(2, 5, 3, 2, x=(1, 2, 4), call={"output_size": [10]}), case(2, 3, 2, 3, output_padding=2, x=(1, 2, 4)),
        case(2, 5, 3, 2, x=(2, 4), call={"output_size": [5, 10]}),
    ],
    "ConvTranspose2d": [
        case(2, 5, 3, x=(2, 2, 4, 3)), case(4, 6, (3, 2), (2, 1), (1, 0), (1, 0), 2, True, (1, 2), x=(2, 4, 5, 3)),
        case(2, 5, 3, bias=False, x=(2, 4, 3)), case(2, 5, 3, 2, x=(1, 2, 4, 3), call={"output_size": [10, 7]}),
        case(3, 3, 2, 2, groups=3, x=(1, 3, 2, 2)),
        case(2, 5, 3, 2, x=(1, 2, 4, 3), call={"output_size": [1, 5, 9, 8]}),
    ],
}  # fmt: skip


def recurrent(*first: Any, states: int = 1) -> list[Case]:
    """The cases that RNN, LSTM and GRU share; a state is one tensor or a pair."""

    def state(*shape: int) -> Any:
        return shape if states == 1 else [shape, shape]

    return [
        case(3, 5, x=(7, 2, 3)), case(3, 5, x=(7, 3)), case(3, 5, x=(1, 1, 3)), case(3, 5, x=(7, 0, 3)),
        case(1, 1, x=(2, 1, 1)),
        case(3, 5, 2, x=[(7, 2, 3), state(2, 2, 5)]), case(3, 5, batch_first=True, x=[(2, 7, 3), state(1, 2, 5)]),
        case(3, 5, bias=False, x=(6, 2, 3)), case(3, 5, bidirectional=True, x=[(6, 2, 3), state(2, 2, 5)]),
        case(3, 4, 2, *first, True, True, 0.0, True, x=(2, 17, 3)),
        case(3, 5, 2, dropout=0.5, train=False, x=(4, 2, 3)),
        case(3, 5, 2, bidirectional=True, x=[(7, 3), state(4, 5)]), case(3, 5, 2, dropout=1.0, x=(3, 2, 3)),
    ]  # fmt: skip


def cell(*last: Any, states: int = 1) -> list[Case]:
    """The cases that the cells share."""

    def state(*shape: int) -> Any:
        return shape if states == 1 else [shape, shape]

    return [
        case(3, 5, x=(2, 3)), case(3, 5, x=[(2, 3), state(2, 5)]), case(3, 5, x=[(3,), state(5)]), case(3, 5, x=(3,)),
        case(3, 5, False, x=[(2, 3), state(2, 5)]), case(3, 5, bias=False, x=(1, 3)), case(3, 5, True, *last, x=(0, 3)),
    ]  # fmt: skip


RECURRENT: dict[str, list[Case]] = {
    "GRU": recurrent(),
    "GRUCell": cell(),
    "LSTM": [
        *recurrent(states=2),
        case(3, 5, proj_size=2, x=(7, 2, 3)),
        case(3, 5, 2, proj_size=2, bidirectional=True, x=[(7, 2, 3), [(4, 2, 2), (4, 2, 5)]]),
        case(3, 5, proj_size=2, bias=False, x=[(7, 3), [(1, 2), (1, 5)]]),
    ],
    "LSTMCell": cell(states=2),
    "RNN": [
        *recurrent("tanh"),
        case(3, 5, 2, "relu", x=(7, 2, 3)),
        case(3, 5, nonlinearity="relu", bidirectional=True, x=(7, 2, 3)),
    ],
    "RNNCell": [*cell("tanh"), case(3, 5, nonlinearity="relu", x=(2, 3)), case(3, 5, False, "relu", x=(2, 3))],
}

CAUSAL = np.triu(np.ones((3, 3), bool), 1)
SOME = np.array([[False, True, False, False, True], [False, False, False, True, False], [False] * 5])
PADDED = np.array([[False, False, False, False, True], [False, False, True, True, True]])
ADDED = np.random.default_rng(3).standard_normal((3, 5))


def qkv(length: int = 3, source: int = 5, batch: int | None = 2, e: int = 4, k: int = 4, v: int = 4) -> list[Any]:
    """The shapes of queries, keys and values."""
    middle = () if batch is None else (batch,)
    return [(length, *middle, e), (source, *middle, k), (source, *middle, v)]


ATTENTION = [
    case(4, 2, x=qkv()), case(4, 1, x=qkv(batch=None)), case(4, 2, bias=False, x=qkv()),
    case(4, 2, 0.5, train=False, x=qkv()),
    case(4, 2, kdim=3, vdim=6, x=qkv(k=3, v=6)), case(4, 4, add_bias_kv=True, x=qkv()),
    case(4, 2, add_zero_attn=True, x=qkv()),
    case(4, 2, batch_first=True, x=[(2, 3, 4), (2, 5, 4), (2, 5, 4)]),
    case(4, 2, x=qkv(), call={"need_weights": False}),
    case(4, 2, x=qkv(), call={"average_attn_weights": False}), case(4, 2, x=qkv(), call={"attn_mask": SOME}),
    case(4, 2, x=qkv(), call={"attn_mask": ADDED}), case(4, 2, x=qkv(), call={"key_padding_mask": PADDED}),
    case(4, 2, x=qkv(), call={"key_padding_mask": PADDED, "attn_mask": SOME, "need_weights": False}),
    case(4, 2, add_bias_kv=True, add_zero_attn=True, x=qkv(), call={"key_padding_mask": PADDED, "attn_mask": SOME}),
    case(4, 2, x=qkv(), call={"attn_mask": np.stack([SOME, ~SOME, SOME, SOME])}), case(4, 2, x=qkv(batch=1)),
    case(4, 2, x=qkv(3, 3), call={"attn_mask": CAUSAL, "is_causal": True, "need_weights": False}),
    case(4, 2, x=qkv(batch=None), call={"key_padding_mask": PADDED[0]}),
    case(4, 2, batch_first=True, kdim=3, vdim=6, x=[(2, 3, 4), (2, 5, 3), (2, 5, 6)],
         call={"key_padding_mask": PADDED}),
]  # fmt: skip

SMALL = {"dim_feedforward": 6, "dropout": 0.0}
QUIET = {"enable_nested_tensor": False}


def layer(kind: str, **kwargs: Any) -> Any:
    """A layer to copy, made by either library."""

    def made(lib: Any) -> Any:
        return getattr(lib.nn, f"Transformer{kind}Layer")(4, 2, **SMALL, **kwargs)

    made.__name__ = f"{kind}Layer{kwargs or ''}"
    return made


def norm(lib: Any) -> Any:
    return lib.nn.LayerNorm(4)


def gelu(lib: Any) -> Any:
    return lib.nn.functional.gelu


def stored(lib: Any) -> Any:
    return lib.nn.Tanh()


TRANSFORMERS: dict[str, list[Case]] = {
    "MultiheadAttention": ATTENTION,
    "TransformerEncoderLayer": [
        case(4, 2, **SMALL, x=(3, 2, 4)), case(4, 2, 6, 0.5, "gelu", 1e-3, True, True, False, x=(2, 3, 4), train=False),
        case(4, 2, **SMALL, norm_first=True, x=(3, 4)), case(4, 2, **SMALL, activation=gelu, x=(3, 2, 4)),
        case(4, 2, **SMALL, x=(3, 2, 4), call={"src_mask": CAUSAL, "is_causal": True}),
        case(4, 2, **SMALL, bias=False, x=(3, 1, 4)),
        case(4, 2, **SMALL, batch_first=True, x=(2, 5, 4), call={"src_key_padding_mask": PADDED}),
        case(4, 2, **SMALL, activation=stored, x=(3, 2, 4)),
    ],
    "TransformerDecoderLayer": [
        case(4, 2, **SMALL, x=[(3, 2, 4), (5, 2, 4)]),
        case(4, 2, **SMALL, norm_first=True, batch_first=True, x=[(2, 3, 4), (2, 5, 4)]),
        case(4, 2, **SMALL, activation="gelu", bias=False, x=[(3, 4), (5, 4)]),
        case(4, 2, **SMALL, x=[(3, 2, 4), (5, 2, 4)],
             call={"tgt_mask": CAUSAL, "tgt_is_causal": True, "memory_mask": SOME}),
        case(4, 2, **SMALL, x=[(3, 2, 4), (5, 2, 4)], call={"memory_key_padding_mask": PADDED}),
    ],
    "TransformerEncoder": [
        case(layer("Encoder"), 2, **QUIET, x=(3, 2, 4)),
        case(layer("Encoder", batch_first=True), 2, norm, **QUIET, x=(2, 3, 4)),
        case(layer("Encoder"), 1, norm=norm, **QUIET, x=(3, 2, 4),
             call={"mask": CAUSAL, "is_causal": True}, train=False),
        case(layer("Encoder"), 2, **QUIET, x=(5, 2, 4), call={"src_key_padding_mask": PADDED}),
    ],
    "TransformerDecoder": [
        case(layer("Decoder"), 2, x=[(3, 2, 4), (5, 2, 4)]),
        case(layer("Decoder"), 2, norm, x=[(3, 2, 4), (5, 2, 4)],
             call={"tgt_mask": CAUSAL, "memory_key_padding_mask": PADDED}),
    ],
    "Transformer": [
        case(4, 2, 1, 2, **SMALL, batch_first=True, x=[(2, 5, 4), (2, 3, 4)]),
        case(4, 2, 1, 1, **SMALL, norm_first=True, batch_first=True, x=[(2, 5, 4), (2, 3, 4)],
             call={"tgt_mask": CAUSAL}),
        case(4, 2, 1, 1, 6, 0.5, "gelu", batch_first=True, bias=False, x=[(2, 5, 4), (2, 3, 4)], train=False),
        case(4, 2, 1, 1, **SMALL, batch_first=True, x=[(2, 5, 4), (2, 3, 4)],
             call={"src_key_padding_mask": PADDED, "memory_key_padding_mask": PADDED}),
    ],
}  # fmt: skip

CASES = CONVOLUTIONS | RECURRENT | TRANSFORMERS
