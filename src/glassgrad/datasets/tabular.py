"""Real data to learn from, as tensors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import GlassgradError
from .functions import from_numpy
from .tensor import Tensor
from .utils.data import TensorDataset


class MissingPackage(GlassgradError, ImportError):
    """A package that an optional part of glassgrad needs is not installed."""


class Split(NamedTuple):
    """Data to learn from, and data that is held out to see what was learned."""

    train: TensorDataset
    test: TensorDataset


def digits(*, held_out: float = 0.2, seed: int = 0) -> Split:
    """Handwritten digits: 1,797 grey images of 8 x 8 pixels and which of 0 to 9 each one shows.

    The images, written by 43 people, come with scikit-learn (E. Alpaydin, C. Kaynak, "Optical Recognition of
    Handwritten Digits", UCI Machine Learning Repository, 1998); nothing is downloaded.

    Args:
        held_out: the share of the images of each digit that is kept for the test.
        seed: which ones these are; the same seed gives the same split, on any machine.

    Returns:
        Two datasets of (image, label): images are float32 of shape (1, 8, 8) from 0 to 1, labels int64.

    Raises:
        MissingPackage: scikit-learn is not installed.

    >>> from glassgrad.datasets import digits
    >>> train, test = digits()
    >>> len(train), len(test), tuple(train.tensors[0].shape)
    (1438, 359, (1438, 1, 8, 8))
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingPackage(
            "the handwritten digits come with scikit-learn, which is not installed",
            fix="pip install 'glassgrad[data]'",
        ) from None
    raw = load_digits()
    images = (raw.images / 16.0).astype(np.float32)[:, None]  # (n, 1, 8, 8)
    labels = raw.target.astype(np.int64)  # (n,)
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for digit in range(10):
        places = rng.permutation(np.flatnonzero(labels == digit))
        cut = round(len(places) * held_out)
        held.append(places[:cut])
        kept.append(places[cut:])
    train, test = np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))
    return Split(_pairs(images[train], labels[train]), _pairs(images[test], labels[test]))


def _pairs(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    tensors: tuple[Tensor, Tensor] = (from_numpy(images), from_numpy(labels))
    return TensorDataset(*tensors)
