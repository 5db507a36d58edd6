"""Tensors from data, arrays and tensors: what is copied, what is shared, which dtype it gets; copying and pickling."""

import copy
import pickle

import numpy as np
import pytest
import torch
from tests.beside import beside_torch, refused

import glassgrad as gg

DATA = {
    "int": 3, "float": 2.5, "bool": True, "empty": [], "ints": [1, 2], "mixed": [1, 2.5], "bools": [True, False],
    "nested": [[1, 2], [3, 4]], "tuple": (1.0, 2.0), "float64 array": np.ones(2),
    "float32 array": np.ones(2, np.float32),
    "int32 array": np.ones(2, np.int32), "bool array": np.ones(2, bool), "numpy number": np.float32(2), "big": 2**40,
    "array in a list": [np.float64(1), np.float64(2)], "0-d": np.array(5),
    "bool and int": [True, 2], "empty rows": [[], []],
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("dtype", [None, "float32", "float64", "int64", "bool"])
def test_values_and_dtypes(name, dtype):
    for function in ("tensor", "as_tensor", "asarray"):
        if (name == "rows of arrays" and function != "asarray") or (
            name == "numpy number" and dtype in ("int64", "bool")
        ):
            continue  # torch warns that the one is slow, and refuses the other
        theirs = getattr(torch, function)(DATA[name], dtype=dtype and getattr(torch, dtype))
        ours = getattr(gg, function)(DATA[name], dtype=dtype and getattr(gg, dtype))
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        assert ours.shape == tuple(theirs.shape) and ours.tolist() == theirs.tolist()


@beside_torch
def test_what_is_copied(m):
    array, x = np.arange(3.0), m.arange(3.0)
    made, shared = m.tensor(array), m.as_tensor(array)
    array[0] = 100
    return made, shared, m.as_tensor(x) is x, m.as_tensor(x, dtype=m.float64) is x, m.tensor(x.tolist()) is x


@beside_torch
def test_tensors_in_lists(m):
    return m.tensor([m.tensor(1.0), m.tensor(2.0)]), m.tensor([[m.tensor(1), 2], [3, 4]])


@beside_torch
def test_like_and_new(m):
    x = m.ones(2, 3, dtype=m.float64)
    return [
        m.zeros_like(x), m.ones_like(x, dtype=m.int64), m.full_like(x, 7), x.new_zeros(2), x.new_ones((2, 2)),
        x.new_full((2,), 3), x.new_tensor([1, 2]), m.empty_like(x).shape, x.new_empty(3, 1).shape,
        m.zeros_like(x, requires_grad=True), m.full((2, 2), 1.5), m.full((), 3),
    ]  # fmt: skip


@beside_torch
def test_ranges(m):
    return [
        m.arange(0), m.arange(3.0), m.arange(2, 8, 3), m.arange(1, 0, -0.25), m.arange(0, 1, 0.3),
        m.arange(5, dtype=m.float32),
        m.linspace(0, 1, 5), m.linspace(3, -3, 4, dtype=m.float64), m.linspace(0, 1, 0), m.logspace(-1, 1, 3), m.eye(0),
        refused(lambda: m.arange(3, 0), RuntimeError, ValueError),
        refused(lambda: m.arange(0, 3, 0), RuntimeError, ValueError),
        refused(lambda: m.zeros(-1), RuntimeError), refused(lambda: m.zeros(2.5), TypeError),
    ]  # fmt: skip


@beside_torch
def test_conversions(m):
    x = m.tensor([1.7, -1.7, 0.0])
    y = m.tensor([2, 0])
    return [
        x.long(), x.int(), x.bool(), x.double(), y.float(), y.bool(), x.to(m.float64), x.to(m.int64), x.to(y),
        y.to(x.dtype), x.type(m.float64), x.type_as(y), x.to("cpu"), x.to(m.float64).dtype == m.float64,
        x.to(x.dtype) is x, x.float() is x,
        x.to("cpu", m.float64), x.to(device="cpu", dtype=m.int64), x.cpu() is x, x.contiguous() is x,
        x.to(m.float32, copy=True) is x,
    ]  # fmt: skip


@beside_torch
def test_python_numbers(m):
    x, y = m.tensor(2.5), m.tensor([[3]])
    return [
        x.item(), y.item(), float(x), int(x), int(y), bool(x), bool(m.tensor(0)), x.tolist(), y.tolist(), len(y),
        refused(lambda: m.ones(2).item(), RuntimeError, ValueError), refused(lambda: bool(m.ones(2)), RuntimeError),
        refused(lambda: float(m.ones(2)), RuntimeError, TypeError, ValueError), [1, 2, 3][m.tensor(2)],
        refused(lambda: [1, 2][m.tensor(0.5)], TypeError), range(m.tensor(3)) == range(3),
    ]  # fmt: skip


@beside_torch
def test_facts(m):
    x = m.ones(2, 3, dtype=m.float64)
    return [
        x.ndim, x.dim(), x.ndimension(), x.numel(), x.nelement(), x.element_size(), x.itemsize, x.nbytes, x.size(1),
        tuple(x.size()), tuple(x.shape), x.is_floating_point(), x.is_complex(), x.is_contiguous(),
        x.t().is_contiguous(),
        x.is_cuda, x.is_cpu, x.is_mps, x.is_sparse, x.is_quantized, x.output_nr, x.real, x.mH, x.get_device(),
        x.is_same_size(x), x.is_leaf, x.requires_grad, x.grad is None, x.grad_fn is None,
        str(x.device), x.T, x.mT, x.H, hash(x) == hash(x), x is x.requires_grad_(), x.sum_to_size(1, 3),
        x.sum_to_size(3),
    ]  # fmt: skip


@beside_torch
def test_detach_in_place(m):
    x = m.ones(2, requires_grad=True)
    y = x * 2
    z = y.sum()
    y.detach_()
    z.backward()
    return x.grad, y.requires_grad, y.is_leaf, refused((x * 2)[:1].detach_)


@beside_torch
def test_what_scripts_ask_first(m):
    device = m.device("cuda" if m.cuda.is_available() else "cpu")
    m.cuda.manual_seed_all(0)
    x = m.ones(2, device=device)
    return [
        str(device), device.type, device.index, x.device.type, x.device == device, isinstance(x.device, m.device),
        m.cuda.device_count(), m.ones(2).to(device), m.finfo(m.float32).eps, m.iinfo(m.int64).max,
    ]  # fmt: skip


@beside_torch
def test_linalg(m):
    x, s = m.arange(6, dtype=m.float64).reshape(2, 3), m.arange(9, dtype=m.float64).reshape(3, 3)
    f = m.linalg
    return [
        f.norm(x), f.norm(x, dim=1), f.norm(x, 1, dim=0), f.norm(x[0], 3), f.vector_norm(x, 3, dim=1, keepdim=True),
        f.norm(x, "fro"), f.norm(x, dim=(0, 1)), f.matmul(x, s), f.multi_dot([x, s, s]), f.diagonal(s),
        f.diagonal(s, offset=1), f.matrix_power(s, 3), f.cross(s, s + x[1]),
    ]  # fmt: skip


def test_names_of_numpy():
    x = gg.ones(2)
    assert x.astype(gg.int64).dtype == gg.int64 and x.astype("float32") is x


@beside_torch
def test_methods_that_are_not_functions(m):
    x = m.arange(6, dtype=m.float64).reshape(2, 3)
    return [
        x.view(3, 2), x.view(-1), x.view((6, 1)), x.view_as(x.t()), x.reshape_as(x.view(6)), x.expand_as(m.ones(4, 2,
        3)),
        x.expand(4, -1, 3), x.repeat(2, 1), x.repeat(2, 2, 2), x.unfold(1, 2, 1).clone(), x.unfold(0, 1, 2).clone(),
        x.where(x > 2, 0.0),
        x.where(x > 2, x * 2), x.fill_(3).clone(), x.zero_(), m.ones(3).copy_(m.tensor([1, 2, 3])),
        x.softmax(-1), x.permute(1, 0), x.flip(0, 1), x.nonzero(),
    ]  # fmt: skip


@beside_torch
def test_copies(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y, z = copy.deepcopy(x), copy.copy(x.detach())
    with m.no_grad():
        y += 1
    w = pickle.loads(pickle.dumps(x))
    return x, y, y.grad, y.grad is x.grad, z, w, w.is_leaf, refused(lambda: copy.deepcopy(x * 2))


def test_numpy_functions_take_tensors():
    x = gg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.asarray(x).dtype == np.float32
    assert np.array(x, dtype=np.float64).tolist() == x.tolist()
    assert np.sum(x.numpy()) == 10
    assert (np.ones(2, np.float32) * x).tolist() == x.tolist()  # an array on the left: the tensor's operator is asked
    assert isinstance(np.float32(2) * x, gg.Tensor)


def test_a_warning_where_numpy_would_give_one_is_no_warning_here():
    assert gg.tensor(1e300).item() == float("inf")
    assert (gg.tensor([1.0, 0.0]) / 0).tolist()[0] == float("inf")
    assert gg.tensor([1e30]).exp().item() == float("inf")
    assert np.isnan((gg.tensor([0.0]) / 0).item())
    assert gg.full((1,), 1e300).item() == float("inf")
    assert (gg.ones(1) * 1e300).item() == float("inf")
    assert gg.tensor([-1.0]).log().isnan().all()
    assert gg.tensor([float("nan"), 1e20]).long().shape == (2,)
