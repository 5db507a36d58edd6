"""Engines: they run a traced step. `interpret` is the reference, `native` the fast one."""

from .compile import Compiled, compile

__all__ = ["Compiled", "compile"]
