"""One family of exceptions: what was asked, what came (shapes, dtypes), the user's line, the way out.

Every class also derives from the built-in types that PyTorch raises in the same case, so ``except RuntimeError``
and ``except IndexError`` keep working in scripts written for it. Where it raises now the one, now the other for the
same mistake, as RuntimeError and ValueError for shapes, ours is both.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, FrameType

PACKAGE, PYTHON = str(Path(__file__).parent), str(Path(os.__file__).parent)
RECIPES = str(Path(__file__).parent / "recipes")

_OWN: set[str] = set()
"""Files seen to be glassgrad's own, or Python's: a look into a set is quicker than comparing paths, and is taken for
every op."""

Where = tuple[CodeType, int]
"""A place in the user's code: the code object and the offset of the instruction in it (cheap to take, read later)."""


def user_frame(depth: int = 1) -> FrameType | None:
    """The innermost frame on the stack that is neither glassgrad's own nor of Python's library, or None. A recipe is a
    user's program."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        file = frame.f_code.co_filename
        if file not in _OWN:
            if is_users(file):
                return frame
            _OWN.add(file)
        frame = frame.f_back
    return None


def is_users(file: str) -> bool:
    """Whether code of this file is neither glassgrad's own nor of Python's library."""
    if file.startswith(PACKAGE):
        return file.startswith(RECIPES)
    return not file.startswith(PYTHON) or "site-packages" in file


def here(depth: int = 1) -> Where | None:
    """The user's place right now, as a `Where`."""
    frame = user_frame(depth + 1)
    return None if frame is None else (frame.f_code, frame.f_lasti)


def line_of(where: Where | None) -> str:
    """A `Where` as ``file.py:12 in function``; empty when the place is unknown."""
    if where is None:
        return ""
    code, offset = where
    number = code.co_firstlineno
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            number = line
    return f"{code.co_filename}:{number} in {code.co_name}"


class GlassgradError(Exception):
    """The base of all errors that glassgrad raises.

    Args:
        asked: what was asked for and why it cannot be, in one sentence.
        got: the shapes, dtypes or values that came, if they matter.
        fix: the way out, in the user's terms.
        where: the user's line; taken from the stack when it is not given.
    """

    def __init__(self, asked: str, *, got: str = "", fix: str = "", where: Where | None = None) -> None:
        lines = [asked]
        if got:
            lines.append(f"  got:  {got}")
        place = line_of(where or here(2))
        if place:
            lines.append(f"  line: {place}")
        if fix:
            lines.append(f"  fix:  {fix}")
        super().__init__("\n".join(lines))
        self.asked, self.got, self.fix, self.place = asked, got, fix, place


class ShapeError(GlassgradError, RuntimeError, ValueError):
    """Shapes that do not go together."""


class DtypeError(GlassgradError, RuntimeError):
    """Dtypes that do not go together, or a dtype that the operation is not defined for."""


class GradError(GlassgradError, RuntimeError):
    """A gradient that cannot be had: no graph, a freed graph, a value that was overwritten, an integer tensor."""


class ArgumentError(GlassgradError, ValueError, RuntimeError):
    """An argument outside what the operation allows."""


class DivisionByZero(GlassgradError, RuntimeError, ZeroDivisionError):
    """An integer divided by zero."""


class TypeMismatch(GlassgradError, TypeError):
    """An object of a kind that the operation does not take."""


class IndexRangeError(GlassgradError, IndexError, RuntimeError):
    """An index or a dimension out of range."""


class StateError(GlassgradError, RuntimeError):
    """A saved state that does not fit the object it is loaded into; names the missing and unexpected keys."""


class TraceError(GlassgradError, RuntimeError):
    """Something that a compiled step cannot do, such as looking at a value while it is being traced."""


class NotCovered(GlassgradError, NotImplementedError, AttributeError):
    """A name or option that PyTorch has and glassgrad has not."""


class GradCheckError(GlassgradError, RuntimeError):
    """An analytic derivative that differs from the numeric one; names the entry."""
