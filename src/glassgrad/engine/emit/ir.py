"""LLVM IR as text, written one instruction at a time, with types checked and vectors explicit.

A `Function` collects instructions; its methods return `Value`s. Control flow is in `flow`. Only what
the kernels need is here. Reference: LLVM Language Reference Manual, https://llvm.org/docs/LangRef.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .flow import Flow
from .values import I1, I64, PTR, Type, Value, literal


@dataclass
class Module:
    """Functions, and the declarations of what they call."""

    functions: dict[str, Function] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    globals: list[str] = field(default_factory=list)
    attributes: str = "nounwind"
    has_fma: bool = True
    """Whether the target multiplies and adds in one instruction. Where it does not, `fma` is a slow call."""
    has_scalef: bool = False
    """Whether it multiplies by powers of 2 in one instruction, as AVX-512 with its short vectors does."""

    def function(self, name: str, params: Sequence[tuple[str, Type]], result: Type | None = None) -> Function:
        made = self.functions[name] = Function(self, name, list(params), result)
        return made

    def __str__(self) -> str:
        parts = [*self.globals, *self.declared.values(), *map(str, self.functions.values())]
        return "\n".join(parts) + f"\nattributes #0 = {{ {self.attributes} }}\n"


class Function(Flow):
    """A function that is being written, instruction by instruction."""

    def const(self, number: float | int | bool, type: Type) -> Value:
        """A constant; for a vector the number in every lane."""
        text = literal(number, type.scalar)
        if type.lanes:
            text = f"splat ({type.kind} {text})"
        return Value(text, type, number)

    def undef(self, type: Type) -> Value:
        return Value("poison", type)

    def zero(self, type: Type) -> Value:
        return self.const(0, type)

    def index(self, number: int) -> Value:
        return self.const(number, I64)

    # -- arithmetic -------------------------------------------------------------------------------------------------

    def _two(self, integer: str, floating: str, a: Value, b: Value) -> Value:
        assert a.type == b.type, f"{integer} of {a} and {b}"
        return self.make(f"{floating if a.type.floating else integer} {a.type} {a.text}, {b.text}", a.type)

    def add(self, a: Value, b: Value) -> Value:
        if not a.type.floating:
            if isinstance(a.number, int) and isinstance(b.number, int):
                return self.const(a.number + b.number, a.type)
            if b.number == 0:
                return a
            if a.number == 0:
                return b
        return self._two("add", "fadd", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        if not a.type.floating and b.number == 0:
            return a
        return self._two("sub", "fsub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        if not a.type.floating:
            if isinstance(a.number, int) and isinstance(b.number, int):
                return self.const(a.number * b.number, a.type)
            if b.number == 1:
                return a
            if a.number == 1:
                return b
            if a.number == 0 or b.number == 0:
                return self.zero(a.type)
        return self._two("mul", "fmul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self._two("sdiv", "fdiv", a, b)

    def rem(self, a: Value, b: Value) -> Value:
        return self._two("srem", "frem", a, b)

    def udiv(self, a: Value, b: Value) -> Value:
        return self._two("udiv", "fdiv", a, b)

    def urem(self, a: Value, b: Value) -> Value:
        return self._two("urem", "frem", a, b)

    def neg(self, a: Value) -> Value:
        return self.make(f"fneg {a.type} {a.text}", a.type) if a.type.floating else self.sub(self.zero(a.type), a)

    def bit_and(self, a: Value, b: Value) -> Value:
        return self._two("and", "and", a, b)

    def bit_or(self, a: Value, b: Value) -> Value:
        return self._two("or", "or", a, b)

    def bit_xor(self, a: Value, b: Value) -> Value:
        return self._two("xor", "xor", a, b)

    def shl(self, a: Value, b: Value) -> Value:
        return self._two("shl", "shl", a, b)

    def lshr(self, a: Value, b: Value) -> Value:
        return self._two("lshr", "lshr", a, b)

    def ashr(self, a: Value, b: Value) -> Value:
        return self._two("ashr", "ashr", a, b)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        assert a.type == b.type and condition.type.lanes in (0, a.type.lanes)
        return self.make(f"select {condition}, {a}, {b}", a.type)

    def convert(self, how: str, a: Value, kind: str) -> Value:
        """`how` as LLVM has it: sitofp fptosi fpext fptrunc sext zext trunc bitcast."""
        to = a.type.with_kind(kind)
        return self.make(f"{how} {a} to {to}", to)

    def intrinsic(self, name: str, *operands: Value, result: Type | None = None, suffix: str | None = None) -> Value:
        """A call of `llvm.name`, whose overload is that of the first operand unless `suffix` says otherwise."""
        returned = result or operands[0].type
        full = f"llvm.{name}" + (f".{operands[0].type.suffix}" if suffix is None else suffix)
        types = ", ".join(str(o.type) for o in operands)
        self.module.declared.setdefault(full, f"declare {returned} @{full}({types})")
        return self.make(f"call {returned} @{full}({', '.join(map(str, operands))})", returned)

    def prefetch(self, pointer: Value) -> None:
        """Have the cache line there brought near, to be read soon."""
        self.module.declared.setdefault("llvm.prefetch.p0", "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.do(f"call void @llvm.prefetch.p0({pointer}, i32 0, i32 3, i32 1)")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def scalef(self, a: Value, n: Value) -> Value | None:
        """a · 2^n for whole n in one instruction, rounded once; None where there is none for this module and type."""
        size = a.type.lanes * a.type.bits
        if not self.module.has_scalef or size not in (128, 256, 512):
            return None
        mask = f"i{max(a.type.lanes, 8)} -1"
        name = f"llvm.x86.avx512.mask.scalef.p{'s' if a.type.kind == 'float' else 'd'}.{size}"
        rounding = ["i32"] if size == 512 else []
        types = ", ".join([str(a.type)] * 3 + [mask.split(maxsplit=1)[0], *rounding])
        self.module.declared.setdefault(name, f"declare {a.type} @{name}({types})")
        operands = ", ".join([str(a), str(n), f"{a.type} zeroinitializer", mask, *(f"{r} 4" for r in rounding)])
        return self.make(f"call {a.type} @{name}({operands})", a.type)

    def sqrt(self, a: Value) -> Value:
        return self.intrinsic("sqrt", a)

    def abs(self, a: Value) -> Value:
        if a.type.floating:
            return self.intrinsic("fabs", a)
        return self.select(self.compare("slt", a, self.zero(a.type)), self.neg(a), a)

    def floor(self, a: Value) -> Value:
        return self.intrinsic("floor", a)

    def rint(self, a: Value) -> Value:
        """To the nearest whole number, halves to even."""
        return self.intrinsic("rint", a)

    def smaller(self, a: Value, b: Value) -> Value:
        """The smaller; nan if either is nan (NumPy's minimum)."""
        if not a.type.floating:
            return self.select(self.compare("slt", b, a), b, a)
        picked = self.select(self.compare("olt", b, a), b, a)
        return self.select(self.compare("uno", b, b), b, picked)

    def larger(self, a: Value, b: Value) -> Value:
        """The larger; nan if either is nan (NumPy's maximum)."""
        if not a.type.floating:
            return self.select(self.compare("sgt", b, a), b, a)
        picked = self.select(self.compare("ogt", b, a), b, a)
        return self.select(self.compare("uno", b, b), b, picked)

    # -- vectors ----------------------------------------------------------------------------------------------------

    def any(self, mask: Value) -> Value:
        """Whether any lane is set."""
        return self.intrinsic("vector.reduce.or", mask, result=I1) if mask.type.lanes else mask

    def splat(self, a: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        to = a.type.of(lanes)
        if a.number is not None:
            return self.const(a.number, to)
        first = self.make(f"insertelement {to} poison, {a}, i32 0", to)
        return self.make(f"shufflevector {first}, {to} poison, <{lanes} x i32> zeroinitializer", to)

    def shuffle(self, a: Value, b: Value, picks: Sequence[int]) -> Value:
        mask = ", ".join(f"i32 {p}" for p in picks)
        return self.make(f"shufflevector {a}, {b}, <{len(picks)} x i32> <{mask}>", a.type.of(len(picks)))

    def lane(self, a: Value, at: int) -> Value:
        return self.make(f"extractelement {a}, i32 {at}", a.type.scalar)

    def steps(self, type: Type) -> Value:
        """0, 1, 2, ... in the lanes of an integer vector type."""
        return Value("<" + ", ".join(f"{type.kind} {i}" for i in range(type.lanes)) + ">", type)

    def fold(self, a: Value, join: Any) -> Value:
        """All lanes joined into one by halves, always in the same order: `join` is a method of two values."""
        while a.type.lanes > 1:
            half = a.type.lanes // 2
            low = self.shuffle(a, self.undef(a.type), range(half))
            high = self.shuffle(a, self.undef(a.type), range(half, 2 * half))
            a = join(low, high)
        return self.lane(a, 0)

    def first_lanes(self, count: Value, lanes: int) -> Value:
        """A mask of the first `count` (i64) lanes."""
        type = Type("i32", lanes)
        wide = self.splat(self.convert("trunc", count, "i32"), lanes)
        return self.compare("ult", self.steps(type), wide)

    # -- memory -----------------------------------------------------------------------------------------------------

    def at(self, pointer: Value, index: Value, entry: Type) -> Value:
        """The address of entry number `index`."""
        if index.number == 0:
            return pointer
        return self.make(f"getelementptr inbounds {entry.scalar}, {pointer}, {index}", PTR)

    def load(self, pointer: Value, type: Type, align: int = 0) -> Value:
        return self.make(f"load {type}, {pointer}, align {align or type.bits // 8 or 1}", type)

    def store(self, value: Value, pointer: Value, align: int = 0) -> None:
        self.do(f"store {value}, {pointer}, align {align or value.type.bits // 8 or 1}")

    def load_masked(self, pointer: Value, mask: Value, otherwise: Value) -> Value:
        type = otherwise.type
        name = f"llvm.masked.load.{type.suffix}.p0"
        mask_type = Type("i1", type.lanes)
        self.module.declared.setdefault(name, f"declare {type} @{name}(ptr, i32 immarg, {mask_type}, {type})")
        return self.make(f"call {type} @{name}({pointer}, i32 {type.bits // 8 or 1}, {mask}, {otherwise})", type)

    def store_masked(self, value: Value, pointer: Value, mask: Value) -> None:
        type = value.type
        name = f"llvm.masked.store.{type.suffix}.p0"
        mask_type = Type("i1", type.lanes)
        self.module.declared.setdefault(name, f"declare void @{name}({type}, ptr, i32 immarg, {mask_type})")
        self.do(f"call void @{name}({value}, {pointer}, i32 {type.bits // 8 or 1}, {mask})")

    def gather(self, pointers: Value, mask: Value, otherwise: Value) -> Value:
        """One entry from each lane's own address."""
        type = otherwise.type
        name = f"llvm.masked.gather.{type.suffix}.v{type.lanes}p0"
        types = f"<{type.lanes} x ptr>, i32 immarg, {mask.type}, {type}"
        self.module.declared.setdefault(name, f"declare {type} @{name}({types})")
        return self.make(f"call {type} @{name}({pointers}, i32 {type.bits // 8 or 1}, {mask}, {otherwise})", type)

    def scatter(self, value: Value, pointers: Value, mask: Value) -> None:
        """One entry to each lane's own address."""
        type = value.type
        name = f"llvm.masked.scatter.{type.suffix}.v{type.lanes}p0"
        types = f"{type}, <{type.lanes} x ptr>, i32 immarg, {mask.type}"
        self.module.declared.setdefault(name, f"declare void @{name}({types})")
        self.do(f"call void @{name}({value}, {pointers}, i32 {type.bits // 8 or 1}, {mask})")

    def copy_bytes(self, to: Value, source: Value, count: int) -> None:
        """Copy memory that does not overlap."""
        self.module.declared.setdefault(
            "llvm.memcpy.p0.p0.i64", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1 immarg)"
        )
        self.do(f"call void @llvm.memcpy.p0.p0.i64({to}, {source}, i64 {count}, i1 false)")

    def stack(self, entry: Type, count: int, align: int = 64) -> Value:
        """Memory of this call's own; may be asked for anywhere, and is set aside at the entry."""
        name = f"%v{next(self.numbers)}"
        self.lines.insert(1, f"  {name} = alloca [{count} x {entry}], align {align}")
        return Value(name, PTR)
