"""Tensor: a cell that holds a Node. Operations make new cells; an in-place operation puts another Node into the cell.

Nothing ever writes into the memory of a Node. A view remembers the tensor it was taken of and how: writing in place
through it writes the base, and whoever reads a view of a base that has changed since sees the new value.
"""

from __future__ import annotations

import warnings
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .dispatch import CHANGES, STATE, GradMode, apply, leaf
from .errors import DtypeError, GradError, ShapeError, TypeMismatch, Where, here
from .graph import Node, Params
from .op import Op
from .ops.compare import cast
from .ops.shape import detach, replace, slice_scatter
from .printing import describe
from .spec import CATEGORY, CPU, Device, Dtype, Shape, default_dtype, is_float

if TYPE_CHECKING:
    from .methods import Methods  # functions become methods when they are declared: tools/stubs.py writes them out
else:
    Methods = object

Self = TypeVar("Self", bound="Tensor")


class Tensor(Methods):
    """A multi-dimensional array that knows where it came from.

    Made by `glassgrad.tensor` and its kin. Methods and operators have PyTorch's names and meaning.

    >>> import glassgrad as gg
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_base", "_grad", "_node", "_recipe", "_seen")

    _base: Tensor | None
    _grad: Tensor | None
    _node: Node
    _recipe: tuple[Op, Params]
    _seen: Node

    def __new__(cls, *data: Any, **_: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *data: Any) -> None:
        """``Tensor(2, 3)`` is an uninitialised tensor of that shape, ``Tensor([1, 2])`` one of these numbers."""
        if data and all(isinstance(size, int) for size in data):
            array = np.zeros(data, default_dtype())
        else:
            array = np.array(data[0] if data else [], default_dtype())
        _fill(self, leaf(array))

    @classmethod
    def _adopt(cls: type[Self], data: Tensor, requires_grad: bool) -> Self:
        """A new leaf of class ``cls`` with the value of ``data``."""
        made = object.__new__(cls)
        _fill(made, leaf(data.node.value))
        if requires_grad:
            made.requires_grad_()
        return made

    @property
    def node(self) -> Node:
        """The Node this cell holds now; for a view, taken again if its base was written since."""
        if self._base is not None:
            now = self._base.node
            if now is not self._seen:
                op, params = self._recipe
                self._node, self._seen = apply(op, (now,), params), now
        return self._node

    @property
    def value(self) -> Any:
        """The NumPy array behind the cell, not to be written to."""
        return self.node.value

    @property
    def shape(self) -> Shape:
        """The sizes along all dimensions."""
        return self.node.shape

    @property
    def dtype(self) -> Dtype:
        """The dtype, a NumPy one."""
        return self.node.dtype

    @property
    def ndim(self) -> int:
        """How many dimensions there are."""
        return len(self.node.shape)

    @property
    def device(self) -> Device:
        return CPU

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        node = self.node
        return node.op is None or not node.requires_grad

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Can be set on leaves."""
        return self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Have gradients computed for this tensor, or not any more. Returns the tensor itself."""
        node = self.node
        if requires_grad and not is_float(node.dtype):
            raise GradError(
                f"a gradient was asked for a tensor of dtype {node.dtype}; only floats have one",
                got=str(node.spec),
                fix="make it a float first, e.g. x.float().requires_grad_()",
            )
        if not self.is_leaf:
            if requires_grad:
                return self
            raise GradError(
                "requires_grad cannot be turned off on the result of a recorded operation",
                got=repr(node), fix="use detach() for a tensor that is cut off from its history",
            )  # fmt: skip
        if requires_grad != node.requires_grad:
            held = leaf(node.value, requires_grad)
            held.hooks, held.cell = node.hooks, weakref.ref(self)
            self._hold(held)
            self._base = None
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() has added up here, or None. Only leaves (and retain_grad() tensors) have one."""
        if STATE.tracer is not None:
            STATE.tracer.grad_read(self)
        if self._grad is None and not self.is_leaf:
            node = self.node
            if node.cell is None or node.cell() is not self:
                name = node.op.name if node.op is not None else "leaf"
                warnings.warn(
                    f"the .grad of a tensor that is not a leaf was read, and is None: {node.spec}, the result of "
                    f"{name} at {node.where}. Call retain_grad() on it before backward() to have its gradient kept.",
                    UserWarning,
                    stacklevel=2,
                )
        return self._grad

    @grad.setter
    def grad(self, new: Tensor | None) -> None:
        if new is not None:
            if not isinstance(new, Tensor):
                raise TypeMismatch("a gradient is a Tensor or None", got=type(new).__name__)
            if new.shape != self.shape or new.dtype != self.dtype:
                raise ShapeError(
                    "a gradient has the shape and dtype of its tensor",
                    got=f"gradient {new.node.spec} for tensor {self.node.spec}", fix="reshape or convert it first",
                )  # fmt: skip
        self._keep_grad(new)

    def _keep_grad(self, new: Tensor | None) -> None:
        """Set ``.grad``; the only place that does."""
        tracer = STATE.tracer
        if tracer is not None:
            tracer.grad_set(self)
        else:
            CHANGES.count += 1
        self._grad = new

    def _hold(self, node: Node) -> None:
        """Put another node into this cell; the only place that does, once the cell is made."""
        tracer = STATE.tracer
        if tracer is not None:
            tracer.rebound(self)
        else:
            CHANGES.count += 1
        self._node = node

    @property
    def grad_fn(self) -> Node | None:
        """The Node of the recorded operation that made this tensor; None for a leaf."""
        node = self.node
        return None if node.op is None or not node.requires_grad else node

    @property
    def data(self) -> Tensor:
        """The same value without its history. What is written through it in place is written here."""
        return self.detach()

    @data.setter
    def data(self, new: Tensor) -> None:
        held = leaf(new.node.value, self.requires_grad and self.is_leaf)
        held.hooks, held.cell = self.node.hooks, weakref.ref(self) if held.requires_grad else None
        self._hold(held)
        self._base = None

    def detach(self) -> Tensor:
        """The same value without its history; shares its value with this tensor, also when that is written in place."""
        return view(self, detach, {})

    def detach_(self: Self) -> Self:
        """Cut this tensor off from its history, in place."""
        if self._base is not None:
            raise GradError("a view cannot be detached in place", fix="use detach() instead")
        self._hold(leaf(self.node.value))
        return self

    def numpy(self, *, force: bool = False) -> Any:
        """The value as a NumPy array that can be read but not written (write to ``.numpy().copy()``)."""
        if self.requires_grad and not force:
            raise GradError(
                "numpy() of a tensor that requires a gradient would lose its history silently",
                got=repr(self.node), fix="say so with x.detach().numpy()",
            )  # fmt: skip
        array = np.asarray(self.value).view()
        array.flags.writeable = False
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array.astype(dtype) if dtype is not None else array.copy() if copy else array

    __array_priority__ = 1000.0

    def item(self) -> Any:
        """The one number of a tensor with one entry, as a Python number."""
        value = self.value
        if value.size != 1:
            raise GradError(
                f"item() is for a tensor of one entry; this one has {value.size}", got=str(self.node.spec),
                fix="index one entry, reduce it (e.g. .mean()), or use tolist()",
            )  # fmt: skip
        return value.item()

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        return np.asarray(self.value).tolist()

    def __bool__(self) -> bool:
        if self.value.size != 1:
            raise GradError(
                "the truth of a tensor with more than one entry (or none) is not defined",
                got=str(self.node.spec), fix="use .any() or .all()",
            )  # fmt: skip
        return bool(self.value.item())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return describe(self.node)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        if not self.is_leaf:
            raise GradError("only leaves can be deep-copied", got=repr(self.node), fix="detach() the tensor first")
        made = type(self)._adopt(self, self.requires_grad)
        memo[id(self)] = made
        made._grad = None if self._grad is None else self._grad.__deepcopy__(memo)
        return made

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GradError("only leaves can be pickled", got=repr(self.node), fix="detach() the tensor first")
        return _rebuild, (type(self), np.array(self.value), self.requires_grad)

    # -- writing in place -------------------------------------------------------------------------------------------

    def write(self: Self, new: Node) -> Self:
        """Put ``new`` into this cell, as every in-place operation does. Returns the tensor itself.

        ``new`` must have the cell's shape; it is converted to the cell's dtype. Writing to a leaf that requires a
        gradient while gradients are recorded is a GradError, as the leaf would be none any more.
        """
        old = self.node
        if new.shape != old.shape:
            raise ShapeError(
                "an in-place operation cannot change the shape",
                got=f"{new.spec} into {old.spec}", fix="use the form that makes a new tensor",
            )  # fmt: skip
        if new.dtype != old.dtype:
            if CATEGORY[new.dtype] > CATEGORY[old.dtype]:
                raise DtypeError(
                    f"the result is {new.dtype} and cannot be kept in place in a tensor of {old.dtype}",
                    got=f"{new.spec} into {old.spec}", fix="use the form that makes a new tensor, or convert first",
                )  # fmt: skip
            new = cast(new, dtype=old.dtype)
        _check_history(self, old)
        if old.requires_grad and STATE.grad and not new.requires_grad:
            # nothing of the old value is left, yet the tensor stays in the graph: zeros go back, as in PyTorch
            new = slice_scatter(old, new, cuts=tuple((0, size, 1) for size in old.shape))
        if self._base is None:
            self._put(new)
            return self
        op, params = self._recipe
        assert op.write is not None
        if op is not detach:
            self._base.write(op.write(self._base.node, new, **params))
            return self
        with GradMode(False):
            self._base.write(detach(new))
        if new.requires_grad:  # the base keeps its own history, so from here on the two go separate ways
            self._hold(new)
            self._base = None
        return self

    def rebind(self, array: Any, where: Where | None) -> None:
        """`write` without a record and without checks: ``array`` has this cell's shape and dtype and is nobody else's.

        ``where`` is the line to be named when backward still needs the old value.
        """
        old = self._node
        if self._base is not None or (old.op is not None and old.requires_grad):
            self.write(leaf(array))
            return
        new = Node(None, (), {}, array, old.requires_grad, None)
        new.hooks, new.cell = old.hooks, old.cell
        self._hold(new)
        _overwrite(old, where)

    def _put(self, new: Node) -> None:
        """Rebind the cell. A leaf stays a leaf; what backward still needs of the old value is marked as overwritten."""
        old = self._node
        if old.op is None and old.requires_grad:
            new = leaf(new.value, True)
            new.hooks, new.cell = old.hooks, old.cell
        elif old.requires_grad and not STATE.grad:
            with GradMode(True):
                new = replace(old, new)
        if isinstance(new.value, np.ndarray) and not new.value.flags.c_contiguous:
            new.value = np.ascontiguousarray(new.value)  # entries stay in order, so that any reshape is a view
        self._hold(new)
        _overwrite(old, here(2))


def _overwrite(old: Node, where: Where | None) -> None:
    if STATE.tracer is not None:
        STATE.tracer.overwritten(old)
    old.overwrite(where)


def _check_history(cell: Tensor, old: Node) -> None:
    """Refuse a write after which a leaf would be none any more."""
    root, cut = cell, not STATE.grad
    while root._base is not None:
        cut = cut or root._recipe[0] is detach
        root = root._base
    held = root._node
    if held.op is None and held.requires_grad and not cut:
        raise GradError(
            "an in-place operation on a leaf that requires a gradient: it would be no leaf any more",
            got=str(old.spec), fix="do it inside `with no_grad():`, or make a new tensor",
        )  # fmt: skip


def _fill(cell: Tensor, node: Node) -> None:
    cell._node, cell._base, cell._grad = node, None, None


def wrap(node: Node) -> Tensor:
    """A new cell for ``node``."""
    made: Tensor = object.__new__(Tensor)
    made._node = node
    made._base = None
    made._grad = None
    return made


def view(base: Tensor, op: Op, params: Params) -> Tensor:
    """``op`` of ``base`` as a view: written in place, it writes the base."""
    seen = base.node
    made = wrap(apply(op, (seen,), params))
    made._base, made._recipe, made._seen = base, (op, params), seen
    return made


def _rebuild(kind: type[Tensor], array: Any, requires_grad: bool) -> Tensor:
    return kind._adopt(wrap(leaf(array)), requires_grad)
