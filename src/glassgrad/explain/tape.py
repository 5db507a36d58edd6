"""`Tape`: what `record()` gives; every question about a recorded step is asked here."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import ArgumentError
from ..graph import Node
from ..nn import Module
from ..report import TapeReport
from ..tensor import Tensor
from ..view import html, json, notebook
from ..view.picture import Picture
from .derive import Derivation, derive
from .missing import Missing, why_none
from .net import Net
from .paths import Why
from .recording import FORWARD, LOSS, Recording, as_index, place_of, recording
from .reporting import glance_of, graph_of, report_of
from .responsibility import Responsibility, responsibility
from .steps import Step, steps_of
from .symbols import Symbols
from .update import Update, update


class Tape(Recording):
    """The numbers of a training step, and answers to why they are what they are."""

    @property
    def symbols(self) -> Symbols:
        return self._once("_symbols", lambda: Symbols(self))  # type: ignore[no-any-return]

    @property
    def net(self) -> Net:
        """The recorded forward pass, as the search for paths has it."""
        root = self.loss
        return self._once("_net", lambda: Net(self, root))  # type: ignore[no-any-return]

    def why(self, what: Any, index: Any = None, top: int = 10) -> Why:
        """Why an entry of a gradient is what it is: the sum over the paths from the loss to it, the largest first.

        Args:
            what: a parameter, or any tensor that a gradient arrived at.
            index: which entry, e.g. ``(0, 1)``; not needed for a single number.
            top: how many paths are listed; the others are in ``.remainder``.

        Example:
            >>> import glassgrad as gg
            >>> a = gg.tensor(3.0, requires_grad=True)
            >>> with gg.record() as tape:
            ...     b = a * a + a
            ...     b.backward()
            >>> tape.why(a).value, sorted(path.product for path in tape.why(a).paths)
            (7.0, [1.0, 3.0, 3.0])
        """
        node = self.node_of(what)
        return Why(self, node, as_index(index, node.shape), top)

    def responsibility(self) -> Responsibility:
        """Per layer: its share in the step's change of the loss, by first order and measured with its update alone."""
        return responsibility(self)

    def derive(self, what: Any) -> Derivation:
        """The derivation of dL/d(what) for the recorded graph, line by line, checked against the number."""
        return derive(self, self.node_of(what))

    def why_none(self, what: Any) -> Missing:
        """Why a tensor has no gradient: which edge cut it, and the line; or which factor made it 0."""
        return why_none(self, what)

    def update(self, what: Any, index: Any = None) -> Update:
        """From an entry's gradient to its new value: clipping, decay, moments, rate, each with its numbers."""
        node = self.node_of(what)
        return update(self, node, as_index(index, node.shape))

    def output_of(self, layer: Any) -> tuple[Node, str]:
        """The result of a layer, given as a path, a module, or a tensor, and its name."""
        if isinstance(layer, (Node, Tensor)):
            node = self.node_of(layer)
            return node, self.symbols.text(node)
        path = layer
        if isinstance(layer, Module):
            found = [n for n, r in self.records.items() if _runs_in(n, layer)]
            path = type(layer).__name__
        else:
            found = [n for n, r in self.records.items() if r.path == layer or r.path.startswith(f"{layer}.")]
        found = [n for n in found if self.phase(n) in (FORWARD, LOSS)]
        if not found:
            known = sorted({r.path for r in self.records.values() if r.path})
            raise ArgumentError(f"no layer {path!r} ran", got=", ".join(known[:20]), fix="name one of these")
        return found[-1], str(path)

    def is_passing(self, node: Node, into: Node) -> bool:
        """Whether a value is only a part of the expression `into`: used once, on the same line, without a name."""
        if node in self.symbols.own or self.is_leaf(node) or self.uses().get(node) != 1:
            return False
        return place_of(node) == place_of(into)

    def uses(self) -> dict[Node, int]:
        """How often each value is an operand in the forward pass."""

        def count() -> dict[Node, int]:
            found: dict[Node, int] = {}
            for node, held in self.records.items():
                if self.phase(node) in (FORWARD, LOSS):
                    for source in held.inputs:
                        found[source] = found.get(source, 0) + 1
            return found

        return self._once("_uses", count)  # type: ignore[no-any-return]

    @property
    def steps(self) -> list[Step]:
        """Every step, in order: forward, loss, backward, update."""
        return self._once("_steps", lambda: steps_of(self))  # type: ignore[no-any-return]

    def report(self, title: str = "") -> TapeReport:
        """All of it as plain data, which text, HTML, notebook and JSON render."""
        return report_of(self, title)

    def show(self, whole: bool | None = None) -> None:
        """Print all of it: every step, or, of a step with more than 60 unless ``whole=True``, what each layer gave."""
        from ..view.text import show

        show(report_of(self, whys=()), whole=whole)

    def graph(self) -> Picture:
        """The computational graph as data (`.nodes`, `.edges`) and as a picture (`.svg(path)`)."""
        return Picture(graph_of(self))

    def json(self, path: str | Path, title: str = "") -> Path:
        """Write the report as JSON; `glassgrad.view.json.read` reads it."""
        return json.write(self.report(title), path)

    def html(self, path: str | Path, title: str = "") -> Path:
        """Write the report as one page that a browser shows without a server or a network."""
        return html.write(self.report(title), path)

    def _repr_html_(self) -> str:
        return notebook.tape(glance_of(self) if self.records else None)


class record:
    """Record what is computed inside a ``with`` block, to ask about it later.

    A recording changes no number. Every value is kept, with its numbers; of several backward passes the last is the one
    that is explained. A compiled step that is called inside runs as the plain function that it is. Other threads are
    not recorded, and recordings do not nest.

    Args:
        only: record only the modules whose path fits this pattern, such as ``"layer3.*"``, to save memory.

    Raises:
        StateError: a recording is on already in this thread.

    Example:
        >>> import glassgrad as gg
        >>> x, w = gg.tensor(2.0), gg.tensor(3.0, requires_grad=True)
        >>> with gg.record() as tape:
        ...     y = x * w
        ...     y.backward()
        >>> for step in tape.steps:
        ...     print(step)
        y = x · w = 2 · 3 = 6
        ∂y/∂w = x = 2
    """

    def __init__(self, only: str | None = None) -> None:
        self.tape = Tape(only)

    def __enter__(self) -> Tape:
        self.inner = recording(self.tape)
        self.inner.__enter__()
        return self.tape

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inner.__exit__(kind, error, trace)


def _runs_in(node: Node, module: Any) -> bool:
    """Whether a module was running when a node was made."""
    scope = None if node.origin is None else node.origin.scope
    while scope is not None:
        if scope[0] is module:
            return True
        scope = scope[1]
    return False
