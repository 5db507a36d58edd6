"""Data that comes with scikit-learn: handwritten digits, and a table of diagnoses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, GlassgradError
from ..functions import from_numpy
from ..utils.data import TensorDataset

_MEASURES = (
    "radius", "texture", "perimeter", "area", "smoothness",
    "compactness", "concavity", "concave points", "symmetry", "fractal dimension",
)  # fmt: skip
BREAST_CANCER_FEATURES = tuple(
    form.format(measure) for form in ("mean {}", "{} error", "worst {}") for measure in _MEASURES
)
"""What the 30 columns of `breast_cancer` are."""


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
        MissingPackage: scikit-learn is not installed. ArgumentError: a share outside 0 to 1.

    >>> from glassgrad.datasets import digits
    >>> train, test = digits()
    >>> len(train), len(test), tuple(train.tensors[0].shape)
    (1438, 359, (1438, 1, 8, 8))
    """
    raw = _sklearn("load_digits", "the handwritten digits")
    images = (raw.images / 16.0).astype(np.float32)[:, None]  # (n, 1, 8, 8)
    return _stratified(images, raw.target.astype(np.int64), held_out, seed)


def breast_cancer(*, held_out: float = 0.2, seed: int = 0) -> Split:
    """A table of diagnoses: 30 measurements of the cell nuclei of 569 breast tumours, and whether each is malignant.

    The table comes with scikit-learn (W. Wolberg, W. Street, O. Mangasarian, "Breast Cancer Wisconsin (Diagnostic)",
    UCI Machine Learning Repository, 1995); nothing is downloaded. It is for learning, not for diagnosing.

    The label is 1 for malignant, what a doctor looks for, and 0 for benign; scikit-learn has them the other way round.
    The columns (`BREAST_CANCER_FEATURES`) differ in size by a factor of 100,000: standardise them by the mean and the
    standard deviation of the part that is learned from.

    Args:
        held_out: the share of each kind that is kept for the test; 0 keeps all for learning, to fold it yourself.
        seed: which ones these are; the same seed gives the same split, on any machine.

    Returns:
        Two datasets of (measurements, label): float32 of shape (30,), and int64.

    Raises:
        MissingPackage: scikit-learn is not installed. ArgumentError: a share outside 0 to 1.

    >>> from glassgrad.datasets import BREAST_CANCER_FEATURES, breast_cancer
    >>> train, test = breast_cancer()
    >>> len(train), len(test), int(train.tensors[1].sum() + test.tensors[1].sum())
    (456, 113, 212)
    >>> BREAST_CANCER_FEATURES[20]
    'worst radius'
    """
    raw = _sklearn("load_breast_cancer", "the table of diagnoses")
    return _stratified(raw.data.astype(np.float32), (raw.target == 0).astype(np.int64), held_out, seed)


def _sklearn(loader: str, what: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingPackage(
            f"{what} come with scikit-learn, which is not installed", fix="pip install 'glassgrad[data]'"
        ) from None
    return getattr(datasets, loader)()


def _stratified(inputs: np.ndarray, labels: np.ndarray, held_out: float, seed: int) -> Split:
    """The same share of each label held out; the order of the rows stays."""
    if not 0 <= held_out <= 1:
        raise ArgumentError("the share that is held out lies between 0 and 1", got=f"held_out={held_out!r}")
    rng = np.random.default_rng(seed)
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        test[places[: round(len(places) * held_out)]] = True
    return Split(pairs(inputs[~test], labels[~test]), pairs(inputs[test], labels[test]))


def pairs(inputs: np.ndarray, labels: np.ndarray) -> TensorDataset:
    """Rows of two arrays as a dataset, over the arrays' own memory."""
    return TensorDataset(from_numpy(inputs), from_numpy(labels))
