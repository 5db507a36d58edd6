"""What is refused: by an error of the type that torch raises, whose message says what was asked and what came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import GlassgradError, NotCovered


def f(lib: Any) -> Any:
    return lib.nn.functional


def bools(lib: Any, *shape: int) -> Any:
    return lib.zeros(shape, dtype=lib.bool)


def long(lib: Any, *values: int) -> Any:
    return lib.tensor(list(values))


# What to call, and a piece of our message.
SHAPES = [
    (lambda t: t.nn.Linear(3, 2)(t.ones(2, 4)), r"input \(2, 4\), weight \(2, 3\)"),
    (lambda t: t.nn.Linear(3, 2)(t.ones(2, 1)), "input"),
    (lambda t: t.nn.Bilinear(3, 5, 2)(t.ones(2, 3), t.ones(2, 4)), r"\(\*, 3\) and \(\*, 5\)"),
    (lambda t: t.nn.Bilinear(3, 5, 2)(t.ones(2, 3), t.ones(3, 5)), "same leading"),
    (lambda t: t.nn.Conv1d(2, 3, 3)(t.ones(1, 3, 5)), "2 channels"),
    (lambda t: t.nn.Conv1d(2, 3, 3)(t.ones(5)), r"\(N, C, L\)"),
    (lambda t: t.nn.Conv2d(2, 3, 3)(t.ones(1, 3, 5, 5)), r"conv2d takes 2 channels.*groups=1"),
    (lambda t: t.nn.Conv2d(2, 3, 3)(t.ones(2, 5)), r"\(N, C, H, W\)"),
    (lambda t: t.nn.Conv2d(2, 3, 3)(t.ones(1, 2, 2, 2)), "kernel"),
    (lambda t: t.nn.ConvTranspose1d(2, 3, 3)(t.ones(1, 3, 5)), "2 channels"),
    (lambda t: t.nn.ConvTranspose2d(2, 3, 3)(t.ones(1, 3, 5, 5)), "2 channels"),
    (lambda t: t.nn.ConvTranspose2d(2, 3, 3, output_padding=1)(t.ones(1, 2, 5, 5)), "output_padding is smaller"),
    (lambda t: t.nn.ConvTranspose2d(2, 3, 3, 2)(t.ones(1, 2, 4, 4), [12, 9]), r"between \(9, 9\) and \(10, 10\)"),
    (lambda t: t.nn.ConvTranspose2d(2, 3, 3, 2)(t.ones(1, 2, 4, 4), [1, 1, 1]), "output_size has 2 sizes"),
    (lambda t: t.nn.MaxPool2d(2)(t.ones(4, 4)), r"\(N, C, H, W\)"),
    (lambda t: t.nn.MaxPool2d(2, padding=2)(t.ones(1, 1, 4, 4)), "at most half"),
    (lambda t: t.nn.AvgPool2d(2, padding=2)(t.ones(1, 1, 4, 4)), "at most half"),
    (lambda t: t.nn.AvgPool1d(7)(t.ones(1, 1, 4)), "does not fit"),
    (lambda t: t.nn.AvgPool2d(2, divisor_override=0)(t.ones(1, 1, 4, 4)), "cannot be 0"),
    (lambda t: t.nn.BatchNorm1d(3)(t.ones(2, 4)), "4|one number for each channel"),
    (lambda t: t.nn.BatchNorm1d(3)(t.ones(2, 3, 4, 5)), "BatchNorm1d takes 2 or 3 dimensions"),
    (lambda t: t.nn.BatchNorm1d(3)(t.ones(1, 3)), "more than one number"),
    (lambda t: t.nn.BatchNorm2d(3)(t.ones(2, 3, 4)), "BatchNorm2d takes 4 dimensions"),
    (lambda t: t.nn.InstanceNorm1d(3)(t.ones(2, 3, 1)), "more than one number"),
    (lambda t: t.nn.InstanceNorm1d(3)(t.ones(2)), "InstanceNorm1d takes 2 or 3"),
    (lambda t: t.nn.InstanceNorm2d(3, affine=True)(t.ones(2, 4, 2, 2)), "3 channels"),
    (lambda t: t.nn.LayerNorm(3)(t.ones(2, 4)), r"have to be \(3,\)"),
    (lambda t: t.nn.LayerNorm((2, 3))(t.ones(3)), r"have to be \(2, 3\)"),
    (lambda t: t.nn.RMSNorm(3)(t.ones(2, 4)), r"have to be \(3,\)"),
    (lambda t: t.nn.GroupNorm(2, 4)(t.ones(2, 5)), "group|channels"),
    (lambda t: t.nn.GLU()(t.ones(2, 3)), "even"),
    (lambda t: t.nn.PReLU(3)(t.ones(2, 4)), "3 weights"),
    (lambda t: t.nn.PixelShuffle(2)(t.ones(1, 3, 2, 2)), "multiple of 4 channels"),
    (lambda t: t.nn.PixelUnshuffle(2)(t.ones(1, 3, 3, 2)), "multiples of 2"),
    (lambda t: t.nn.ReflectionPad1d(4)(t.ones(1, 1, 4)), "Reflecting 4"),
    (lambda t: t.nn.CircularPad1d(5)(t.ones(1, 1, 4)), "more than once"),
    (lambda t: t.nn.ZeroPad1d(-3)(t.ones(1, 1, 4)), "leaves nothing"),
    (lambda t: t.nn.Fold((4, 4), 2)(t.ones(1, 4, 8)), "fold takes"),
    (lambda t: t.nn.Unflatten(1, (2, 3))(t.ones(2, 5)), "5|6"),
    (lambda t: t.nn.RNN(3, 4)(t.ones(2, 2, 5)), "3 input features"),
    (lambda t: t.nn.LSTM(3, 4)(t.ones(5)), "LSTM takes"),
    (lambda t: t.nn.GRU(3, 4)(t.ones(2, 5, 3), t.ones(1, 4, 4)), r"here \(1, 5, 4\)"),
    (lambda t: t.nn.GRU(3, 4)(t.ones(0, 5, 3)), "one step or more"),
    (lambda t: t.nn.LSTM(3, 4, 2)(t.ones(2, 5, 3), (t.ones(1, 5, 4), t.ones(2, 5, 4))), r"here \(2, 5, 4\)"),
    (lambda t: t.nn.RNNCell(3, 4)(t.ones(2, 5)), "3 input features"),
    (lambda t: t.nn.LSTMCell(3, 4)(t.ones(2, 3), (t.ones(3, 4), t.ones(2, 4))), "4 features for each of 2"),
    (lambda t: t.nn.GRUCell(3, 4)(t.ones(2, 2, 3)), "GRUCell takes"),
    (lambda t: t.nn.Transformer(4, 2, 1, 1, batch_first=True)(t.ones(2, 3, 4), t.ones(3, 3, 4)), "same batch"),
    (lambda t: t.nn.Transformer(4, 2, 1, 1, batch_first=True)(t.ones(2, 3, 5), t.ones(2, 3, 4)), "d_model=4"),
    (lambda t: f(t).scaled_dot_product_attention(t.ones(1, 2, 3), t.ones(1, 2, 4), t.ones(1, 2, 4)), "attention"),
    (lambda t: f(t).cosine_embedding_loss(t.ones(2, 3), t.ones(2, 3), t.ones(2, 3)), r"\(N, D\)"),
    (lambda t: f(t).pad(t.ones(2, 3), [1]), "two numbers for each"),
    (lambda t: f(t).pad(t.ones(2), [1, 1, 1, 1]), "two numbers for each"),
    (lambda t: f(t).margin_ranking_loss(t.ones(2), t.ones(2, 1), t.ones(2)), "same shape"),
]

TARGETS = [
    (lambda t: t.nn.CrossEntropyLoss()(t.ones(2, 3), long(t, 0, 3)), "class index 3"),
    (lambda t: t.nn.CrossEntropyLoss()(t.ones(2, 3), long(t, -1, 0)), "class index -1"),
    (lambda t: t.nn.CrossEntropyLoss()(t.ones(2, 3), t.ones(2)), r"target\.long"),
    (lambda t: t.nn.CrossEntropyLoss()(t.ones(2, 3), long(t, 0, 1, 2)), r"\(2, 3\).*\(3,\)"),
    (lambda t: t.nn.CrossEntropyLoss(weight=t.ones(2))(t.ones(2, 3), long(t, 0, 1)), "3 classes"),
    (lambda t: t.nn.CrossEntropyLoss(label_smoothing=1.5)(t.ones(2, 3), long(t, 0, 1)), "between 0 and 1"),
    (lambda t: t.nn.NLLLoss()(t.ones(2, 3), long(t, 0, 5)), "class index 5"),
    (lambda t: t.nn.NLLLoss()(t.ones(2, 3), t.ones(2)), r"target\.long"),
    (lambda t: t.nn.NLLLoss()(t.ones(2, 3, 4), long(t, 0, 1)), r"\(2, 4\)"),
    (lambda t: t.nn.MultiMarginLoss()(t.ones(2, 3), long(t, 0, 3)), "class index 3"),
    (lambda t: t.nn.BCELoss()(t.ones(2), t.ones(3)), r"input \(2,\), target \(3,\)"),
    (lambda t: t.nn.BCELoss()(t.ones(2) * 1.5, t.ones(2)), "between 0 and 1"),
    (lambda t: t.nn.BCEWithLogitsLoss()(t.ones(2), t.ones(2, 1)), r"target \(2, 1\)"),
    (lambda t: t.nn.GaussianNLLLoss()(t.ones(2), t.ones(2), -t.ones(2)), "not negative"),
    (lambda t: t.nn.GaussianNLLLoss()(t.ones(2, 3), t.ones(2, 3), t.ones(3)), "var has"),
    (lambda t: t.nn.MSELoss(reduction="average")(t.ones(2), t.ones(2)), "'none', 'mean' or 'sum'"),
    (lambda t: t.nn.HuberLoss(delta=0.0)(t.ones(2), t.ones(2)), "positive delta"),
    (lambda t: t.nn.SmoothL1Loss(beta=-1.0)(t.ones(2), t.ones(2)), "not negative"),
    (lambda t: t.nn.Embedding(3, 2)(long(t, 0, 3)), "embedding index 3"),
    (lambda t: t.nn.Embedding(3, 2)(long(t, -1, 0)), "embedding index -1"),
    (lambda t: t.nn.Embedding(3, 2)(t.ones(2)), r"input\.long"),
    (lambda t: f(t).one_hot(t.ones(2)), "int64"),
    (lambda t: f(t).one_hot(long(t, 0, 4), 3), "class index 4"),
    (lambda t: f(t).one_hot(long(t, -1), 3), "class index -1"),
]

ARGUMENTS = [
    (lambda t: t.nn.Conv2d(3, 4, 3, groups=2), "groups divide"),
    (lambda t: t.nn.Conv2d(4, 3, 3, groups=2), "groups divide"),
    (lambda t: t.nn.Conv2d(2, 2, 3, groups=0), "groups"),
    (lambda t: t.nn.Conv2d(3, 4, 3, padding="all"), "'same' or 'valid'"),
    (lambda t: t.nn.Conv2d(3, 4, 3, stride=2, padding="same"), "stride 1"),
    (lambda t: t.nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode is 'zeros' or 'reflect'"),
    (lambda t: t.nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "padding_mode is 'zeros'"),
    (lambda t: t.nn.GroupNorm(2, 3), "divides"),
    (lambda t: t.nn.Dropout(1.5), "between 0 and 1"),
    (lambda t: t.nn.AlphaDropout(-0.5), "between 0 and 1"),
    (lambda t: f(t).dropout(t.ones(1), 2.0), "between 0 and 1"),
    (lambda t: t.nn.Bilinear(0, 1, 1), "one feature"),
    (lambda t: t.nn.Unflatten(1, 3), "tuple of integers"),
    (lambda t: t.nn.Unflatten(1, (2, 1.5)), "tuple of integers"),
    (lambda t: t.nn.RNN(3, 4, nonlinearity="sigmoid"), "'tanh' or 'relu'"),
    (lambda t: t.nn.LSTM(3, 4, dropout=1.5), "between 0 and 1"),
    (lambda t: t.nn.LSTM(3, 0), "hidden_size is positive"),
    (lambda t: t.nn.LSTM(3.0, 4), "input_size is an integer"),
    (lambda t: t.nn.GRU(3, 4, 0), "num_layers is positive"),
    (lambda t: t.nn.GRU(3, 4, 1, 1), "bias is True or False"),
    (lambda t: t.nn.LSTM(3, 4, proj_size=4), "smaller than hidden_size"),
    (lambda t: t.nn.MultiheadAttention(0, 1), "positive multiple"),
    (lambda t: t.nn.TripletMarginLoss(margin=0.0), "positive margin"),
    (lambda t: t.nn.MultiMarginLoss(p=3), "p = 1 or 2"),
    (lambda t: t.nn.Softmax2d()(t.ones(2, 3)), "Softmax2d takes"),
    (lambda t: f(t).pad(t.ones(1, 1, 3), [1, 1], "reflect", 1.0), "from the input"),
    (lambda t: f(t).interpolate(t.ones(1, 1, 3)), "either size or scale_factor"),
    (lambda t: f(t).interpolate(t.ones(1, 1, 3), 2, 2), "either size or scale_factor"),
    (lambda t: f(t).interpolate(t.ones(1, 1, 3), 2, align_corners=True), "align_corners is for"),
    (lambda t: f(t).gelu(t.ones(1), approximate="tan"), "'none' or 'tanh'"),
    (lambda t: f(t).batch_norm(t.ones(2, 3), None, None), "needs running_mean"),
]


@pytest.mark.parametrize(("call", "piece"), SHAPES + TARGETS + ARGUMENTS)
@pytest.mark.filterwarnings("ignore")  # torch's, on the way to its error
def test_refused_as_torch_does(call: Any, piece: str) -> None:
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(GlassgradError, match=f"(?s){piece}") as ours:
        call(gg)
    kinds = (ValueError, TypeError, IndexError, NotImplementedError, RuntimeError, AssertionError)
    kind = next(kind for kind in kinds if isinstance(theirs.value, kind))
    assert isinstance(ours.value, kind), f"torch: {theirs.value!r}, ours: {ours.value!r}"
    assert __file__ in str(ours.value), "the user's line is named"


# What torch takes, or refuses otherwise, and why we refuse it.
OURS_ALONE = [
    (lambda: nn.functional.pad(gg.ones(1, 1, 3), [1, 1], "mirror"), ValueError, "mode is"),
    (lambda: nn.Embedding(3, 2, max_norm=1.0), NotCovered, "max_norm"),
    (lambda: nn.Embedding(3, 2, sparse=True), NotCovered, "sparse"),
    (lambda: nn.Embedding(3, 2, scale_grad_by_freq=True), NotCovered, "scale_grad_by_freq"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "row of the table"),
    (lambda: nn.Embedding(3, 2, _weight=gg.ones(2, 2)), RuntimeError, r"\(3, 2\)"),
    (lambda: nn.Embedding.from_pretrained(gg.ones(3)), RuntimeError, r"\(num, dim\)"),
    (lambda: nn.MultiheadAttention(5, 2), ValueError, "multiple of num_heads"),
    (lambda: nn.Hardtanh(1.0, -1.0), ValueError, "min_val"),
    (lambda: nn.RNNCell(2, 2, nonlinearity="gelu"), ValueError, "'tanh' or 'relu'"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), ValueError, "'relu', 'gelu' or a function"),
    (lambda: nn.ConvTranspose1d(1, 1, 1, padding="same"), ValueError, "a number for each"),
    (lambda: nn.LSTM(2, 3)(gg.ones(4, 1, 2), gg.ones(1, 1, 3)), TypeError, "pair of tensors"),
    (lambda: nn.GRU(2, 3)([gg.ones(4, 2)]), TypeError, "takes a tensor"),
    (lambda: nn.Upsample(2, mode="bicubic")(gg.ones(1, 1, 3, 3)), NotCovered, "bicubic"),
    (lambda: nn.Upsample(2)(gg.ones(1, 1, 3, 3, 3)), NotCovered, "5 dimensions"),
    (lambda: nn.Linear(2, 2, device="cuda"), NotCovered, "cuda"),
]


@pytest.mark.parametrize(("call", "kind", "piece"), OURS_ALONE)
def test_refused(call: Any, kind: type[Exception], piece: str) -> None:
    with pytest.raises(GlassgradError, match=piece) as caught:
        call()
    assert isinstance(caught.value, kind)


def test_attention_refuses_what_does_not_fit() -> None:
    layer, x = nn.MultiheadAttention(4, 2), gg.ones(3, 2, 4)
    for call, piece in [
        (lambda: layer(gg.ones(3, 2, 6), x, x), "embed_dim=4"),
        (lambda: layer(x, gg.ones(3, 4), x), "same without N"),
        (lambda: layer(x, gg.ones(5, 2, 4), x), "same length"),
        (lambda: layer(x, x, x, attn_mask=gg.zeros(2, 3)), r"\(L, S\)"),
        (lambda: layer(x, x, x, key_padding_mask=gg.zeros(3, 2)), r"\(N, S\)"),
        (lambda: layer(x, x, x, attn_mask=gg.zeros(3, 3, dtype=gg.int64)), "boolean, or numbers"),
        (lambda: layer(x, x, x, is_causal=True), "needs the mask"),
    ]:
        with pytest.raises(GlassgradError, match=piece):
            call()


def test_warnings() -> None:
    for call, piece in [
        (lambda: nn.Softmax()(gg.ones(2, 3)), "guesses the dimension"),
        (lambda: nn.MSELoss()(gg.ones(2, 1), gg.ones(2)), r"\(2,\) to an input of shape \(2, 1\)"),
        (lambda: nn.KLDivLoss()(gg.zeros(1, 2), gg.ones(1, 2)), "batchmean"),
        (lambda: nn.InstanceNorm1d(3)(gg.randn(2, 4, 5)), "made for 3 channels"),
        (lambda: nn.L1Loss(size_average=False), "reduction='sum'"),
        (lambda: nn.NLLLoss(reduce=False), "reduction='none'"),
        (lambda: nn.Dropout2d()(gg.ones(2, 3, 4)), "dropout1d"),
    ]:
        with pytest.warns(UserWarning, match=piece):
            call()
    with pytest.warns(FutureWarning, match="min_val"):
        layer = nn.Hardtanh(min_value=-2.0)
    assert layer.min_val == -2.0
    with pytest.warns(UserWarning, match="deprecated"):
        assert nn.MSELoss(size_average=True, reduce=True).reduction == "mean"


def test_wrong_dtypes_are_named() -> None:
    with pytest.raises(RuntimeError, match="float64"):
        nn.Linear(2, 2)(gg.ones(1, 2, dtype=gg.float64))
    with pytest.raises(RuntimeError, match="int64"):
        nn.Conv2d(1, 1, 1)(gg.tensor(np.ones((1, 1, 2, 2), np.int64)))
    with pytest.raises(RuntimeError, match="float64"):
        nn.LSTM(2, 2)(gg.ones(3, 1, 2, dtype=gg.float64))
