"""What a gradient costs: operations, bytes, seconds, memory; by differences instead; with values computed again.

W. Baur, V. Strassen, "The complexity of partial derivatives" (1983): all partial derivatives of a function together
take at most about 5 times the function's operations, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autograd import grad
from ..dispatch import enable_grad
from ..engine.threads import cores
from ..errors import ArgumentError, ShapeError, TypeMismatch
from ..explain import Tape, record
from ..graph import ancestors
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .count import counted
from .measure import Measured, compiled_of, differences, kept, memory, times
from .recompute import recomputation
from .recorded import Forward
from .report import Cost

__all__ = ["Cost", "cost", "cost_of"]


def cost(
    model: Callable[..., Any],
    *batch: Any,
    loss: Callable[[Any, Any], Any] | None = None,
    optimizer: Optimizer | None = None,
    threads: int | None = None,
    title: str = "",
) -> Cost:
    """What the gradient of a loss costs: counted, measured, and beside what it would cost otherwise.

    The model is called once, as in training; everything else is measured on what was recorded of that. Parameters,
    gradients and the optimizer's state are afterwards what they were.

    Args:
        model: ``model(*batch)`` is the loss, a tensor of one entry; or, with ``loss``, the prediction of all but the
            last part of the batch, and ``loss(prediction, target)`` the loss, as a `Trainer` has it.
        batch: inputs, and the target as the last.
        optimizer: counts and measures its update, too.
        threads: how many compiled code may use; by default all cores.
        title: what stands above it.

    Raises:
        ShapeError: the loss has not one entry. ArgumentError: it depends on nothing that requires a gradient.

    Example:
        >>> import glassgrad as gg
        >>> net, x, y = gg.nn.Linear(784, 10), gg.ones(64, 784), gg.zeros(64, dtype="int64")
        >>> found = gg.cost(net, x, y, loss=gg.nn.functional.cross_entropy)
        >>> found.entries, found.kinds[0].name, found.kinds[0].forward.operations
        (7850, 'affine', 1004160)
    """
    rules = [optimizer] if optimizer is not None else []
    with kept(rules), enable_grad(), record() as tape:
        said = model(*batch) if loss is None else loss(model(*batch[:-1]), batch[-1])
        if not isinstance(said, Tensor):
            fix = "return the loss, or give loss= to make one of the prediction and the target"
            raise TypeMismatch("the cost of a gradient is that of a loss", got=type(said).__name__, fix=fix)
        if said.numel() != 1:
            raise ShapeError(
                "a loss has one entry", got=str(said.node.spec), fix="give loss=, or reduce it, e.g. with .mean()"
            )
        found = [node for node in ancestors([said.node]) if node.op is None and node.requires_grad]
        cells = [node.cell() for node in found if node.cell is not None]
        parameters = [cell for cell in cells if cell is not None]
        if not parameters:
            fix = "call it with a model that has parameters, or x.requires_grad_()"
            raise ArgumentError("the loss depends on nothing that requires a gradient", fix=fix)
        gradients = grad(said, parameters)
        if optimizer is not None:
            optimizer.zero_grad()
            mine = {p for group in optimizer.param_groups for p in group["params"]}
            for p, g in zip(parameters, gradients, strict=True):
                if p in mine:
                    p.grad = g
            optimizer.step()
    return cost_of(tape, title or type(model).__name__ if isinstance(model, Module) else title, rules, threads)


def cost_of(
    tape: Tape, title: str = "", optimizers: Sequence[Optimizer] | None = None, threads: int | None = None
) -> Cost:
    """The `Cost` of the gradient that was recorded last on a tape.

    Args:
        optimizers: whose updates are measured; by default those that made a step on the tape.
    """
    rules = list(tape.optimizers.values()) if optimizers is None else list(optimizers)
    phases, kinds, modules = counted(tape)
    run = Measured(Forward(tape), rules, threads)
    del tape
    if run.pass_.own:
        own = ", ".join(run.pass_.own)
        run.notes.append(
            f"Operations of your own ({own}) are counted, but what is measured goes on from the results that they had: "
            "their forward passes take nothing here, and differences cannot be taken."
        )
    with kept(rules):
        code = compiled_of(run)
        eager, compiled = times(run, code)
        held = memory(run, code)
    loss = run.loss if code is None else code.loss
    by_differences = None if run.pass_.own else differences(run, loss, code is not None)
    return Cost(
        title, sum(p.numel() for p in run.parameters), len(run.parameters), sum(p.value.nbytes for p in run.parameters),
        phases["forward"], phases["backward"], phases["update"], kinds, modules,
        cores() if threads is None else threads, eager, compiled, held, by_differences,
        recomputation(run, code), tuple(run.notes),
    )  # fmt: skip
