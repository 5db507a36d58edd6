"""glassgrad: a deep-learning engine with glass walls.

PyTorch's names over NumPy; every gradient can be asked where it came from.

>>> import glassgrad as gg
>>> x = gg.tensor(3.0, requires_grad=True)
>>> (x**2).backward()
>>> x.grad
tensor(6.)
"""

import difflib as _difflib
import importlib as _importlib
import typing as _typing
from math import e, inf, nan, pi
from typing import Any as _Any

from . import autograd, nn, optim, utils
from . import functions as _functions
from .engine import compile
from .errors import GlassgradError
from .errors import NotCovered as _NotCovered
from .functions import *  # noqa: F403
from .nn import functional
from .spec import Device as device
from .spec import Dtype as dtype
from .spec import float32 as float
from .spec import float64 as double
from .spec import int32 as int
from .spec import int64 as long
from .tensor import Tensor as _Tensor
from .view import install as _install

if _typing.TYPE_CHECKING:
    from . import doctor as doctor
    from . import explain as explain
    from .costs import cost as cost
    from .explain import record as record
    from .saving import load as load
    from .saving import save as save

__version__ = "0.1.0"
Size = tuple[_Any, ...]
newaxis = None


def _shown(given: _Any) -> str:
    from .view import notebook

    return notebook.of_tensor(given)


_install(_Tensor, _shown)  # `_repr_html_`

__all__ = [
    "GlassgradError", "Size", "autograd", "compile", "cost", "device", "doctor", "double", "dtype", "e", "float",
    "functional", "inf", "int", "load", "long", "nan", "newaxis", "nn", "optim", "pi", "record", "save", "utils",
]  # fmt: skip
__all__ += _functions.__all__


def __getattr__(name: str) -> _Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in ("explain", "record"):  # only who explains waits for what that needs
        explain = _importlib.import_module(".explain", __name__)
        return explain if name == "explain" else explain.record
    if name == "doctor":
        return _importlib.import_module(".doctor", __name__)
    if name == "cost":
        return _importlib.import_module(".costs", __name__).cost
    if name in ("load", "save"):
        return getattr(_importlib.import_module(".saving", __name__), name)
    near = _difflib.get_close_matches(name, __all__, n=1)
    raise _NotCovered(f"glassgrad.{name} is not covered", fix=f"the nearest there is: {near[0]}" if near else "")
