"""Real data to learn from, as datasets of tensors: digits, tables, images and text.

What is embedded in a package (`digits`, `breast_cancer`, ``text("python")``) is there at once. The rest (`mnist`,
`fashion_mnist`, ``text("moby-dick")``) is looked for in the folder ``data=`` or else that of the environment variable
GLASSGRAD_DATA, then in the cache, and got over the network if it is nowhere. Every file is compared with its SHA-256
each time it is read.

Example:
    >>> from glassgrad.datasets import text
    >>> book = text("python", block=16)
    >>> x, y = book.train[0]
    >>> book.vocabulary.decode(x), book.vocabulary.decode(y)
    ('The "assert" sta', 'he "assert" stat')
"""

from __future__ import annotations

from .characters import Blocks, Text, Vocabulary, text
from .idx import read_idx
from .images import FASHION_CLASSES, RawImages, fashion_mnist, mnist, raw_images
from .store import CorruptData, DataNotFound
from .tabular import BREAST_CANCER_FEATURES, MissingPackage, Split, breast_cancer, digits

__all__ = [
    "BREAST_CANCER_FEATURES",
    "FASHION_CLASSES",
    "Blocks",
    "CorruptData",
    "DataNotFound",
    "MissingPackage",
    "RawImages",
    "Split",
    "Text",
    "Vocabulary",
    "breast_cancer",
    "digits",
    "fashion_mnist",
    "mnist",
    "raw_images",
    "read_idx",
    "text",
]
