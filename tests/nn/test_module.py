"""Module: attributes, the tree, modes, hooks, states and prints, beside torch's where torch has the same."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import ArgumentError, NotCovered, StateError, TypeMismatch

BOTH = pytest.mark.parametrize("lib", [gg, torch], ids=["glassgrad", "torch"])


def tree(lib: Any) -> Any:
    """Shared modules and parameters, buffers of both kinds, an empty slot."""

    class Net(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = lib.nn.Linear(3, 3)
            self.again = self.first
            self.rows = lib.nn.Sequential(lib.nn.BatchNorm1d(3), lib.nn.ReLU(), lib.nn.Sequential(lib.nn.Linear(3, 2)))
            self.scale = lib.nn.Parameter(lib.ones(2))
            self.tied = self.first.weight
            self.register_buffer("count", lib.zeros(1))
            self.register_buffer("scratch", lib.zeros(2), persistent=False)
            self.register_parameter("off", None)
            self.register_buffer("nothing", None)
            self.plain = 7

        def forward(self, x: Any) -> Any:
            return self.rows(self.again(self.first(x))) * self.scale

    return Net()


def test_walks_give_torchs_names_in_torchs_order() -> None:
    ours, theirs = tree(gg), tree(torch)
    for walk, kwargs in [
        ("named_parameters", {}), ("named_buffers", {}), ("named_modules", {}), ("named_children", {}),
        ("named_parameters", {"recurse": False}), ("named_parameters", {"prefix": "net"}),
        ("named_parameters", {"remove_duplicate": False}), ("named_buffers", {"recurse": False, "prefix": "a.b"}),
        ("named_modules", {"prefix": "net"}), ("named_modules", {"remove_duplicate": False}),
    ]:  # fmt: skip
        mine = [name for name, _ in getattr(ours, walk)(**kwargs)]
        assert mine == [name for name, _ in getattr(theirs, walk)(**kwargs)], (walk, kwargs)
    for walk in ("parameters", "buffers", "modules", "children"):
        assert len(list(getattr(ours, walk)())) == len(list(getattr(theirs, walk)()))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(ours.state_dict(prefix="net.")) == list(theirs.state_dict(prefix="net."))
    assert repr(ours) == repr(theirs)


@BOTH
def test_attributes(lib: Any) -> None:
    net = tree(lib)
    with pytest.raises(TypeError, match=r"first|Linear|Module"):
        net.first = 3
    with pytest.raises(TypeError, match="scale"):
        net.scale = lib.zeros(2)
    with pytest.raises(TypeError, match="count"):
        net.count = 3.0
    net.count = lib.ones(1)
    assert float(net.get_buffer("count")) == 1.0
    net.scale = None
    assert "scale" not in dict(net.named_parameters())
    net.scale = lib.nn.Parameter(lib.zeros(2))
    assert "scale" in dict(net.named_parameters())
    net.plain = lib.nn.Linear(1, 1)
    assert "plain" in dict(net.named_children())
    del net.plain
    assert not hasattr(net, "plain")
    with pytest.raises(AttributeError, match="frist"):
        net.frist  # noqa: B018


@BOTH
def test_registration_errors(lib: Any) -> None:
    net = tree(lib)
    for register, value in (
        (net.register_parameter, lib.nn.Parameter(lib.ones(1))),
        (net.register_buffer, lib.ones(1)),
        (net.add_module, lib.nn.ReLU()),
    ):
        with pytest.raises(KeyError, match="forward"):
            register("forward", value)
        with pytest.raises(KeyError):
            register("", value)
        with pytest.raises(KeyError):
            register("a.b", value)
        with pytest.raises(TypeError):
            register("fresh", "text")
        with pytest.raises(TypeError):
            register(3, value)

    class Early(lib.nn.Module):
        def __init__(self) -> None:
            self.layer = lib.nn.ReLU()

    with pytest.raises(AttributeError, match=r"before.*__init__"):
        Early()


@BOTH
def test_lookup_by_path(lib: Any) -> None:
    net = tree(lib)
    assert net.get_submodule("") is net
    assert net.get_submodule("rows.2.0") is net.rows[2][0]
    assert net.get_parameter("rows.2.0.bias") is net.rows[2][0].bias
    assert net.get_buffer("rows.0.running_mean") is net.rows[0].running_mean
    for find, path in (
        (net.get_submodule, "rows.7"),
        (net.get_submodule, "plain"),
        (net.get_parameter, "count"),
        (net.get_parameter, "first.wait"),
        (net.get_buffer, "scale"),
    ):
        with pytest.raises(AttributeError):
            find(path)


@BOTH
def test_modes_gradients_and_apply(lib: Any) -> None:
    net = tree(lib)
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert net.train() is net
    assert all(m.training for m in net.modules())
    with pytest.raises(ValueError, match=r"True or False|boolean"):
        net.train("yes")
    seen: list[str] = []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "BatchNorm1d", "ReLU", "Linear", "Sequential", "Sequential", "Net"]
    net(lib.ones(4, 3)).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad(set_to_none=False)
    assert float(net.scale.grad.abs().sum()) == 0.0
    net.zero_grad()
    assert net.scale.grad is None
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(lib.ones(4, 3)).requires_grad


def test_dtypes() -> None:
    net = tree(gg)
    net(gg.ones(4, 3)).sum().backward()
    weight = net.first.weight
    for change, dtype in (
        (net.double, gg.float64), (net.float, gg.float32), (lambda: net.to(gg.float64), gg.float64),
        (lambda: net.to("cpu", gg.float32), gg.float32), (lambda: net.to(gg.zeros(1, dtype=gg.float64)), gg.float64),
        (lambda: net.to(dtype=gg.float32), gg.float32), (lambda: net.type(gg.float64), gg.float64),
    ):  # fmt: skip
        assert change() is net
        assert {t.dtype for t in (*net.parameters(), *net.buffers()) if t.dtype != gg.int64} == {dtype}
        assert net.first.weight is weight
        assert weight.grad.dtype == dtype
        assert weight.is_leaf
    assert net.rows[0].num_batches_tracked.dtype == gg.int64
    assert net.to("cpu") is net
    assert net.cpu() is net
    with pytest.raises(TypeMismatch, match="floating-point"):
        net.to(gg.int64)
    for elsewhere in (lambda: net.to("cuda"), net.cuda):
        with pytest.raises(NotCovered, match="CPU"):
            elsewhere()


@BOTH
def test_hooks_run_in_order_and_replace(lib: Any) -> None:
    layer = lib.nn.Identity()
    log: list[str] = []
    handles = [
        layer.register_forward_pre_hook(lambda m, args: log.append("before 1") or (args[0] + 1,)),
        layer.register_forward_pre_hook(lambda m, args: log.append("before 0") or args[0] * 3, prepend=True),
        layer.register_forward_hook(lambda m, args, y: log.append("after 1") or y * 10),
        layer.register_forward_hook(lambda m, args, y: log.append("after 0"), prepend=True),
    ]
    assert float(layer(lib.tensor(2.0))) == (2 * 3 + 1) * 10
    assert log == ["before 0", "before 1", "after 0", "after 1"]
    handles[0].remove()
    handles[2].remove()
    handles[2].remove()
    assert float(layer(lib.tensor(2.0))) == 6
    with layer.register_forward_hook(lambda m, args, y: y * 0):
        assert float(layer(lib.tensor(2.0))) == 0
    assert float(layer(lib.tensor(2.0))) == 6


@BOTH
def test_hooks_with_keywords_and_after_errors(lib: Any) -> None:
    class Fails(lib.nn.Module):
        def forward(self, x: Any, *, fail: bool = False) -> Any:
            if fail:
                raise ValueError("as asked")
            return x

    layer, seen = Fails(), []
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs | {"fail": False}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, y: seen.append(kwargs), with_kwargs=True)
    layer(lib.ones(1), fail=True)
    assert seen == [{"fail": False}]
    broken, always, never = Fails(), [], []
    broken.register_forward_hook(lambda m, args, y: always.append(y), always_call=True)
    broken.register_forward_hook(lambda m, args, y: never.append(y))
    with pytest.raises(ValueError, match="as asked"):
        broken(lib.ones(1), fail=True)
    assert (always, never) == ([None], [])


def test_the_running_module_is_known_and_forgotten_after_an_error() -> None:
    from glassgrad.dispatch import STATE

    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            assert STATE.scope[0] is self
            raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"):
        nn.Sequential(nn.Identity(), Fails())(gg.ones(1))
    assert STATE.scope is None


@BOTH
def test_no_forward(lib: Any) -> None:
    with pytest.raises(NotImplementedError):
        lib.nn.Module()(lib.ones(1))


def test_backward_hooks_are_refused_with_a_way_out() -> None:
    with pytest.raises(NotCovered, match="register_forward_hook"):
        nn.ReLU().register_full_backward_hook(print)


def test_a_torch_state_loads_and_what_differs_is_named() -> None:
    ours, theirs = tree(gg), tree(torch)
    theirs(torch.randn(5, 3))
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    arrays = {key: tensor.numpy() for key, tensor in theirs.state_dict().items()}
    assert repr(ours.load_state_dict(arrays)) == repr(theirs.load_state_dict(theirs.state_dict()))
    y = ours.eval()(gg.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, theirs.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
    partly = {key: value for key, value in arrays.items() if not key.startswith("rows")} | {"more": x}
    with pytest.raises(StateError, match=r"(?s)Net.*missing in the state: rows.0.weight.*not in the module: more"):
        ours.load_state_dict(partly)
    found = ours.load_state_dict(partly, strict=False)
    told = OrderedDict((key, torch.tensor(value)) for key, value in partly.items())
    told._metadata = theirs.state_dict()._metadata  # without it torch takes the state for one of long ago
    expected = theirs.load_state_dict(told, strict=False)
    assert found.missing_keys == expected.missing_keys
    assert found.unexpected_keys == expected.unexpected_keys == ["more"]
    with pytest.raises(StateError, match="missing in the state: scale"):
        ours.load_state_dict({key: value for key, value in arrays.items() if key != "scale"})
    with pytest.raises(StateError, match="not in the module: more"):
        ours.load_state_dict(arrays | {"more": x})
    for wrong in ([1], "state"):
        with pytest.raises(TypeMismatch, match="dict"):
            ours.load_state_dict(wrong)
    with pytest.raises(TypeMismatch, match="scale: list"):
        ours.load_state_dict(arrays | {"scale": [1.0, 2.0]})


def test_loading_copies_and_assign_replaces() -> None:
    source, target = nn.Linear(2, 2), nn.Linear(2, 2)
    weight = target.weight
    target.load_state_dict(source.state_dict())
    assert target.weight is weight
    with gg.no_grad():
        source.weight.zero_()
    assert (weight.detach().numpy() != 0).any()
    target.load_state_dict({k: v.double() for k, v in source.state_dict().items()}, assign=True)
    assert target.weight is not weight
    assert target.weight.dtype == gg.float64
    assert isinstance(target.weight, nn.Parameter)
    state = source.state_dict()
    assert not any(v.requires_grad for v in state.values())
    assert source.state_dict(keep_vars=True)["weight"] is source.weight
    given = OrderedDict(kept=1)
    assert source.state_dict(given, prefix="s.") is given
    assert list(given) == ["kept", "s.weight", "s.bias"]


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_share_nothing_but_keep_what_is_shared_within(twin_of: Any) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net.append(net[0])
    net(gg.ones(3, 2) * gg.tensor([[1.0], [2.0], [4.0]])).sum().backward()
    twin = twin_of(net.eval())
    assert twin[2] is twin[0]
    assert not twin.training
    assert len(list(twin.parameters())) == 4
    with gg.no_grad():
        twin[0].weight.zero_()
        twin[1].running_mean.zero_()
    assert (net[0].weight.detach().numpy() != 0).any()
    assert (net[1].running_mean.numpy() != 0).any()
    fresh = copy.copy(net)
    assert fresh[0] is net[0]


def test_parameters() -> None:
    data = gg.ones(2)
    p = nn.Parameter(data)
    assert p.is_leaf
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert nn.Parameter().shape == (0,)
    assert repr(nn.Parameter(gg.tensor([1.0, 2.0]))).startswith("Parameter containing:\ntensor([1., 2.]")
    with pytest.raises(TypeMismatch, match="made from a Tensor"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="floating-point"):
        nn.Parameter(gg.ones(2, dtype=gg.int64))
    assert not nn.Parameter(gg.ones(2, dtype=gg.int64), requires_grad=False).requires_grad
    with pytest.raises(ArgumentError, match="chance"):
        nn.Dropout(2.0)


def test_names_that_are_not_there_lead_to_the_nearest() -> None:
    for name, nearest in (("Conv3d", "Conv[12]d"), ("LazyLinear", "Linear"), ("Relu", "ReLU"), ("CTCLoss", "BCELoss")):
        with pytest.raises(NotCovered, match=rf"(?s)nn\.{name} is not covered.*{nearest}"):
            getattr(nn, name)
    assert not hasattr(nn, "__wrapped__")
    assert len(set(nn.__all__)) == len(nn.__all__)
    assert all(hasattr(torch.nn, name) for name in nn.__all__)
    with pytest.raises(NotCovered, match=r"nn\.functional\.rrelu"):
        nn.functional.rrelu  # noqa: B018
