"""The dtype in which operands meet, over all pairs of dtypes, with and without dimensions, and Python numbers."""

import itertools
import operator

import pytest
import torch

import glassgrad as gg
from glassgrad.tensor import Tensor

DTYPES = ["bool", "int32", "int64", "float32", "float64"]
NUMBERS = [True, 3, 2.5]
OPERANDS = [*((dtype, shape) for dtype in DTYPES for shape in ((2,), ())), *NUMBERS]
PAIRS = [pair for pair in itertools.product(OPERANDS, repeat=2) if any(isinstance(x, tuple) for x in pair)]
OPERATORS = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_",
                                               "xor", "lt", "le", "gt", "ge", "eq", "ne")
}  # fmt: skip


def kinds(pair):
    return [x[0] if isinstance(x, tuple) else type(x).__name__ for x in pair]


def more_is_allowed(name, pair):
    """torch refuses to subtract a boolean from a number; here it counts as 0 or 1, as it does in a sum."""
    return name in ("sub", "isub") and kinds(pair).count("bool") == 1


def is_bool_power(name, pair):
    """torch lets only a power of exactly True through; a power of booleans is refused here."""
    return name in ("pow", "ipow") and set(kinds(pair)) == {"bool"}


def made(operand, module):
    if not isinstance(operand, tuple):
        return operand
    dtype, shape = operand
    return module.ones(shape, dtype=getattr(module, dtype))


def name(operand):
    return f"{operand[0]}{list(operand[1])}" if isinstance(operand, tuple) else repr(operand)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(map(name, pair)))
def test_result_type(pair):
    ours, theirs = [made(x, gg) for x in pair], [made(x, torch) for x in pair]
    expected = str(torch.result_type(*theirs)).removeprefix("torch.")
    assert str(gg.result_type(*ours)) == expected


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(map(name, pair)))
def test_operators(pair):
    for name, operation in OPERATORS.items():
        if is_bool_power(name, pair):
            continue
        ours, theirs = [made(x, gg) for x in pair], [made(x, torch) for x in pair]
        try:
            expected = operation(*theirs)
        except (RuntimeError, NotImplementedError, TypeError) as error:
            if more_is_allowed(name, pair):
                continue
            with pytest.raises((RuntimeError, TypeError)):
                print(name, operation(*ours), error)
            continue
        result = operation(*ours)
        assert isinstance(result, Tensor)
        assert str(result.dtype) == str(expected.dtype).removeprefix("torch."), name
        assert result.shape == tuple(expected.shape), name
        assert result.tolist() == expected.tolist(), name


@pytest.mark.parametrize(
    "pair", [p for p in PAIRS if isinstance(p[0], tuple)], ids=lambda pair: "-".join(map(name, pair))
)
def test_augmented_assignments(pair):
    """x op= y keeps x's shape and dtype, or is refused: then x stays as it was."""
    for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"):
        if is_bool_power(name, pair):
            continue
        operation = getattr(operator, name)
        ours, theirs = [made(x, gg) for x in pair], [made(x, torch) for x in pair]
        try:
            expected = operation(*theirs)
        except (RuntimeError, NotImplementedError, TypeError) as error:
            if more_is_allowed(name, pair) and pair[0][0] != "bool":
                continue
            before = ours[0].tolist()
            with pytest.raises((RuntimeError, TypeError)):
                print(name, operation(*ours), error)
            assert ours[0].tolist() == before
            continue
        result = operation(*ours)
        assert result is ours[0], name
        assert str(result.dtype) == str(expected.dtype).removeprefix("torch."), name
        assert result.tolist() == expected.tolist(), name


@pytest.mark.parametrize("pair", list(itertools.product(DTYPES, repeat=2)), ids="-".join)
def test_other_meetings(pair):
    """cat, stack and where meet as operators do; promote_types is the rule alone."""
    for call in (
        lambda m, a, b: m.cat([a, b]),
        lambda m, a, b: m.stack([a, b]),
        lambda m, a, b: m.where(m.tensor([True, False]), a, b),
        lambda m, a, b: m.maximum(a, b),
        lambda m, a, b: m.where(m.tensor([True, False]), a, b.sum() != 0),
    ):
        ours = call(gg, *(gg.ones(2, dtype=getattr(gg, dtype)) for dtype in pair))
        theirs = call(torch, *(torch.ones(2, dtype=getattr(torch, dtype)) for dtype in pair))
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    expected = torch.promote_types(*(getattr(torch, dtype) for dtype in pair))
    assert str(gg.promote_types(*(getattr(gg, dtype) for dtype in pair))) == str(expected).removeprefix("torch.")


def test_the_default_dtype_is_what_python_floats_become():
    assert gg.get_default_dtype() == gg.float32
    gg.set_default_dtype(gg.float64)
    try:
        assert gg.tensor(1.0).dtype == gg.zeros(2).dtype == (gg.tensor([1]) / 2).dtype == gg.rand(2).dtype == "float64"
        assert (gg.tensor([1], dtype=gg.float32) * 2.0).dtype == gg.float32
    finally:
        gg.set_default_dtype(gg.float32)
    with pytest.raises(RuntimeError, match="must be a float"):
        gg.set_default_dtype(gg.int64)
