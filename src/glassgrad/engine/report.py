"""What a compiled step is made of, as data and as text: kernels, what each fuses, moves and computes, and its time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import line_of
from ..graph import CONSTANT, Graph, Node
from ..op import REGISTRY
from ..spec import Spec
from .groups import Group, accesses, outside
from .native import Native
from .profile import peak_of, times
from .program import CONST, Val
from .traced import Slot, Trace

if TYPE_CHECKING:
    from .compile import Compiled, Plan


@dataclass(frozen=True)
class KernelReport:
    """One kernel of a step."""

    ops: tuple[str, ...]
    """What it fuses, in order."""
    where: tuple[str, ...]
    """The user's lines that these come from, each once, in order."""
    read: int
    """Bytes."""
    written: int
    """Bytes."""
    operations: int
    """Floating-point ones, as `Op.operations` counts them."""
    seconds: float | None = None
    """Time in a run of the step; None unless it was profiled."""
    share: float | None = None
    """Its operations in a second, as a share of what all threads' multiply-add units can do."""
    slices: int = 1
    """Into how many slices it is cut, where kernels run together: all of them for a slice, then all for the next."""


@dataclass(frozen=True)
class StepReport:
    """One trace of a compiled step."""

    name: str
    signature: str
    calls: int
    threads: int
    target: str
    arena: int
    """Bytes of the memory that intermediate values share."""
    held: int
    """Bytes of what the step reads and writes outside of the arena: arguments, tensors, constants, results."""
    tracing: float
    """Seconds for the trace."""
    compiling: float
    """Seconds for everything after it, code generation included."""
    kernels: tuple[KernelReport, ...]
    others: tuple[str, ...]
    """The other signatures that are held."""

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def report(step: Compiled, plan: Plan, profile: bool) -> StepReport:
    """What there is to say of one plan of a step."""
    others = [_signature(key) for key, plans in step.plans.items() for each in plans if each is not plan]
    signature = next(_signature(key) for key, plans in step.plans.items() if plan in plans)
    common: dict[str, Any] = {
        "name": getattr(step, "__name__", "step"), "signature": signature, "calls": plan.calls,
        "tracing": plan.tracing, "compiling": plan.compiling, "others": tuple(others),
    }  # fmt: skip
    engine = plan.engine
    if not isinstance(engine, Native):
        return StepReport(threads=1, target="NumPy, op after op", arena=0, held=0, kernels=(), **common)
    seconds = times(plan.trace, engine) if profile else [None] * len(engine.groups)
    peak = peak_of(engine.target) * engine.threads if profile else 0.0
    kernels = [_kernel(engine, g, s, peak) for g, s in zip(engine.groups, seconds, strict=True)]
    return StepReport(
        threads=engine.threads, target=f"{engine.target.cpu}, vectors of {engine.target.width} bits",
        arena=engine.plan.arena, held=sum(val.bytes for val in engine.plan.table), kernels=tuple(kernels), **common,
    )  # fmt: skip


def _signature(key: Any) -> str:
    constants, kinds, grad = key
    given = [str(spec) for _, spec, _ in kinds] + _plain(constants)
    return f"({', '.join(given)}), gradients {'on' if grad else 'off'}"


def _plain(given: Any) -> list[str]:
    """The plain arguments of a signature."""
    if given is Slot:
        return []
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], type):
        kind, value = given
        return [word for each in value for word in _plain(each)] if kind in (list, tuple) else [repr(value)]
    if len(given) == 2 and isinstance(given[0], str):
        return [f"{given[0]}={word}" for word in _plain(given[1])]
    return [word for each in given for word in _plain(each)]


def _kernel(engine: Native, group: Group, seconds: float | None, peak: float) -> KernelReport:
    work = sum(map(operations, group.vals))
    places = [val.origin.where for val in group.vals if val.origin is not None and val.origin.where is not None]
    return KernelReport(
        tuple(val.op for val in group.vals),
        tuple(dict.fromkeys(map(_short, places))),
        sum(_bytes_read(group, base) for base in outside(group)),
        sum(val.bytes for val in group.stored),
        work,
        seconds,
        work / seconds / peak if seconds else None,
        engine.rooms[group.number].chain.slices if group.number in engine.rooms else 1,
    )


def _short(place: Any) -> str:
    path, _, rest = line_of(place).rpartition(":")
    return f"{path.replace(chr(92), '/').rpartition('/')[2]}:{rest}"


def _bytes_read(group: Group, base: Val) -> int:
    """How much of a value a group reads: all of it, or no more than the entries that it looks at."""
    if base.op == CONST and base.size == 1:
        return 0
    looks = [v.ins[n] for v in group.vals for n, found in enumerate(accesses(v)) if found.base is base]
    return min(base.bytes, sum(look.bytes for look in looks))


def operations(val: Val) -> int:
    """Floating-point operations of one value."""
    op = REGISTRY.get(val.op)
    specs = [Spec(each.shape, each.dtype) for each in (val, *val.ins)]
    return op.operations(*specs, **val.params) if op is not None else 0


# -- the graph --------------------------------------------------------------------------------------------------------


def graph_of(trace: Trace) -> Graph:
    """The trace as a graph of Nodes without numbers, which prints as Python."""
    nodes: dict[int, Node] = {}
    labels: dict[Node, str] = {}
    named = [list(module.state_dict(keep_vars=True).items()) for module in trace.modules]
    names = {id(p): name for each in sorted(named, key=len) for name, p in each}

    def leaf_of(value: Any, label: str) -> None:
        node = nodes[id(value)] = Node(None, (), {}, value, False, None)
        labels[node] = label

    for number, value in trace.arguments:
        leaf_of(value, f"argument {number}")
    for cell, value in trace.cells:
        leaf_of(value, names.get(id(cell), "a tensor from outside"))
    for option in trace.options:
        leaf_of(option.symbol, f"the option {option.key!r}")

    def node_of(value: Any) -> Node:
        if id(value) not in nodes and value.ndim == 0:
            nodes[id(value)] = Node(None, (), {}, value, False, CONSTANT)
        elif id(value) not in nodes:
            few = ", ".join(map(str, value.ravel()[:4].tolist()))
            leaf_of(value, f"the constant [{few}{', ...' if value.size > 4 else ''}]")
        return nodes[id(value)]

    for step in trace.steps:
        inputs = tuple(node_of(value) for value in step.inputs)
        nodes[id(step.out)] = Node(step.op, inputs, step.params, step.out, False, step.origin)
    ends = [(value, f"result {n}") for n, value in enumerate(trace.values)]
    ends += [
        (value, f"the new {names.get(id(cell), 'value of a tensor from outside')}") for cell, value in trace.updates
    ]
    ends += [(value, f"the new argument {number}") for number, value in trace.argument_updates]
    return Graph([node_of(value) for value, _ in ends], labels, [label for _, label in ends])


# -- text -------------------------------------------------------------------------------------------------------------


def _lines(made: StepReport) -> list[str]:
    lines = [
        f"{made.name}{made.signature}: {len(made.kernels)} kernels, {made.calls:,} calls",
        f"  on {made.target}, {made.threads} thread{'s' * (made.threads > 1)}; traced in {made.tracing:.2f} s, "
        f"compiled in {made.compiling:.2f} s",
        f"  arena {_size(made.arena)}, outside of it {_size(made.held)}",
    ]
    if made.kernels:
        timed = made.kernels[0].seconds is not None
        lines += [
            "",
            f"{'':>3}  {'reads':>8} {'writes':>8} {'operations':>10}" + "      time   peak" * timed + "  fused",
        ]
        lines += [line for number, kernel in enumerate(made.kernels) for line in _row(number, kernel)]
        total = sum(k.seconds or 0.0 for k in made.kernels)
        work = sum(k.operations for k in made.kernels)
        sums = [sum(k.read for k in made.kernels), sum(k.written for k in made.kernels)]
        lines.append(
            f"all  {_size(sums[0]):>8} {_size(sums[1]):>8} {_count(work):>10}" + f"  {_time(total):>8}" * timed
        )
    if made.others:
        lines += ["", "also held:", *(f"  {other}" for other in made.others)]
    return lines


def _row(number: int, kernel: KernelReport) -> list[str]:
    counted = Counter(kernel.ops)
    ops = " ".join(op if count == 1 else f"{op}×{count}" for op, count in counted.items())
    head = f"{number:>3}  {_size(kernel.read):>8} {_size(kernel.written):>8} {_count(kernel.operations):>10}"
    if kernel.seconds is not None:
        head += f"  {_time(kernel.seconds):>8} {100 * (kernel.share or 0):>5.1f}%"
    return [f"{head}  {ops}" + f", in {kernel.slices} slices" * (kernel.slices > 1)]


def _size(count: int) -> str:
    return _scaled(count, ("B", "kB", "MB", "GB"))


def _count(count: int) -> str:
    return _scaled(count, ("", "k", "M", "G"))


def _scaled(count: float, units: tuple[str, ...]) -> str:
    for unit in units:
        if count < 1000 or unit == units[-1]:
            return f"{count:.3g} {unit}".rstrip() if count < 100 else f"{count:.0f} {unit}".rstrip()
        count /= 1000
    raise AssertionError


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-4 else f"{seconds * 1e6:,.0f} µs"
