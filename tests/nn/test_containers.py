"""Containers of modules and parameters behave like torch's."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch

import glassgrad as gg
from glassgrad import nn

BOTH = pytest.mark.parametrize("lib", [gg, torch], ids=["glassgrad", "torch"])


def names(container: Any) -> list[str]:
    return [type(child).__name__ for child in container]


def three(lib: Any) -> list[Any]:
    return [lib.nn.ReLU(), lib.nn.Tanh(), lib.nn.Sigmoid()]


@BOTH
@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
def test_rows(lib: Any, kind: str) -> None:
    modules = three(lib)
    row = getattr(lib.nn, kind)(*([modules] if kind == "ModuleList" else modules))
    assert len(row) == 3
    assert row[-1] is modules[2]
    assert names(row[1:]) == ["Tanh", "Sigmoid"]
    assert type(row[1:]) is type(row)
    row[0] = lib.nn.GELU()
    assert names(row) == ["GELU", "Tanh", "Sigmoid"]
    assert row.append(lib.nn.SiLU()) is row
    row.insert(1, lib.nn.ELU())
    assert names(row) == ["GELU", "ELU", "Tanh", "Sigmoid", "SiLU"]
    assert [name for name, _ in row.named_children()] == ["0", "1", "2", "3", "4"]
    row.extend([lib.nn.Mish()])
    assert type(row.pop(1)).__name__ == "ELU"
    del row[0]
    assert names(row) == ["Tanh", "Sigmoid", "SiLU", "Mish"]
    del row[1:3]
    assert names(row) == ["Tanh", "Mish"]
    assert [name for name, _ in row.named_children()] == ["0", "1"]
    for index in (2, -3):
        with pytest.raises(IndexError, match="out of range"):
            row[index]
    if lib is gg:  # torch lets text into a ModuleList
        with pytest.raises(TypeError, match="Only a Module"):
            row.insert(0, "text")


@BOTH
def test_a_row_may_hold_a_module_twice(lib: Any) -> None:
    shared = lib.nn.Linear(2, 2)
    row = lib.nn.Sequential(shared, lib.nn.ReLU(), shared)
    assert len(list(row.parameters())) == 2
    assert len(row) == len(list(row)) == 3
    assert list(row.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(row.named_children())) == 2


@BOTH
def test_sequential_alone(lib: Any) -> None:
    named = lib.nn.Sequential(OrderedDict(first=lib.nn.ReLU(), second=lib.nn.Tanh()))
    assert [name for name, _ in named.named_children()] == ["first", "second"]
    assert type(named.second).__name__ == type(named[1]).__name__ == "Tanh"
    assert [name for name, _ in named[1:].named_children()] == ["second"]
    a, b = lib.nn.Sequential(*three(lib)[:2]), lib.nn.Sequential(three(lib)[2])
    assert names(a + b) == ["ReLU", "Tanh", "Sigmoid"]
    assert names(a * 2) == ["ReLU", "Tanh"] * 2
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=r"positive|times"):
            a * wrong
    assert float(lib.nn.Sequential()(lib.tensor(2.0))) == 2.0
    assert repr(named) == "Sequential(\n  (first): ReLU()\n  (second): Tanh()\n)"


@BOTH
def test_module_list_alone(lib: Any) -> None:
    row = lib.nn.ModuleList(three(lib))
    row += [lib.nn.GELU()]
    assert names(row) == ["ReLU", "Tanh", "Sigmoid", "GELU"]
    joined = row + lib.nn.ModuleList([lib.nn.SiLU()])
    assert len(joined) == 5
    assert len(row) == 4
    assert lib.nn.GELU not in map(type, row[:3])
    with pytest.raises(NotImplementedError):
        row(lib.ones(1))


def test_equal_neighbours_print_once() -> None:
    def stack(lib: Any) -> Any:
        blocks = [lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.ReLU()) for _ in range(3)]
        return lib.nn.ModuleList([lib.nn.Linear(1, 2), *blocks, lib.nn.Linear(2, 1), lib.nn.Linear(2, 1)])

    assert repr(stack(gg)) == repr(stack(torch))
    assert repr(nn.ModuleList()) == repr(torch.nn.ModuleList())


@BOTH
def test_module_dict(lib: Any) -> None:
    heads = lib.nn.ModuleDict({"a": lib.nn.ReLU(), "b": lib.nn.Tanh()})
    heads["c"] = lib.nn.Sigmoid()
    heads.update({"a": lib.nn.GELU()})
    heads.update([("d", lib.nn.SiLU())])
    assert list(heads) == list(heads.keys()) == ["a", "b", "c", "d"]
    assert names(heads.values()) == ["GELU", "Tanh", "Sigmoid", "SiLU"]
    assert [name for name, _ in heads.items()] == list(heads)
    assert "b" in heads
    assert "z" not in heads
    assert type(heads.pop("b")).__name__ == "Tanh"
    del heads["c"]
    assert len(heads) == 2
    with pytest.raises(KeyError):
        heads["z"]
    with pytest.raises(TypeError):
        heads["e"] = 3
    heads.clear()
    assert len(heads) == 0
    assert repr(lib.nn.ModuleDict({"a": lib.nn.ReLU()})) == "ModuleDict(\n  (a): ReLU()\n)"


@BOTH
def test_parameter_list(lib: Any) -> None:
    weights = lib.nn.ParameterList([lib.zeros(2), lib.nn.Parameter(lib.ones(3))])
    weights.append(lib.zeros(1))
    weights += [lib.ones(4)]
    assert weights.extend([lib.ones(5)]) is weights
    assert [tuple(p.shape) for p in weights] == [(2,), (3,), (1,), (4,), (5,)]
    assert all(isinstance(p, lib.nn.Parameter) for p in weights)
    assert list(weights.state_dict()) == ["0", "1", "2", "3", "4"]
    weights[-1] = lib.zeros(7)
    assert tuple(weights[4].shape) == (7,)
    assert [tuple(p.shape) for p in weights[1:3]] == [(3,), (1,)]
    with pytest.raises(IndexError):
        weights[5]


@BOTH
def test_parameter_dict(lib: Any) -> None:
    weights = lib.nn.ParameterDict({"a": lib.zeros(2)})
    weights["b"] = lib.ones(3)
    weights.update({"c": lib.nn.Parameter(lib.ones(4))})
    assert list(weights) == list(weights.keys()) == ["a", "b", "c"]
    assert all(isinstance(p, lib.nn.Parameter) for p in weights.values())
    assert [(name, tuple(p.shape)) for name, p in weights.items()] == [("a", (2,)), ("b", (3,)), ("c", (4,))]
    assert weights.get("z") is None
    assert tuple(weights.pop("b").shape) == (3,)
    assert "b" not in weights
    del weights["a"]
    assert [name for name, _ in weights.named_parameters()] == ["c"]
    with pytest.raises((KeyError, AttributeError)):
        weights["a"]
    assert len(weights) == 1
