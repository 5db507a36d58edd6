"""What can go wrong with a saved file."""

from __future__ import annotations

from ..errors import GlassgradError


class DamagedFile(GlassgradError, ValueError, RuntimeError):
    """A file that is not one, or not any more: truncated, changed, or of another kind."""


class FileError(GlassgradError, OSError):
    """The system refused to read or write; ``errno`` says why, as in the OSError that it comes from."""

    __str__ = Exception.__str__  # OSError's would say no more than errno

    def __init__(self, asked: str, error: OSError | None = None, *, fix: str = "") -> None:
        super().__init__(asked, fix=fix)
        if error is not None:
            self.errno, self.strerror = error.errno, error.strerror


class MissingFile(FileError, FileNotFoundError):
    """There is no such file, or no folder to write it to."""


def refused(doing: str, error: OSError, fix: str) -> FileError:
    """The FileError for an OSError."""
    kind = MissingFile if isinstance(error, FileNotFoundError) else FileError
    return kind(f"{doing}: {error.strerror or error}", error, fix=fix)
