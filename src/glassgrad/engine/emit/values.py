"""Types and operands of LLVM IR, and the handles of code that is being written."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

BITS = {"half": 16, "float": 32, "double": 64, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i1": 1, "ptr": 64}


class Type(NamedTuple):
    """A scalar, or a vector of `lanes` of them (0: a scalar)."""

    kind: str
    lanes: int = 0

    def __str__(self) -> str:
        return f"<{self.lanes} x {self.kind}>" if self.lanes else self.kind

    @property
    def floating(self) -> bool:
        return self.kind in ("float", "double")

    @property
    def scalar(self) -> Type:
        return Type(self.kind)

    @property
    def bits(self) -> int:
        return BITS[self.kind]

    def of(self, lanes: int) -> Type:
        """The same kind with another number of lanes."""
        return Type(self.kind, lanes)

    def with_kind(self, kind: str) -> Type:
        """The same number of lanes of another kind."""
        return Type(kind, self.lanes)

    @property
    def suffix(self) -> str:
        """How an intrinsic's name ends for this type: v16f32."""
        letter = "f" if self.floating else "p" if self.kind == "ptr" else "i"
        number = "0" if self.kind == "ptr" else str(self.bits)
        return (f"v{self.lanes}" if self.lanes else "") + letter + number


F32, F64, I64, I32, I8, I1, PTR = (Type(kind) for kind in ("float", "double", "i64", "i32", "i8", "i1", "ptr"))
OF_DTYPE = {"float32": F32, "float64": F64, "int64": I64, "int32": I32, "bool": I8}
"""How an array's entries lie in memory."""


@dataclass(frozen=True)
class Value:
    """An operand: its text and its type. `number` is set for constants."""

    text: str
    type: Type
    number: float | int | None = None

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def literal(number: float | int | bool, type: Type) -> str:
    """A number as LLVM writes a constant of a scalar type: floats as the bits of a double."""
    if type.floating:
        exact = float(np.float32(number)) if type.kind == "float" else float(number)
        return f"0x{struct.unpack('>Q', struct.pack('>d', exact))[0]:016X}"
    if type.kind == "i1":
        return "true" if number else "false"
    if type.kind == "ptr":
        return "null"
    return str(int(number))


@dataclass
class Loop:
    """A loop that is being written: its counter, the values carried around it, and what they become."""

    index: Value
    carried: list[Value]
    after: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)

    def next(self, *values: Value) -> None:
        """What the carried values are in the next turn."""
        self.after = list(values)


@dataclass
class Detour:
    """Code for rare lanes that is being written: the values it replaces, and afterwards what they are either way."""

    values: list[Value]
    results: list[Value] = field(default_factory=list)

    def instead(self, *values: Value) -> None:
        """What the values are on this way."""
        self.values = list(values)
