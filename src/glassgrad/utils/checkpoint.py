"""Less memory for more time: values that are not kept for the backward pass, but computed again when it needs them.

T. Chen et al., "Training deep nets with sublinear memory cost" (2016): a chain of n equal layers cut into about sqrt(n)
checkpointed parts needs memory for some 2 sqrt(n) layers, for one more forward pass. Checkpoints within checkpoints
need still less: A. Griewank, A. Walther, "Algorithm 799: revolve" (2000).

The function runs once. What it computed is a graph whose values depend on nothing but the graph's inputs, random
numbers included; so its nodes are put back without their values, and a backward pass that needs them runs the same ops
again. Hence the gradients are those without a checkpoint to the last bit, dropout drops the same entries, statistics
of batch norm move once, and hooks, prints and whatever else the function does happen once (all of which PyTorch, which
calls the function again, can only promise in part). What somebody still holds when the function is over, such as its
results, keeps its value.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..dispatch import STATE, GradMode, Quiet, apply, leaf
from ..errors import ArgumentError, GradError, NotCovered, TypeMismatch
from ..graph import Forgotten, Node, Overwritten, Part, ancestors, is_constant
from ..nn import Sequential
from ..ops.shape import again

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = False,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, of which the backward pass keeps the inputs and the results alone.

    In a compiled step, too: there the values are computed again in the machine code of the backward pass. While a step
    is recorded (`glassgrad.record`) all its numbers are kept, so the function just runs; so it does where the graph is
    not kept anyway (`no_grad`).

    Args:
        function: anything that computes with tensors, parameters around it included.
        use_reentrant: PyTorch's two ways to do it; here there is one, which has the limits of neither.
        preserve_rng_state: what is computed again always has the random numbers of the first time.
        determinism_check, debug, early_stop: PyTorch's; nothing to check, as the function is not called again.

    Raises:
        GradError: in the backward pass, if a value that the function started from was written in place since and its
            gradient needs it, as without a checkpoint. NotCovered: a ``context_fn``.

    >>> from glassgrad.utils.checkpoint import checkpoint
    >>> layer, x = nn.Linear(3, 3), gg.ones(2, 3)
    >>> y = checkpoint(lambda x: layer(x).exp().sin(), x, use_reentrant=False)
    >>> y.sum().backward()
    >>> layer.weight.grad.shape
    (3, 3)
    """
    if context_fn is not None:
        raise NotCovered("checkpoint: context_fn is not covered", fix="leave it out: everything inside is made again")
    if not STATE.grad or STATE.observer is not None:
        return function(*args, **kwargs)
    outer = STATE.keeper if isinstance(STATE.keeper, _Part) else None
    part = STATE.keeper = _Part()
    try:
        return function(*args, **kwargs)
    finally:
        STATE.keeper = outer
        part.close(outer)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = False, **kwargs: Any
) -> Any:
    """A chain of functions, cut into equal parts that are checkpointed one by one, all but the last.

    Args:
        functions: a Sequential, or functions that each take the result of the one before.
        segments: how many parts. About the square root of how many functions there are takes the least memory.
        input: what the first function takes.

    >>> from glassgrad.utils.checkpoint import checkpoint_sequential
    >>> net = nn.Sequential(*[nn.Linear(3, 3) for _ in range(9)])
    >>> checkpoint_sequential(net, 3, gg.ones(2, 3), use_reentrant=False).shape
    (2, 3)
    """
    kwargs.pop("preserve_rng_state", None)
    if kwargs:
        raise TypeMismatch(f"checkpoint_sequential takes no {', '.join(map(repr, kwargs))}")
    chain: list[Callable[[Any], Any]] = list(functions.children() if isinstance(functions, Sequential) else functions)
    if not 1 <= segments <= max(1, len(chain)):
        raise ArgumentError(
            f"a chain of {len(chain)} functions cannot be cut into {segments} parts",
            fix=f"give from 1 to {len(chain)} segments",
        )
    size = len(chain) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(_in_turn, chain[start : start + size], input)
    return _in_turn(chain[size * (segments - 1) :], input)


def _in_turn(functions: Sequence[Callable[[Any], Any]], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value


class _Part:
    """What was computed in one call of a checkpointed function. While that runs, `dispatch` tells it of every node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.own: set[int] = set()
        """The ids of all nodes that were made in it. A node that stands for another one has its id."""
        self.taken: dict[int, Any] = {}
        """By their nodes' ids, values from outside, as they were when they were used: cells may be written since."""
        self.inside: list[_Part] = []
        """The checkpoints within this one."""
        self.outer: _Part | None = None
        self.members: list[weakref.ref[Node]] = []
        """The nodes whose values are not kept. The graph alone holds them, and what stands in a value's place holds
        this part: when the graph goes, all goes."""
        self.first = 0
        """The least id of theirs."""
        self.recalled = False

    def made(self, node: Node) -> None:
        for source in node.inputs:
            if source.id not in self.own and source.id not in self.taken:
                self.taken[source.id] = source.value
        self.nodes.append(node)
        self.own.add(node.id)

    # -- when the function is over ------------------------------------------------------------------------------------

    def close(self, outer: _Part | None) -> None:
        """Put nodes without a value in the place of all that nobody holds, and let the values go."""
        for part in self.inside:
            self.taken |= {key: value for key, value in part.taken.items() if key not in self.own}
            part.outer = part.outer or self
        made, held = self._stand_ins()
        needed = self._needed(made, held, every=outer is not None)
        taken: dict[int, Any] = {}
        for place, (node, sources) in enumerate(made):
            if place not in needed or node.released:
                continue
            node.inputs = tuple(made[each][0] if isinstance(each, int) else each for each in sources)
            if type(node.value) is Forgotten and node.value.part is self:
                self.members.append(weakref.ref(node))
            if place not in held:
                known = [each for each in node.inputs if each.id in self.taken or not _is_absent(each)]
                taken.update((each.id, self.taken.get(each.id, each.value)) for each in known)
        self.first = min((node.id for node, _ in made), default=0)
        self.taken = taken
        for part in self.inside:
            part.taken = taken
        if outer is not None:
            outer.nodes.extend(made[place][0] for place in sorted(needed))
            outer.own |= self.own
            outer.inside += [self, *self.inside]
        self.inside = []

    def _stand_ins(self) -> tuple[list[tuple[Node, list[Any]]], set[int]]:
        """What is to stand in the graph for each node, and what it is made of (another one's place, or a node from
        outside); and the places of those that somebody holds, who stand for themselves."""
        places = {node.id: place for place, node in enumerate(self.nodes)}
        made = [
            (self._bare(node), [] if node.released else [places.get(each.id, each) for each in node.inputs])
            for node in self.nodes
        ]
        refs = [weakref.ref(node) for node in self.nodes]
        while self.nodes:
            _loosen(self.nodes.pop())
        held: set[int] = set()
        for place, ref in enumerate(refs):
            node = ref()
            if node is not None and node is not made[place][0]:
                held.add(place)
                made[place] = node, made[place][1]
        return made, held

    def _bare(self, node: Node) -> Node:
        """A node like this one, but for the value; itself, if it has none already, or could not have it again."""
        if type(node.value) is Forgotten or node.released:
            return node
        bare = Node(node.op, (), node.params, Forgotten(node.shape, node.dtype, self), node.requires_grad, node.origin)
        bare.id, bare.hooks, bare.cell = node.id, node.hooks, node.cell
        if isinstance(node.value, Overwritten):
            bare.value = node.value
        return bare

    def _needed(self, made: list[tuple[Node, list[Any]]], held: set[int], every: bool) -> set[int]:
        """The places of what a gradient may come by or a value be computed from, beginning with what is held (for an
        outer part ``every`` one of that)."""

        def leads_on(place: int) -> bool:
            node = made[place][0]
            return every or place not in held or node.requires_grad or _is_absent(node)

        found: set[int] = set()
        stack = [place for place in held if leads_on(place)]
        while stack:
            place = stack.pop()
            if place not in found:
                found.add(place)
                stack.extend(each for each in made[place][1] if isinstance(each, int) and leads_on(each))
        return found

    # -- in a backward pass -------------------------------------------------------------------------------------------

    def recall(self, after: Node, called: list[Part]) -> None:
        """Compute the values again, now that the cotangent ``after`` is there; notes in ``called`` what to `forget`."""
        if self.outer is not None and not self.outer.recalled:
            self.outer.recall(after, called)
        known = [ref() for ref in self.members]
        members = {node for node in known if node is not None and not node.released and _is_absent(node)}
        order = ancestors(members, only=lambda node: _is_absent(node) and node.id not in self.taken)
        uses = Counter(source.id for node in order for source in node.inputs)
        made: dict[int, Node] = {}
        with _unseen():
            for node in order:
                if node.op is None or node.released:
                    raise _gone(node)
                STATE.origin = node.origin
                inputs = tuple(made.get(each.id) or self._source(each, after, made) for each in node.inputs)
                made[node.id] = found = apply(node.op, inputs, node.params)
                if node in members:
                    node.value = found.value
                for source in node.inputs:
                    uses[source.id] -= 1
                    if not uses[source.id]:
                        made.pop(source.id, None)
        self.recalled = True
        called.append(self)

    def _source(self, node: Node, after: Node, made: dict[int, Node]) -> Node:
        """A node from which the values begin. In a compiled step it is another one than the first time: what is
        computed from the same would be computed once, and kept."""
        if is_constant(node):
            return node
        found = node if not _is_absent(node) else leaf(self.taken[node.id])
        if STATE.tracer is not None:
            found = made[node.id] = apply(again, (found, after), {})
        return found

    def forget(self) -> None:
        """Let the values go again."""
        for ref in self.members:
            node = ref()
            if node is not None:
                node.value = Forgotten(node.shape, node.dtype, self)
        self.recalled = False


def _loosen(node: Node) -> None:
    """Hold nothing by this node any more: then only who holds a node itself keeps it."""
    if not node.released:
        node.inputs = ()


def _is_absent(node: Node) -> bool:
    return isinstance(node.value, (Forgotten, Overwritten))


@contextmanager
def _unseen() -> Iterator[None]:
    """Compute what no recording and no other checkpoint is to see."""
    outer = STATE.observer, STATE.keeper, STATE.origin
    STATE.observer, STATE.keeper = None, None
    try:
        with Quiet(), GradMode(False):
            yield
    finally:
        STATE.observer, STATE.keeper, STATE.origin = outer


def _gone(node: Node) -> GradError:
    name = node.op.name if node.op is not None else "leaf"
    return GradError(
        "the backward pass of a checkpoint needs a value that is gone: it was written in place, or its graph let go",
        got=f"{node.spec} of {name}, made at {node.where}",
        fix="use the form that makes a new tensor (x = x + 1 rather than x += 1)",
    )
