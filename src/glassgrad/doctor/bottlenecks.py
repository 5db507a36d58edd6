"""What a net cannot know of its inputs: what goes through too few numbers, and the order of what comes in any order."""

from __future__ import annotations

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad
from ..explain.tape import Tape
from ..findings import Place
from ..graph import Node
from ..spec import numel
from ..tensor import Tensor
from .layers import Layer
from .noise import rows_of
from .patient import Batch, Patient, drawing
from .probe import FAILURES, Probe

FEW, WIDER = 2, 4
"""So few numbers for a row are a bottleneck where the row has so many times more."""
LONG = 3
"""Places of a sequence of which there are enough to be in another order."""


def bottleneck(probe: Probe, layers: list[Layer]) -> tuple[Place, float] | None:
    """The first value with next to no numbers for a row, through which all has to go that the last layer is given of
    the inputs; and how many they are."""
    tape, batch = probe.tape, probe.patient.batches[0]
    rows = rows_of(batch)
    given = [each for each in batch[:-1] if isinstance(each, Tensor)]
    if not rows or len(layers) < 2 or sum(each.numel() for each in given) < WIDER * FEW * rows:
        return None
    values = {id(each.node.value) for each in given}
    leaves = {node for node in tape.records if tape.is_leaf(node) and id(tape.value(node)) in values}
    last = layers[-1].site.node
    inside = tape.leading_to([last])
    for site in probe.sites:
        node = site.node
        thin = rows <= numel(node.shape) <= FEW * rows and node.shape[:1] == (rows,)
        if not thin or node not in inside or node is last or not leaves & set(tape.leading_to([node])):
            continue
        if leaves and not _reaches(tape, last, leaves, without=node) and np.any(np.ptp(site.value, axis=0) > 0):
            return site.place, numel(node.shape) / rows
    return None


def _reaches(tape: Tape, end: Node, leaves: set[Node], without: Node) -> bool:
    """Whether a value hangs on one of these leaves by a way that does not go through a node."""
    stack, seen = [end], {end, without}
    while stack:
        node = stack.pop()
        if node in leaves:
            return True
        new = [each for each in (() if tape.is_leaf(node) else tape.inputs(node)) if each not in seen]
        seen.update(new)
        stack.extend(new)
    return False


def order_is_lost(one: Patient) -> bool:
    """Whether a net says the same of a sequence whose places are in another order, or the same in that order."""
    batch, other = one.batches[0], one.copy()
    x = batch[0]
    if not isinstance(x, Tensor) or x.ndim != (2 if x.dtype.kind in "iu" else 3) or x.shape[1] < LONG:
        return False
    turned = np.random.default_rng(0).permutation(x.shape[1])
    if np.array_equal(x.numpy()[:, turned], x.numpy()):
        return False
    other.model.eval()
    moved = fn.tensor(np.ascontiguousarray(x.detach().numpy()[:, turned]))
    try:
        with no_grad(), drawing(one.seed):
            plain, after = (other.predict(Batch.like(batch, (each, *batch[1:]))) for each in (x, moved))
    except FAILURES:
        return False
    if not isinstance(plain, Tensor) or plain.ndim < 1 or plain.shape != after.shape:
        return False
    a, b = plain.numpy(), after.numpy()
    same = [a, *(np.take(a, turned, axis) for axis in range(1, a.ndim) if a.shape[axis] == len(turned))]
    size = 1e-4 * float(np.abs(a).max(initial=0))
    return bool(np.ptp(a) > 0) and any(np.allclose(each, b, rtol=1e-3, atol=size) for each in same)
