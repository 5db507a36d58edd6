"""Files that torch.save wrote. They are pickles, so torch's own loader reads them, which runs no code of theirs."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

import numpy as np

from ..dispatch import leaf
from ..errors import GlassgradError
from ..spec import RANK
from ..tensor import wrap
from .errors import DamagedFile
from .structure import DTYPES

ZIP = b"PK\x03\x04"
OLD = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""A pickle of the number that the format before torch 1.6 begins with."""


class TorchNeeded(GlassgradError, ImportError, RuntimeError):
    """A file of torch's, and no torch to read it."""


def is_torch(first: bytes) -> bool:
    """Whether a file that begins so may be one of torch.save's."""
    return first.startswith((ZIP, OLD))


def read(file: BinaryIO, name: str) -> Any:
    """What torch.load(weights_only=True) finds, tensors as glassgrad's.

    Half precision becomes float32, which has all its numbers; integers that glassgrad does not compute with become
    NumPy arrays. Raises TorchNeeded, and DamagedFile for what torch refuses.
    """
    try:
        import torch
    except ImportError:
        raise TorchNeeded(
            f"{name} is a zip archive or pickle such as torch.save writes, which only torch can read without running "
            "its code, and torch is not installed",
            fix="pip install torch; or where torch is, write it anew with safetensors.torch.save_file",
        ) from None
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own parts
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive can fail anywhere in there
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DamagedFile(
            f"{name} cannot be read by torch.load(weights_only=True): {reason}",
            fix="save only the state_dict() there; objects of other kinds would need their code to be run",
        ) from error
    return _converted(found, torch, name, "state")


def _converted(found: Any, torch: Any, name: str, place: str) -> Any:
    if isinstance(found, torch.Tensor):
        if found.is_sparse or found.is_quantized or found.is_complex() or found.layout != torch.strided:
            raise DamagedFile(f"{place} of {name} is a tensor of a kind that glassgrad does not have: {found.dtype}")
        held = found.detach()
        if held.dtype in (torch.float16, torch.bfloat16):
            held = held.float()
        if str(held.dtype).removeprefix("torch.") not in DTYPES.values():
            raise DamagedFile(f"{place} of {name} has a dtype that glassgrad does not have: {found.dtype}")
        array = np.array(held.resolve_conj().resolve_neg().numpy(), order="C")
        if array.dtype not in RANK:
            return array
        return wrap(leaf(array)).requires_grad_(found.requires_grad and array.dtype.kind == "f")
    if isinstance(found, dict):
        made = {key: _converted(value, torch, name, f"{place}[{key!r}]") for key, value in found.items()}
        return type(found)(made)
    if isinstance(found, torch.Size):
        return tuple(found)
    if type(found) in (list, tuple):
        return type(found)(_converted(item, torch, name, f"{place}[{i}]") for i, item in enumerate(found))
    return found
