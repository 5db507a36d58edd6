"""A call of a native step, as one straight piece of Python.

A small step spends more time in Python than in machine code, most of it on looking whether anything is other than
before. What there is to look at is known when the plan is made, so it is written out, look after look, with everything
that is looked at as a global of the function. The usual call, in which nothing has changed, comes down to a few
comparisons; what is other goes to a method here, and a call that this plan is not for is a `MISS`, with nothing done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any

from ..dispatch import CHANGES, STATE
from ..graph import Node
from ..tensor import Tensor, wrap
from .bind import Binding
from .locks import Undisturbed
from .reads import ABSENT
from .traced import Slot

if TYPE_CHECKING:
    from .compile import Plan

MISS = object()
"""What a call that this plan is not for returns."""


class Quick:
    """Writes the function `call`, and keeps what it looks up up to date."""

    def __init__(self, plan: Plan, binding: Binding, kinds: Sequence[tuple[int, Any, bool]]) -> None:
        self.plan, self.binding, self.kinds = plan, binding, kinds
        engine = binding.engine
        self.names: dict[str, Any] = {
            "CHANGES": CHANGES, "STATE": STATE, "MISS": MISS, "Node": Node, "Tensor": Tensor, "wrap": wrap,
            "refcount": sys.getrefcount, "same": lambda a, b: len(a) == len(b) and all(map(is_, a, b)),
            "take": self.take, "changed": self.changed, "options": self.options, "cells": self.cells,
            "execute": engine.alone or (lambda *_: engine.execute()), "launch": binding.launch, "finish": plan.finish,
            "ABSENT": ABSENT, "read": self.read, "complete": plan.complete, "lock": plan.lock, "NOTHING": {},
            "Undisturbed": Undisturbed,
            "alarm": self.alarm, "due": 1, "seen": -1, "refs": 0, "array_refs": 0, "calls": 0,
        }  # fmt: skip
        exec("\n".join(["def call(args):", *("    " + line for line in self._lines())]), self.names)
        self.call: Callable[[Sequence[Any]], Any] = self.names["call"]

    @property
    def calls(self) -> int:
        """How often the plan has run."""
        return int(self.names["calls"])

    # -- what is other than in the last call ------------------------------------------------------------------------

    def take(self, place: int, node: Any) -> bool:
        """Another value than in the last call as argument `place`; False if it is of another kind."""
        _, spec, requires_grad = self.kinds[place]
        if node.shape != spec.shape or node.dtype != spec.dtype or node.requires_grad is not requires_grad:
            return False
        self.names[f"h{place}"] = None  # an interrupt from here on has it done again
        if self.binding.argument(place, node.value):
            self.names[f"h{place}"] = node
        return True

    def changed(self) -> bool:
        """Something was rebound, set or registered since the last call: False if that asks for another trace."""
        if not self.plan.guards.hold():
            return False
        self.plan.mark()
        self.cells()
        return True

    def cells(self) -> None:
        """Tensors from outside have other values, or values that somebody else holds too."""
        self.names["seen"] = -1
        self.binding.enter()
        self.names["refs"], self.names["array_refs"] = self.binding.refs - 1, self.binding.array_refs
        self.names["seen"] = CHANGES.count

    def options(self, number: int) -> bool:
        """The options of a group are others: False if that asks for another trace."""
        guards = self.plan.guards
        group, before, _ = guards.groups[number]
        if not guards.same_options(group, before):
            return False
        self.names[f"b{number}"] = None
        self.binding.stage(group)
        # A tensor among them may be written in place without notice, so such a group is never as it was.
        held = any(type(value) is Tensor for value in group.values())
        self.names[f"b{number}"] = None if held else dict(group)
        return True

    def read(self, number: int) -> bool:
        """Another thing, or a container, is where the step read; False if it is not the same after all."""
        read = self.plan.trace.reads[number]
        if not read.holds():
            return False
        self.names[f"v{number}"] = read.now()
        return True

    def alarm(self) -> None:
        """It has run as often as somebody waits for."""
        self.names["due"] = self.plan.ring()

    # -- the text ---------------------------------------------------------------------------------------------------

    def _lines(self) -> list[str]:
        """The function's body."""
        given = [f"x{place}" for place in range(len(self.kinds))]
        lines = [f"if len(args) != {len(given)} or STATE.grad is not {STATE.grad}:", "    return MISS"]
        if given:
            lines += [f"{', '.join(given)}, = args"]
            lines += _miss([f"type({x}) is not Tensor" for x in given] + self._one_or_two(given))
        lines += ["global calls", "with lock:" if self.plan.whole else "with lock, Undisturbed():"]
        for place, x in enumerate(given):
            self.names[f"h{place}"] = None
            lines += [f"    m = {x}._node if {x}._base is None else {x}.node"]
            lines += [f"    {line}" for line in _miss([f"m is not h{place} and not take({place}, m)"])]
        looks = [line for number in range(len(self.plan.trace.inspections)) for line in self._inspection(number)]
        lines += [f"    {line}" for line in [*self._guards(), *looks, *self._run()]]  # of what is of the right kind
        last = ["if calls >= due:", "    alarm()"] if self.plan.trace.alarms else []
        last.append(f"return {self._returned()}")
        return [*lines, *(f"{'' if self.plan.whole else '    '}{line}" for line in last)]

    def _one_or_two(self, given: list[str]) -> list[str]:
        """Which arguments must be one tensor, and which must not."""
        first = [order for order, _, _ in self.kinds]
        return [
            f"{x} is {'not ' if first[a] == first[b] else ''}{y}"
            for a, x in enumerate(given) for b, y in enumerate(given[:a])
        ]  # fmt: skip

    def _inspection(self, number: int) -> list[str]:
        self.names[f"i{number}"] = self.plan.trace.inspections[number]
        return [f"i{number}.run(args)"]

    def _guards(self) -> list[str]:
        """Whether everything else is as it was."""
        guards = self.plan.guards
        odd = ["CHANGES.count != seen and not changed()"]
        for number, read in enumerate(self.plan.trace.reads):
            self.names |= {f"r{number}": read.holder, f"v{number}": read.value}
            now = f"r{number}.get({read.key!r}, ABSENT)" if read.key else f"r{number}.cell_contents"
            alike = f"{now} is v{number}" if read.before is read.value else "False"
            odd.append(f"not ({alike} or read({number}))")
        lines = _miss(odd)
        for number, (group, _, params) in enumerate(guards.groups):
            g, b, p = f"g{number}", f"b{number}", f"p{number}"
            self.names |= {g: group, b: None, p: params}
            lines += _miss([f"not same({g}['params'], {p})", f"{g} != {b} and not options({number})"])
        for number, (optimizer, groups, count) in enumerate(guards.lists):
            o = f"o{number}"
            self.names |= {o: optimizer, **{f"{o}g{place}": group for place, group in enumerate(groups)}}
            odd = [f"len({o}.state) != {count}", f"len({o}.param_groups) != {len(groups)}"]
            lines += _miss(odd + [f"{o}.param_groups[{place}] is not {o}g{place}" for place in range(len(groups))])
        if any(cell.tensor._base is not None for cell in self.binding.cells):
            return [*lines, "cells()"]  # what a view shows is taken again for every call
        held = []
        for number, cell in enumerate(cell for cell in self.binding.cells if cell.changed):
            self.names[f"c{number}"] = cell
            held.append(f"refcount(c{number}.node) > refs or refcount(c{number}.array) > array_refs")
        return [*lines, *(["if " + " or ".join(held) + ":", "    cells()"] if held else [])]

    def _run(self) -> list[str]:
        if not self.binding.simple:
            return ["calls += 1", "found = launch()"]
        for number, (_, _, staged) in enumerate(self.binding.results):
            self.names[f"s{number}"] = staged
        made = self.plan.trace
        self.names |= {f"k{place}": told for place, (_, told) in enumerate(made.kept)}
        return [
            "calls += 1",
            "execute(0, 1)",
            *(f"y{number} = s{number}.copy()" for number in range(made.shown)),
            *(f"k{place}(s{number}.item())" for place, (number, _) in enumerate(made.kept)),
        ]

    def _returned(self) -> str:
        if not self.binding.simple:
            return "finish(found, args)"
        made = self.plan.trace
        results = [f"wrap(Node(None, (), NOTHING, y{n}, False, None))" for n in range(made.shown)]
        if isinstance(made.results, Slot) and not (made.deferred or made.watched or self.plan.cut):
            return results[made.results.number]
        return f"complete([{', '.join(results)}])"


def _miss(odd: list[str]) -> list[str]:
    return [f"if {' or '.join(odd)}:", "    return MISS"] if odd else []
