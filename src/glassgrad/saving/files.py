"""`save` and `load`: one object, one file."""

from __future__ import annotations

import os
from typing import Any

from ..errors import NotCovered
from ..functions.create import check_device
from . import container, disk, structure, torch_file
from .errors import DamagedFile, refused


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Writes nested dicts, lists and tuples of tensors, arrays, numbers, strings, bools and None to one file.

    So a ``state_dict()`` of a model, optimizer or schedule, a generator's state, or all of them in a dict. The file is
    safetensors: other programs read its tensors, each under its keys joined by dots. A SHA-256 of every tensor and of
    all else is in it. The file appears whole or not at all: when the disk is full, or the process or the machine dies
    on the way, an older file of the name is as it was.

    Tensors come back with their ``requires_grad``, but without history; parameters as parameters, arrays as arrays.
    What is there twice is written twice, so tensors that share memory come back each with its own. NumPy's scalars,
    keys of any kind that can be saved, OrderedDict and Counter come back as they were. State that another thread
    changes meanwhile must be copied before.

    Raises:
        TypeMismatch, ArgumentError: something that cannot be saved, with its place, such as ``state['x'][3]``; no file
            has been touched.
        FileError (an OSError): the system refused to write; MissingFile if the folder is not there.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.safetensors")
    >>> net = nn.Linear(2, 1)
    >>> gg.save({"model": net.state_dict(), "epoch": 3}, path)
    >>> state = gg.load(path)
    >>> state["epoch"], net.load_state_dict(state["model"])
    (3, <All keys matched successfully>)
    """
    parts = container.parts(*structure.pack(obj))
    disk.release(disk.write(disk.target(path), parts))


def load(path: str | os.PathLike[str], map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Reads what `save` wrote; no code in a file is ever run, and every changed byte is found.

    A file of torch.save's (``.pt``) is read by torch.load(weights_only=True), if torch is installed.

    Args:
        path: the file.
        map_location: taken for scripts written for torch; there is only the CPU.
        weights_only: must be True, likewise.

    Raises:
        DamagedFile (a ValueError and RuntimeError): not a file that `save` wrote, or not whole, or changed.
        MissingFile (a FileNotFoundError), FileError (an OSError): the system could not read it.
        TorchNeeded (an ImportError): a file of torch's, and no torch.
    """
    if isinstance(map_location, str):
        check_device(map_location)
    if not weights_only:
        raise NotCovered("load runs no code, so weights_only=False is not covered", fix="leave it out")
    name = disk.named(path)
    with disk.opened(path) as file:
        try:
            first = file.read(16)
            if torch_file.is_torch(first):
                return torch_file.read(file, name)
            return structure.unpack(*container.read(file))
        except OSError as error:
            raise refused(f"{name} cannot be read", error, "load an older copy") from error
        except (ValueError, RecursionError) as error:
            if isinstance(error, DamagedFile):
                raise
            raise DamagedFile(f"{name} cannot be loaded: {error}", fix=_way_out(first)) from error


def _way_out(first: bytes) -> str:
    if first[8:10] == b'{"':
        return (
            "load an older copy; a safetensors file of another program is read by safetensors.numpy.load_file, "
            "and model.load_state_dict takes what that gives"
        )
    if first[:1] == b"\x80":
        return (
            "it looks like a pickle, whose loading may run any code: have the program that wrote it save only numbers"
        )
    return "load an older copy, or name a file that glassgrad.save wrote"
