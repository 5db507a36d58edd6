"""The IDX format: read exactly, or refused with what is wrong."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.files import CODES, idx

from glassgrad.datasets import CorruptData, read_idx
from glassgrad.datasets.idx import parse_idx

THREE = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])
PACKED = gzip.compress(THREE, mtime=0)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (3, 28, 28), (0, 4), (1, 1, 1, 2)])
@pytest.mark.parametrize("dtype", CODES)
def test_arrays_come_back(tmp_path, dtype, shape, packed):
    array = (np.arange(np.prod(shape)) - 3).astype(dtype if dtype != "u1" else np.uint8).reshape(shape)
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = read_idx(file)
    assert found.dtype == np.dtype(dtype) and found.dtype.isnative
    assert found.shape == shape
    assert (found == array).all()
    found += 1  # it is the caller's own
    assert (read_idx(str(file)) == array).all()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "begins with nothing"),
        (THREE[:3], "no IDX file"),
        (b"\1" + THREE[1:], "begins with 01 00 08 01"),
        (b"\0\1" + THREE[2:], "no IDX file"),
        (THREE[:2] + b"\x0a" + THREE[3:], "no IDX file"),
        (THREE[:3] + b"\0" + THREE[4:], "no IDX file"),
        (THREE[:3] + b"\xff" + THREE[4:] + bytes(2000), "no IDX file"),
        (THREE[:7], "ends within its header"),
        (THREE[:-1], "shorter"),
        (THREE + b"\0", "longer"),
        (THREE + bytes(10_000), "longer"),
        (THREE[:3] + b"\x04" + b"\xff" * 16 + THREE, "shorter"),
        (b"PK\3\4 a zip file", "no IDX file"),
        (b"\x1f\x8b", "cannot be unpacked"),
        (PACKED[:-9], "cannot be unpacked"),
        (PACKED[:-8] + bytes(8), "cannot be unpacked"),
        (PACKED[:12] + b"\xff" * 20, "cannot be unpacked"),
        (gzip.compress(THREE[:-1], mtime=0), "shorter"),
        (gzip.compress(THREE + bytes(1 << 20), mtime=0), "longer"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else None,
)
def test_what_is_not_one_whole_array_is_refused(tmp_path, raw, said):
    file = tmp_path / "file"
    file.write_bytes(raw)
    with pytest.raises(CorruptData, match=said) as caught:
        read_idx(file)
    assert "file" in caught.value.asked
    assert caught.value.got and caught.value.fix


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


@settings(max_examples=300)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_an_array_of_their_length_or_refused(raw, begin_well):
    raw = THREE[: len(raw) % 12] + raw if begin_well else raw
    try:
        found = parse_idx(bytearray(raw), "raw")
    except CorruptData:
        return
    assert 4 + 4 * found.ndim + found.nbytes == len(raw)
