"""The kinds of op, the decorators that declare one, and the registry.

All that glassgrad knows of an op is in its one declaration (see ops/): value, shape and dtype, derivative, formula,
sentence, test cases, emission. Methods, docs, gradient tests, engines and explanations are derived from here.

A value rule takes an array namespace first (NumPy, or any that follows it), then the operands, then keyword-only
parameters, which are hashable. A derivative rule works on Nodes, so that a backward pass is a graph like any other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import dispatch
from .errors import DtypeError, ShapeError
from .graph import Node
from .spec import Dtype, Shape, Spec, bool_, is_float, numel

Array = Any
Rule = Callable[..., Node]
Interval = tuple[float, float]

ATOM, FUNC, POWER, PRODUCT, SUM, COMPARE = 100, 90, 80, 70, 60, 50
"""How tightly a formula binds, so that the printer knows where parentheses must stand."""

REGISTRY: dict[str, Op] = {}

KINDS = {"": "biuf", "float": "f", "number": "iuf", "integer": "iu", "integral": "biu"}
"""What an elementwise op may be limited to, and NumPy's letters for the dtypes of that kind."""


@dataclass(frozen=True)
class Case:
    """One example an op is tested with: operand shapes (distinct sizes) and parameters.

    ``dtypes`` names the operands that are not floats; ``below`` bounds integer operands (they are drawn from
    0 to below - 1).
    """

    shapes: tuple[Shape, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    dtypes: tuple[str | None, ...] = ()
    below: int = 2

    def arrays(self, op: Op, dtype: Dtype, rng: np.random.Generator) -> list[Array]:
        """Operands for this case: floats from the op's domain, all different; integers and booleans at random."""
        made: list[Array] = []
        for index, shape in enumerate(self.shapes):
            kind = self.dtypes[index] if index < len(self.dtypes) else None
            if kind is not None:
                made.append(rng.integers(0, self.below, shape).astype(kind))
                continue
            low, high = op.interval(index)
            count = numel(shape)
            steps = (rng.permutation(count) + rng.uniform(0.2, 0.8, count)) / max(count, 1)
            made.append((low + (high - low) * steps).reshape(shape).astype(dtype))
        return made


def case(*shapes: Shape, dtypes: tuple[str | None, ...] = (), below: int = 2, **params: Any) -> Case:
    """``case((2, 3), (3, 5), axis=1)``: operand shapes, then parameters."""
    return Case(shapes, params, dtypes, below)


@dataclass(frozen=True)
class Corner:
    """What an op does at a tie or a corner: operand values, the stated result and derivatives (None: not stated)."""

    at: tuple[float, ...]
    value: float
    slopes: tuple[float | None, ...]


@dataclass(frozen=True)
class Fold:
    """How a reduction is put together: what it starts from, for a dtype, and how two parts are joined."""

    start: Callable[[Dtype], float]
    join: Callable[[Any, Any, Any], Any]


@dataclass(eq=False)
class Op:
    """An op and all that is known of it; made by the decorators below."""

    name: str
    value: Callable[..., Array]
    spec_rule: Callable[..., Spec]
    latex: str | Callable[..., str]
    prec: int
    says: str
    cases: Sequence[Case]
    kind: str
    domain: Interval | tuple[Interval, ...] = (-2.0, 2.0)
    corners: Sequence[Corner] = ()
    rules: list[Rule | None] = field(default_factory=list)
    each: Callable[..., Node] | None = None
    differentiable: bool = True
    write: Callable[..., Node] | None = None
    emit: Callable[..., Any] | None = None
    only: str = ""
    compose: Callable[..., Node] | None = None
    cheap: bool = False
    fold: Fold | None = None
    summed: Callable[..., int] | None = None
    columns: Callable[[Shape], Shape] | None = None
    batch: Callable[[Shape], Shape] | None = None
    look: Callable[..., Any] | None = None
    simpler: Callable[..., Any] | None = None
    kernel: Callable[..., Any] | None = None
    refuses: Callable[[Array], object] | None = None
    operator: str = ""
    flops: Callable[..., int] | None = None

    def __call__(self, *inputs: Any, **params: Any) -> Node:
        return dispatch.apply(self, inputs, params)

    def spec(self, *specs: Spec, **params: Any) -> Spec:
        """Shape and dtype of the result, without computing it; raises ShapeError or DtypeError."""
        return self.spec_rule(*specs, **params)

    def operations(self, result: Spec, *specs: Spec, **params: Any) -> int:
        """How many floating-point operations it takes: for each entry one of an elementwise op, whatever function it
        is, one for each entry that a reduction joins, two for each product that is summed. Moving entries takes none,
        and so do whole numbers and booleans by themselves."""
        if not any(is_float(spec.dtype) for spec in (result, *specs)):
            return 0
        if self.flops is not None:
            return self.flops(result, *specs, **params)
        if self.summed is not None:
            return 2 * numel(result.shape) * self.summed(*specs, **params)
        if self.fold is not None:
            return numel(specs[0].shape)
        return numel(result.shape) if self.kind == "elementwise" else 0

    def rule(self, index: int) -> Rule | None:
        """The derivative rule for operand ``index``: (cotangent, result, *operands, **params) -> Node."""
        if self.each is not None:
            each = self.each
            return lambda g, y, *xs, **params: each(index, g, y, *xs, **params)
        return self.rules[index]

    def vjp(self, rule: Rule | None) -> Rule | None:
        """Declare the rule of the next operand (None: no gradient flows to it)."""
        self.rules.append(rule)
        return rule

    def vjp_each(self, rule: Callable[..., Node]) -> Callable[..., Node]:
        """Declare one rule for all operands of an op that takes any number: (index, cotangent, result, ...)."""
        self.each = rule
        return rule

    def looks(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a view's rule: (operand's shape, strides in entries, result's shape, **params) -> (offset, strides),
        None where no strides do it. The native engine then reads the operand where it lies."""
        self.look = rule
        return rule

    def simplifies(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a rewriting rule of the native engine: (r, val) -> the same value made in a simpler way, or None.

        ``val`` has ``ins``, ``params``, ``shape`` and ``dtype``; ``r`` is `engine.rewrite`, which makes values.
        """
        self.simpler = rule
        return rule

    def writes(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declare how the native engine writes a kernel of its own for this op: (k) -> kernel, with a
        `engine.emit.moves.Mover` to write it by."""
        self.kernel = rule
        return rule

    @property
    def operands(self) -> list[str]:
        """The names of the operands, as the value rule calls them."""
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        return [p.name for p in inspect.signature(self.value).parameters.values() if p.kind in kinds][1:]

    def interval(self, index: int) -> Interval:
        """Where operand ``index`` is tested, and where a finite slope is promised."""
        first = self.domain[0]
        return self.domain[index] if isinstance(first, tuple) else self.domain  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"<op {self.name}>"


class ElementwiseOp(Op):
    """An op that treats each entry alone. Python numbers among the operands become constants."""

    def __call__(self, *inputs: Any, **params: Any) -> Node:
        for index, given in enumerate(inputs):
            if type(given) is not Node:
                like = next(node for node in inputs if isinstance(node, Node) and node.dtype != bool_)
                inputs = (*inputs[:index], dispatch.constant(given, like.dtype), *inputs[index + 1 :])
        return dispatch.apply(self, inputs, params)


def register(made: Op) -> Op:
    if made.name in REGISTRY:
        raise TypeError(f"op {made.name} is declared twice")
    REGISTRY[made.name] = made
    return made


def same_shape(name: str, specs: tuple[Spec, ...]) -> Shape:
    """The shape elementwise operands share; 0-d constants go with any."""
    shapes = {spec.shape for spec in specs if spec.shape}
    if len(shapes) > 1:
        raise ShapeError(f"{name} needs operands of one shape", got=" and ".join(map(str, specs)))
    return shapes.pop() if shapes else ()


def elementwise(
    *,
    latex: str,
    prec: int,
    says: str,
    derivative: Rule | tuple[Rule | None, ...] | None,
    emit: Callable[..., Any],
    cheap: bool = False,
    domain: Interval | tuple[Interval, ...] = (-2.0, 2.0),
    corners: Sequence[Corner] = (),
    operator: str = "",
    result: Dtype | None = None,
    only: str = "",
    cases: Sequence[Case] | None = None,
    refuses: Callable[[Array], object] | None = None,
) -> Callable[[Callable[..., Array]], Op]:
    """Declare an op that treats each entry alone.

    Args:
        derivative: for each operand, what a cotangent g of the result becomes: (g, y, *operands) -> Node. The
            Jacobian is diagonal, so the same rule carries a tangent forward. None: not differentiable.
        emit: what the native engine writes for a vector of entries: (e, *operands, **params) -> value, where ``e`` is
            an `engine.emit.scribe.Scribe`, whose methods write an instruction or a function.
        cheap: whether it is better computed twice than stored and read again.
        operator: the name of the Python operator this op is on Nodes, e.g. ``add``.
        result: the result's dtype when it is not the operands' (comparisons).
        only: which dtypes the op takes, one of `KINDS`; all of them by default.
        refuses: raises where the last operand holds a number for which there is no result. The value rule calls it
            too; a compiled step has it look at that operand.
    """

    def declare(value: Callable[..., Array]) -> Op:
        name = value.__name__.rstrip("_")

        def spec(*specs: Spec, **params: Any) -> Spec:
            dtypes = {s.dtype for s in specs if s.dtype != bool_ or name != "where"}
            dtype = specs[-1].dtype
            if len(dtypes) > 1:
                raise DtypeError(
                    f"{name} needs operands of one dtype",
                    got=" and ".join(map(str, specs)),
                    fix="convert one of them with .to(dtype)",
                )
            if dtype.kind not in KINDS[only]:
                raise DtypeError(
                    f"{name} is not defined for {dtype}", got=" and ".join(map(str, specs)),
                    fix="convert with .to(dtype) first",
                )  # fmt: skip
            return Spec(same_shape(name, specs), result or dtype)

        rules = derivative if isinstance(derivative, tuple) else (derivative,)
        count = len(inspect.signature(value).parameters) - 1
        dtypes: tuple[str | None, ...] = (
            ("bool",) if name == "where" else ("int64",) * count if only.startswith("int") else ()
        )
        shapes: tuple[Shape, ...] = ((2, 3), (), (0, 3), (1,))
        made = ElementwiseOp(
            name, value, spec, latex, prec, says,
            cases or [Case((shape,) * count, {}, dtypes) for shape in shapes],
            "elementwise", domain, corners, list(rules), None, derivative is not None, None, emit, only, None, cheap,
        )  # fmt: skip
        made.refuses = refuses
        made.operator = operator
        if operator:
            _install(made, operator, count)
        return register(made)

    return declare


def _install(op: Op, operator: str, count: int) -> None:
    """Put ``op`` on Node as a Python operator, and as the reflected one where there is one."""
    setattr(Node, f"__{operator}__", lambda *operands: op(*operands))  # noqa: PLW0108  (it binds self)
    if count == 2 and operator not in ("lt", "le", "gt", "ge"):
        setattr(Node, f"__r{operator}__", lambda a, b: op(b, a))


def op(
    *,
    latex: str | Callable[..., str],
    says: str,
    spec: Callable[..., Spec],
    cases: Sequence[Case],
    prec: int = FUNC,
    kind: str = "structural",
    domain: Interval | tuple[Interval, ...] = (-2.0, 2.0),
    differentiable: bool = True,
    write: Callable[..., Node] | None = None,
    emit: Callable[..., Any] | None = None,
    only: str = "",
    compose: Callable[..., Node] | None = None,
    cheap: bool = False,
    fold: Fold | None = None,
    summed: Callable[..., int] | None = None,
    columns: Callable[[Shape], Shape] | None = None,
    batch: Callable[[Shape], Shape] | None = None,
    flops: Callable[..., int] | None = None,
) -> Callable[[Callable[..., Array]], Op]:
    """Declare an op that is not elementwise; its derivative rules follow as ``@name.vjp``, one for each operand.

    Args:
        spec: (*Specs, **params) -> Spec; raises the errors a user meets.
        write: for an op whose result is a view: (base, new, **params) -> the base with ``new`` written through it.
        compose: for an op that stands for a composition of others, the composition: (*operands, **params) -> Node.
        fold: for a reduction, what it starts from and how parts are joined.
        summed: for a product of arrays, (*operands, **params) -> how many products are summed for each entry.
        columns: for a product whose kernel goes on with what follows, which sizes of the result are its columns.
        batch: for a product of many matrices, the first sizes of the result, which are those of each operand, too; its
            kernel goes through them in order.
        flops: (result's Spec, *Specs, **params) -> how many floating-point operations it takes, where `Op.operations`
            cannot tell by itself: neither elementwise, nor a fold, nor a product, nor moves of entries.

    How the native engine computes it is declared by one of these: ``emit`` (an elementwise op), ``fold``, ``compose``,
    ``@name.looks`` (a view), ``@name.writes`` (a kernel of its own), ``@name.simplifies`` (always another op).
    """

    def declare(value: Callable[..., Array]) -> Op:
        return register(
            Op(
                value.__name__.rstrip("_"), value, spec, latex, prec, says, cases, kind, domain, (), [], None,
                differentiable, write, emit, only, compose, cheap, fold, summed, columns, batch, flops=flops,
            )
        )  # fmt: skip

    return declare


def check_registry() -> None:
    """Fail at import when a declaration is incomplete."""
    for name, made in REGISTRY.items():
        missing = [what for what in ("latex", "says", "cases") if not getattr(made, what)]
        count = len(inspect.signature(made.value).parameters)
        if made.differentiable and made.each is None:
            keyword = sum(
                p.kind is inspect.Parameter.KEYWORD_ONLY for p in inspect.signature(made.value).parameters.values()
            )
            if len(made.rules) != count - 1 - keyword:
                missing.append("vjp")
        if not (made.emit or made.fold or made.compose or made.look or made.kernel or made.simpler):
            missing.append("emit, fold, compose, looks, writes or simplifies")
        if made.kind not in ("elementwise", "structural") and not (made.flops or made.summed or made.fold):
            missing.append("flops")
        if missing:
            raise TypeError(f"the declaration of op {name} lacks: {', '.join(missing)}")
