"""Errors that a user can act on: what was asked, the shapes and dtypes, the user's own line, the way out."""

import functools
import linecache
import re
import sys

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import GlassgradError

x23 = gg.ones(2, 3)
x4 = gg.ones(4)
i3 = gg.tensor([0, 1, 2])
d3 = gg.ones(3, dtype=gg.float64)
f3 = gg.ones(3)
w3 = gg.ones(3, requires_grad=True)


def freed():
    y = (w3 * w3).sum()
    y.backward()
    y.backward()


def overwritten():
    x = w3 * 2
    y = x * x
    x += 1
    y.sum().backward()


def overwritten_result():
    y = w3.exp()
    z = y * 1
    y.data.zero_()
    z.sum().backward()


def written_leaf():
    w = gg.ones(3, requires_grad=True)
    w += 1


def load(state):
    gg.nn.Linear(2, 3).load_state_dict(state)


def named(name):
    return getattr(gg, name)


# name: (call, the built-in type torch raises too, words that must be in the message in this order)
ERRORS = {
    "broadcast": (lambda: x23 + x4, RuntimeError, ["do not broadcast", "-1", "3 and 4", "[2, 3] and [4]", "fix:"]),
    "matmul": (
        lambda: x23 @ x4.reshape(4, 1), RuntimeError,
        ["inner sizes 3 and 4", "float32[2, 3] @ float32[4, 1]", ".mT"],
    ),
    "matmul batches": (
        lambda: gg.ones(2, 2, 3) @ gg.ones(3, 3, 2), RuntimeError, ["do not broadcast", "[2] and [3]", "fix:"],
    ),
    "matmul of a number": (lambda: gg.tensor(1.0) @ x4, RuntimeError, ["needs dimensions", "float32[]", "use *"]),
    "linear": (
        lambda: gg.nn.functional.linear(x23, gg.ones(5, 4)), RuntimeError,
        ["last dimension", "(2, 3)", "(5, 4)", "3 input features"],
    ),
    "reshape": (
        lambda: x23.reshape(4, 2), RuntimeError,
        ["cannot reshape to [4, 2]", "8 entries", "6", "float32[2, 3]", "-1"],
    ),
    "reshape -1": (lambda: x23.reshape(4, -1), RuntimeError, ["[4, -1]", "6 entries do not divide by 4", "fix:"]),
    "expand": (lambda: x23.expand(4, 3), RuntimeError, ["cannot expand to [4, 3]", "float32[2, 3]", "unsqueeze"]),
    "cat": (
        lambda: gg.cat([x23, gg.ones(2, 4)]), RuntimeError,
        ["tensor 1 does not fit tensor 0", "float32[2, 4]", "fix:"],
    ),
    "stack": (lambda: gg.stack([f3, x4]), RuntimeError, ["one shape", "[3] and [4]", "cat"]),
    "permute": (
        lambda: x23.permute(0, 0), (RuntimeError, ValueError),
        ["every dimension once", "[0, 0]", "[2, 3]", "fix:"],
    ),
    "conv": (
        lambda: gg.nn.functional.conv2d(gg.ones(1, 3, 8, 8), gg.ones(4, 2, 3, 3)), RuntimeError,
        ["2 channels", "(1, 3, 8, 8)", "(4, 2, 3, 3)"],
    ),
    "split": (lambda: x4.split([1, 2]), RuntimeError, ["[1, 2]", "add up to 4"]),
    "float32 and float64 product": (
        lambda: gg.ones(2, 3) @ gg.ones(3, 2, dtype=gg.float64), RuntimeError,
        ["one dtype, not float32 and float64", "float32[2, 3]", "float64[3, 2]", "x.to(", "NumPy are float64"],
    ),
    "float32 and float64 linear": (
        lambda: gg.nn.functional.linear(gg.tensor(np.ones((2, 3))), gg.ones(5, 3)), RuntimeError,
        ["one dtype, not float64 and float32", "float64[2, 3]", "float32[5, 3]", "fix:"],
    ),
    "float32 and float64 convolution": (
        lambda: gg.nn.functional.conv1d(gg.ones(1, 2, 5, dtype=gg.float64), gg.ones(1, 2, 3)), RuntimeError,
        ["one dtype, not float64 and float32", "float64[1, 2, 5]", "float32[1, 2, 3]", "fix:"],
    ),
    "integer product": (lambda: i3 @ f3, RuntimeError, ["one dtype, not int64 and float32", "fix:"]),
    "integer gradient": (
        lambda: gg.tensor([1, 2], requires_grad=True), RuntimeError,
        ["dtype int64", "only floats", "int64[2]", ".float()"],
    ),
    "integer mean": (i3.mean, RuntimeError, ["must be a float tensor, not int64", "int64[3]", ".float()"]),
    "bits of floats": (
        lambda: f3 & f3, RuntimeError,
        ["bitwise_and is not defined for float32", "float32[3]", ".to(dtype)"],
    ),
    "difference of booleans": (
        lambda: (f3 > 0) - (f3 > 1), RuntimeError, ["sub is not defined for bool", "bool[3]", ".to(dtype)"],
    ),
    "unknown dtype": (lambda: gg.tensor(np.ones(2, np.float16)), RuntimeError, ["float16", "float32", "astype"]),
    "float index": (lambda: x4[f3], (IndexError, RuntimeError), ["integer tensor, not float32", ".long()"]),
    "floats in place of integers": (
        lambda: i3.clone().add_(1.5), RuntimeError, ["float32", "in place in a tensor of int64", "fix:"],
    ),
    "division of integers by zero": (lambda: i3 // 0, (RuntimeError, ZeroDivisionError), ["by zero", ".float()"]),
    "index": (lambda: x23[2], IndexError, ["index 2 is out of range", "dimension 0 of size 2", "-2 to 1"]),
    "second index": (lambda: x23[0, -4], IndexError, ["index -4", "dimension 1 of size 3", "-3 to 2"]),
    "too many indices": (lambda: x23[0, 0, 0], IndexError, ["3", "2 dimensions"]),
    "index tensor": (lambda: x4[gg.tensor([0, 9])], IndexError, ["index 9", "size 4", "int64[2]", "-4 to 3"]),
    "mask": (lambda: x4[gg.tensor([True, False])], IndexError, ["mask of shape [2]", "[4]", "fix:"]),
    "gather": (lambda: x23.gather(1, gg.tensor([[3]])), (IndexError, RuntimeError), ["index 3", "size 3", "0 to 2"]),
    "gather shape": (
        lambda: x23.gather(1, i3), RuntimeError,
        ["as many dimensions", "float32[2, 3]", "int64[3]", "fix:"],
    ),
    "embedding": (
        lambda: gg.nn.functional.embedding(gg.tensor([7]), gg.ones(5, 2)), IndexError, ["7", "5"],
    ),
    "dimension": (lambda: x23.sum(2), IndexError, ["dim=2", "2 dimensions", "-2 to 1"]),
    "dimension twice": (lambda: x23.sum((0, 0)), (RuntimeError, ValueError), ["twice", "(0, 0)"]),
    "largest of nothing": (gg.ones(0).max, (IndexError, RuntimeError), ["no entries", "float32[0]"]),
    "unknown key": (lambda: load({"weight": gg.ones(3, 2), "bios": gg.ones(3)}), RuntimeError, ["bios"]),
    "unknown name": (lambda: named("sofmax"), (AttributeError, NotImplementedError), ["sofmax", "softmax"]),
    "unknown method": (lambda: f3.sofmax(0), (AttributeError, NotImplementedError), ["Tensor.sofmax", "softmax"]),
    "no GPU": (lambda: f3.cuda(0), (AttributeError, NotImplementedError), ["cuda", "CPU"]),
    "no device": (lambda: gg.ones(2, device="cuda"), (AttributeError, NotImplementedError), ["'cuda'", "CPU"]),
    "backward of many": (
        (w3 * 2).backward, RuntimeError, ["3 numbers at once", "mul float32[3]", ".sum()", "gradient="],
    ),
    "backward without a graph": (
        lambda: f3.sum().backward(), RuntimeError,
        ["no graph", "float32[]", "requires_grad=True"],
    ),
    "backward twice": (freed, RuntimeError, ["a second time", "float32[", "made at", "retain_graph=True"]),
    "overwritten": (
        overwritten, RuntimeError, ["gradient of mul needs a value that was changed in place", "changed at", "clone()"],
    ),
    "leaf in place": (written_leaf, RuntimeError, ["leaf that requires a gradient", "float32[3]", "no_grad"]),
    "unrecorded write": (overwritten_result, RuntimeError, ["gradient of exp needs a value", "changed at", "clone()"]),
    "cotangent shape": (
        lambda: (w3 * 2).backward(x4), RuntimeError,
        ["shape of its tensor", "float32[4] for float32[3]"],
    ),
    "cotangent dtype": (
        lambda: (w3 * 2).backward(d3), RuntimeError,
        ["dtype of its tensor", "float64[3] for float32[3]"],
    ),
    "unused input": (
        lambda: gg.autograd.grad(w3.sum(), gg.ones(2, requires_grad=True)), RuntimeError,
        ["input 0 is not used", "float32[2]", "allow_unused=True"],
    ),
    "gradient of another shape": (lambda: setattr(w3, "grad", x4), RuntimeError, ["float32[4] for tensor float32[3]"]),
    "numpy of a graph": (w3.numpy, RuntimeError, ["requires a gradient", "x.detach().numpy()"]),
    "requires_grad off": (lambda: (w3 * 2).requires_grad_(False), RuntimeError, ["cannot be turned off", "detach()"]),
    "item": (f3.item, (RuntimeError, ValueError), ["one entry", "3", "float32[3]", ".mean()"]),
    "truth": (lambda: bool(f3), (RuntimeError, ValueError), ["truth", "float32[3]", ".any() or .all()"]),
    "not a tensor": (lambda: gg.matmul([1.0], f3), TypeError, ["input must be a Tensor, not list", "glassgrad.tensor"]),
    "not a number": (lambda: f3 + "1", TypeError, []),
    "rows of different length": (
        lambda: gg.tensor([[1.0], [1.0, 2.0]]), (RuntimeError, ValueError),
        ["nested lists", "rows"],
    ),
    "text": (lambda: gg.tensor("text"), TypeError, ["str", "text"]),
    "step of a slice": (lambda: x4[::-1], ValueError, ["positive", "flip()"]),
    "write through expand": (
        lambda: x4.expand(2, 4).add_(1), (RuntimeError, ValueError),
        ["expanded", "[4]", "clone()"],
    ),
    "write of another shape": (
        lambda: f3.clone().add_(x23), RuntimeError,
        ["change the shape", "float32[2, 3] into float32[3]"],
    ),
    "clamp": (f3.clamp, (RuntimeError, ValueError), ["min, max or both"]),
    "einsum": (lambda: gg.einsum("ij,jk->ik", x23, x4), RuntimeError, ["'jk'", "float32[4]"]),
    "multinomial": (lambda: gg.tensor([0.0, 0.0]).multinomial(1), (RuntimeError, ValueError), ["not all 0"]),
    "arange": (lambda: gg.arange(3, 0), (RuntimeError, ValueError), ["step", "start 3, end 0, step 1"]),
    "random integers": (
        lambda: gg.randint(3, 3, (2,)), (RuntimeError, ValueError),
        ["high must be above low", "low 3"],
    ),
    "random floats of integers": (lambda: gg.rand(2, dtype=gg.int64), RuntimeError, ["floats, not int64", "randint"]),
    "copy of a result": (lambda: (w3 * 2).__deepcopy__({}), RuntimeError, ["leaves", "detach()"]),}  # fmt: skip
# Python's own errors, where no code of glassgrad's is asked.
PYTHONS = {"not a number"}


@pytest.mark.parametrize("name", ERRORS)
def test_message(name):
    call, kinds, words = ERRORS[name]
    with pytest.raises(kinds) as caught:
        call()
    if name in PYTHONS:
        return
    error, message = caught.value, str(caught.value)
    assert isinstance(error, GlassgradError)
    at = 0
    for word in words:
        assert word in message[at:], f"{word!r} is missing after {message[:at]!r} in\n{message}"
        at = message.index(word, at) + len(word) if word != "fix:" else at
    assert "glassgrad/src" not in message and "site-packages" not in message
    place = re.search(r"line: (.*):(\d+) in (.+)", message)
    assert place, f"no line in\n{message}"
    assert place[1] == __file__
    assert linecache.getline(__file__, int(place[2])).strip(), message
    assert place[3] in ("<lambda>", "test_message", "load", "named", call.__name__), message


def test_the_line_is_the_users_own_not_the_helpers():
    def attempt():
        return x23 + x4  # here

    with pytest.raises(RuntimeError) as caught:
        attempt()
    number = int(re.search(r"test_errors\.py:(\d+) in attempt", str(caught.value))[1])
    assert linecache.getline(__file__, number).strip().endswith("# here")


def test_a_second_backward_names_the_ops_line():
    y = (w3 * w3).sum()  # made here
    y.backward()
    with pytest.raises(RuntimeError) as caught:
        y.backward()  # asked here
    lines = [
        linecache.getline(__file__, int(n)).strip() for n in re.findall(r"test_errors\.py:(\d+)", str(caught.value))
    ]
    assert any(line.endswith("# made here") for line in lines)
    assert any(line.endswith("# asked here") for line in lines)


def test_an_overwritten_value_names_both_lines():
    x = w3 * 2
    y = x * x  # needs x
    x.add_(1)  # changes x
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    lines = [
        linecache.getline(__file__, int(n)).strip() for n in re.findall(r"test_errors\.py:(\d+)", str(caught.value))
    ]
    assert [line.rpartition("# ")[2] for line in lines][:2] == ["needs x", "changes x"]


def test_the_gradient_of_a_tensor_that_is_no_leaf_warns():
    y = w3 * 2
    with pytest.warns(UserWarning, match=r"not a leaf.*float32\[3\].*mul.*test_errors\.py.*retain_grad\(\)") as caught:
        assert y.grad is None
    assert caught[0].filename == __file__
    y.retain_grad()
    y.sum().backward()
    assert y.grad.tolist() == [1, 1, 1]


def test_errors_are_caught_by_torchs_types_too():
    for action, kind in (
        (lambda: x23 + x4, RuntimeError),
        (lambda: x23[5], IndexError),
        (lambda: gg.clamp(f3), ValueError),
        (lambda: gg.matmul(1, f3), TypeError),
        (lambda: gg.no_such_thing, AttributeError),
    ):
        with pytest.raises(kind) as caught:
            action()
        assert isinstance(caught.value, GlassgradError)
    assert not hasattr(gg, "no_such_thing") and not hasattr(f3, "no_such_thing")


def test_an_error_inside_another_librarys_call_names_the_users_line():
    with pytest.raises(RuntimeError) as caught:
        list(map(lambda x: x @ x23, [x23]))
    assert "test_errors.py" in str(caught.value)


def test_errors_do_not_keep_graphs_alive():
    before = sys.getrefcount(w3)
    for _ in range(5):
        with pytest.raises(RuntimeError):
            (w3 * 2).backward()
    assert sys.getrefcount(w3) <= before + 2


def test_a_line_of_pythons_own_library_is_not_the_users():
    class Lazy:
        @functools.cached_property
        def value(self):
            return nn.Sequential(nn.Linear(2, 3))(gg.ones(4, 2))

        @functools.cached_property
        def wrong(self):
            return functools.reduce(gg.matmul, [gg.ones(2, 3), gg.ones(2, 3)])

    assert Lazy().value.node.where.startswith(f"{__file__}:")
    with pytest.raises(GlassgradError) as caught:
        print(Lazy().wrong)
    assert caught.value.place.startswith(f"{__file__}:")
