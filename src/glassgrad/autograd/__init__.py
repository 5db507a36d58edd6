"""Differentiation, with the names of ``torch.autograd``."""

from __future__ import annotations

from ..dispatch import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import functional
from .backward import RemovableHandle, backward, grad
from .function import Function
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function", "RemovableHandle", "backward", "enable_grad", "functional", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "no_grad", "set_grad_enabled",
]  # fmt: skip
