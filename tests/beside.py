"""Programs that must give the same with glassgrad as with torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import glassgrad as gg
from glassgrad.tensor import Tensor


def plain(result: Any) -> Any:
    """Tensors as (dtype, shape, requires_grad, entries), inside whatever holds them."""
    if isinstance(result, (Tensor, torch.Tensor)):
        dtype = str(result.dtype).removeprefix("torch.")
        return dtype, tuple(result.shape), result.requires_grad, np.array(result.detach().tolist())
    if isinstance(result, (list, tuple)):
        return [plain(part) for part in result]
    if isinstance(result, dict):
        return {key: plain(part) for key, part in result.items()}
    return result


def same(ours: Any, theirs: Any, path: str = "result") -> None:
    """Equal in structure; numbers to 1e-10 (float32 tensors to 1e-5)."""
    if isinstance(theirs, tuple) and len(theirs) == 4 and isinstance(theirs[3], np.ndarray):
        assert ours is not None, f"{path} is None"
        assert ours[:3] == theirs[:3], path
        close = 1e-5 if theirs[0] == "float32" else 1e-10
        np.testing.assert_allclose(ours[3], theirs[3], close, close, err_msg=path)
    elif isinstance(theirs, (list, dict)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs), f"{path}: {ours} and {theirs}"
        for key in theirs if isinstance(theirs, dict) else range(len(theirs)):
            same(ours[key], theirs[key], f"{path}[{key!r}]")
    elif isinstance(theirs, float):
        np.testing.assert_allclose(ours, theirs, 1e-10, err_msg=path)
    else:
        assert ours == theirs, f"{path}: {ours!r} and {theirs!r}"


def beside_torch(program: Callable[[Any], Any]) -> Callable[[], None]:
    """A test that runs ``program(module)`` with both and compares what it returns (not None)."""

    def test() -> None:
        torch.manual_seed(0)
        theirs = plain(program(torch))
        assert theirs is not None and theirs != []
        same(plain(program(gg)), theirs)

    functools.update_wrapper(test, program)
    del test.__wrapped__  # type: ignore[attr-defined]  # pytest would look for a fixture named m
    return test


def refused(action: Callable[[], Any], *kinds: type[BaseException]) -> str:
    """That ``action`` raises one of the kinds (RuntimeError by default); anything else fails the program."""
    try:
        action()
    except BaseException as error:
        if not isinstance(error, kinds or RuntimeError):
            raise
        return "refused"
    return "done"
