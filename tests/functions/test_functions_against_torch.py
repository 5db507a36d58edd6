"""Every public function beside torch: values, dtypes and gradients, as a function, as a method and in place."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.functions import samples_shape  # noqa: F401  (adds its calls)
from tests.functions.samples import CALLS, TENSORS

import glassgrad as gg
from glassgrad.functions import FUNCTIONS
from glassgrad.tensor import Tensor

# Public functions that torch has not, or that draw random numbers or memory, and where they are tested.
ELSEWHERE = {
    **dict.fromkeys(("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"), "test_random"),
    **dict.fromkeys(("bernoulli", "normal", "multinomial", "manual_seed", "seed", "initial_seed"), "test_random"),
    **dict.fromkeys(("get_rng_state", "set_rng_state"), "test_random"),
    **dict.fromkeys(("empty", "empty_like", "from_numpy"), "test_creation: torch's memory is not initialised"),
    **dict.fromkeys(("affine", "conv", "conv_transpose", "max_pool_index", "softplus"), "ops, and tests/nn"),
    **dict.fromkeys(("view", "expand", "nelement"), "methods alone in torch: test_methods"),
}
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
# Methods whose first argument is not the function's.
OTHER_ORDER = {"where": "x.where(condition, other): the tensor is the first value, not the condition"}
# In-place methods that are compared without a gradient.
NO_GRADIENT_IN_PLACE = {
    **dict.fromkeys(("asinh", "acosh", "atanh", "arcsinh", "arccosh", "arctanh"), "torch: not implemented"),
    **dict.fromkeys(
        ("logical_and", "logical_or", "logical_xor", "logical_not"), "torch lets the old value's gradient through"
    ),
}
# These change the shape of a tensor in place.
MISSING_IN_PLACE = {"t", "transpose", "swapaxes", "swapdims", "squeeze", "unsqueeze"}
FULL = [pytest.param(call, id=f"{name}-{n}") for name, calls in sorted(CALLS.items()) for n, call in enumerate(calls)]


def name_of(call):
    return call.__defaults__[0] if call.__defaults__ else call.__code__.co_names[0]


IN_PLACE = {name for name in CALLS if hasattr(torch.Tensor, f"{name}_") and hasattr(Tensor, f"{name}_")}


def test_in_place_methods_are_those_of_torch():
    """Every in-place method that torch has for a public function is there, or is named here."""
    theirs = {name for name in FUNCTIONS if hasattr(torch.Tensor, f"{name}_")}
    assert {name for name in theirs if not hasattr(Tensor, f"{name}_")} == MISSING_IN_PLACE
    assert len(IN_PLACE) > 80


def test_every_function_has_a_call():
    assert set(CALLS) | set(ELSEWHERE) >= set(FUNCTIONS), sorted(set(FUNCTIONS) - set(CALLS) - set(ELSEWHERE))
    assert set(CALLS) <= set(FUNCTIONS), sorted(set(CALLS) - set(FUNCTIONS))


def test_every_method_is_tried():
    """Methods that are no functions are called in some test beside torch, or are glassgrad's own."""
    own = {"node", "value", "write", "rebind"}
    folder = Path(__file__).parents[1]
    text = "".join(file.read_text() for part in ("functions", "autograd") for file in (folder / part).glob("*.py"))
    functions = set(FUNCTIONS) | {f"{name}_" for name in FUNCTIONS}
    names = {name for name in dir(Tensor) if not name.startswith("_")} - own - functions
    assert not {name for name in names if not re.search(rf"\.{name}\b", text)}


class ByMethod:
    """A library whose functions are called as methods of their first argument."""

    def __init__(self, module, kind, suffix=""):
        self.module, self.kind, self.suffix, self.written = module, kind, suffix, []

    def __getattr__(self, name):
        def called(first, *rest, **named):
            if not isinstance(first, self.kind) or not hasattr(first, name + self.suffix) or name in OTHER_ORDER:
                return getattr(self.module, name)(first, *rest, **named)
            if self.suffix:
                first = first.clone()
            made = getattr(first, name + self.suffix)(*rest, **named)
            if self.suffix:
                assert made is first
                self.written.append(name)
            return made

        if isinstance(getattr(self.module, name, None), (np.dtype, torch.dtype)):
            return getattr(self.module, name)
        return called


def prepared(call, dtype, gradients=True):
    names = getattr(call, "tensors", None) or [
        name for name, p in inspect.signature(call).parameters.items() if name != "m" and p.default is p.empty
    ]
    arrays = [TENSORS[name] for name in names]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    ours = [gg.tensor(a, requires_grad=gradients and a.dtype.kind == "f") for a in arrays]
    theirs = [torch.tensor(a, requires_grad=gradients and a.dtype.kind == "f") for a in arrays]
    return ours, theirs


def parts(result, kind):
    return [result] if isinstance(result, kind) or not isinstance(result, (tuple, list)) else list(result)


def compare(call, dtype, ours_module, theirs_module, gradients=True):
    ours, theirs = prepared(call, dtype, gradients)
    expected = parts(call(theirs_module, *theirs), torch.Tensor)
    found = parts(call(ours_module, *ours), Tensor)
    assert len(found) == len(expected)
    rtol = TOLERANCE[dtype]
    total, torch_total = None, None
    for at, (x, y) in enumerate(zip(found, expected, strict=True)):
        if not isinstance(y, torch.Tensor):
            assert str(x) == str(y).removeprefix("torch."), f"result {at}"
            continue
        assert x.shape == tuple(y.shape)
        assert str(x.dtype) == str(y.dtype).removeprefix("torch.")
        assert x.requires_grad == y.requires_grad
        close = max(rtol, TOLERANCE.get(str(x.dtype), 0))
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), close, close, err_msg=f"result {at}")
        if y.requires_grad:
            weight = np.random.default_rng(at).uniform(0.5, 1.5, x.shape).astype(str(x.dtype))
            weight[~np.isfinite(y.detach().numpy())] = 0
            total = (x * gg.tensor(weight)).sum() + (0 if total is None else total)
            torch_total = (y * torch.tensor(weight)).sum() + (0 if torch_total is None else torch_total)
    if total is None:
        return
    total.backward()
    torch_total.backward()
    for at, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        if x.grad is not None and y.grad is not None:
            theirs_grad = y.grad.numpy(force=True)
            np.testing.assert_allclose(x.grad.numpy(), theirs_grad, rtol, rtol, err_msg=f"gradient {at}")
        else:  # where no gradient comes, one of the two may give zeros
            assert all(g is None or not g.any() for g in (x.grad, y.grad))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("call", FULL)
def test_function(call, dtype):
    compare(call, dtype, gg, torch)


# Results of a last step that only turns dimensions: here a view, in torch sometimes a copy.
BY_COLUMNS = {"argwhere", "nonzero", "where", "quantile", "diag_embed", "einsum"}


@pytest.mark.parametrize("call", [p for p in FULL if name_of(p.values[0]) not in BY_COLUMNS])
def test_entries_lie_in_order_where_torchs_do(call):
    """Only then is a reshape of the result a view of it."""
    ours, theirs = prepared(call, "float64", gradients=False)
    found, expected = parts(call(gg, *ours), Tensor), parts(call(torch, *theirs), torch.Tensor)
    for x, y in zip(found, expected, strict=True):
        if isinstance(y, torch.Tensor):
            assert x.is_contiguous() or not y.is_contiguous()


@pytest.mark.parametrize("call", FULL)
def test_method(call):
    compare(call, "float64", ByMethod(gg, Tensor), ByMethod(torch, torch.Tensor))


@pytest.mark.parametrize("call", [p for p in FULL if name_of(p.values[0]) in IN_PLACE])
def test_in_place(call):
    name = name_of(call)
    gradients = name not in NO_GRADIENT_IN_PLACE
    theirs, ours = ByMethod(torch, torch.Tensor, "_"), ByMethod(gg, Tensor, "_")
    try:
        call(theirs, *prepared(call, "float64", gradients)[1])
    except NotImplementedError:
        return
    except RuntimeError:  # a result of another dtype or shape cannot be kept in place: nor may it here
        with pytest.raises(RuntimeError):
            call(ours, *prepared(call, "float64", gradients)[0])
        return
    compare(call, "float64", ours, theirs, gradients)
    assert name not in theirs.written or name in ours.written
