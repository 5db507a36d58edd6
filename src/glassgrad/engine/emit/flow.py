"""A function of LLVM IR that is being written: bare instructions, calls, and control flow (`loop`, `when`)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .values import I1, I64, PTR, Detour, Loop, Type, Value

if TYPE_CHECKING:
    from .ir import Module


class Flow:
    """What `ir.Function` stands on."""

    def __init__(self, module: Module, name: str, params: list[tuple[str, Type]], result: Type | None) -> None:
        self.module, self.name, self.result = module, name, result
        self.params = [Value(f"%{label}", type) for label, type in params]
        self.lines: list[str] = ["entry:"]
        self.block = "entry"
        self.numbers = itertools.count()
        self.internal = True
        self.noalias = True

    def __str__(self) -> str:
        alias = " noalias" if self.noalias else ""
        params = ", ".join(f"{p.type}{alias if p.type == PTR else ''} {p.text}" for p in self.params)
        linkage = "internal " if self.internal else ""
        return "\n".join([f"define {linkage}{self.result or 'void'} @{self.name}({params}) #0 {{", *self.lines, "}"])

    # -- the bare instructions --------------------------------------------------------------------------------------

    def do(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append("  " + text)

    def make(self, text: str, type: Type) -> Value:
        """An instruction with a result."""
        name = f"%v{next(self.numbers)}"
        self.lines.append(f"  {name} = {text}")
        return Value(name, type)

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")
        self.block = name

    def fresh(self, stem: str) -> str:
        return f"{stem}{next(self.numbers)}"

    def compare(self, how: str, a: Value, b: Value) -> Value:
        """`how` as LLVM has it: oeq une olt ole ogt oge uno for floats, eq ne slt sle sgt sge ult ... for integers."""
        assert a.type == b.type, f"{how} of {a} and {b}"
        word = "fcmp" if a.type.floating else "icmp"
        return self.make(f"{word} {how} {a.type} {a.text}, {b.text}", a.type.with_kind("i1"))

    # -- control flow -----------------------------------------------------------------------------------------------

    def call(self, function: Flow | str, *operands: Value, result: Type | None = None) -> Value | None:
        name = function if isinstance(function, str) else function.name
        returned = result if isinstance(function, str) else function.result
        text = f"call {returned or 'void'} @{name}({', '.join(map(str, operands))})"
        if returned is None:
            self.do(text)
            return None
        return self.make(text, returned)

    def ret(self, value: Value | None = None) -> None:
        self.do(f"ret {value}" if value else "ret void")

    def jump(self, target: str) -> None:
        self.do(f"br label %{target}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.do(f"br {condition}, label %{yes}, label %{no}")

    @contextmanager
    def loop(self, start: Value, stop: Value, step: int = 1, carried: Sequence[Value] = ()) -> Iterator[Loop]:
        """for index in range(start, stop, step); `carried` values go around it: `loop.next(...)` says what they
        become, and `loop.results` holds them when it is over.

        The check stands at the end, with one before the first turn, as LLVM's optimiser would have it.
        """
        before, body, done = self.block, self.fresh("loop"), self.fresh("done")
        self.branch(self.compare("slt", start, stop), body, done)
        self.label(body)
        index = Value(f"%v{next(self.numbers)}", I64)
        inner = [Value(f"%v{next(self.numbers)}", c.type) for c in carried]
        place = len(self.lines)
        made = Loop(index, inner)
        yield made
        assert len(made.after) == len(inner), "the loop does not say what its carried values become"
        following = self.make(f"add nsw i64 {index.text}, {step}", I64)
        latch = self.block
        phis = [f"  {index.text} = phi i64 [ {start.text}, %{before} ], [ {following.text}, %{latch} ]"]
        for value, first, after in zip(inner, carried, made.after, strict=True):
            assert first.type == after.type, f"a loop carries {first} and then {after}"
            phis.append(f"  {value.text} = phi {value.type} [ {first.text}, %{before} ], [ {after.text}, %{latch} ]")
        self.lines[place:place] = phis
        self.branch(self.compare("slt", following, stop), body, done)
        self.label(done)
        made.results = []
        for first, after in zip(carried, made.after, strict=True):
            text = f"phi {first.type} [ {first.text}, %{before} ], [ {after.text}, %{latch} ]"
            made.results.append(self.make(text, first.type))

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """if condition: ..."""
        yes, done = self.fresh("then"), self.fresh("after")
        self.branch(condition, yes, done)
        self.label(yes)
        yield
        self.jump(done)
        self.label(done)

    @contextmanager
    def rarely(self, condition: Value, *usual: Value) -> Iterator[Detour]:
        """if condition: `detour.instead(...)` says what the usual values become; `detour.results` hold them after.

        The code is laid out for the condition to be false nearly always.
        """
        before, yes, done = self.block, self.fresh("rare"), self.fresh("after")
        unlikely = self.make(f"call i1 @llvm.expect.i1({condition}, i1 false)", I1)
        self.module.declared.setdefault("llvm.expect.i1", "declare i1 @llvm.expect.i1(i1, i1)")
        self.branch(unlikely, yes, done)
        self.label(yes)
        made = Detour(list(usual))
        yield made
        last = self.block
        self.jump(done)
        self.label(done)
        for a, b in zip(usual, made.values, strict=True):
            assert a.type == b.type, f"a detour makes {b} of {a}"
            made.results.append(self.make(f"phi {a.type} [ {a.text}, %{before} ], [ {b.text}, %{last} ]", a.type))
