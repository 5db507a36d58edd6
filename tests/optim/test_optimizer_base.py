"""What all optimizers share: steps, hooks, groups, names, printing, loading, and what they refuse."""

import warnings

import numpy as np
import pytest
import torch

from glassgrad import functions as fn
from glassgrad import optim
from glassgrad.dispatch import STATE, Bystander
from glassgrad.errors import ArgumentError, GradError, NotCovered, StateError, TypeMismatch


def test_steps_and_hooks():
    w = fn.tensor([1.0], requires_grad=True)
    optimizer, calls = optim.SGD([w], lr=0.5), []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append("before"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("after"))

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert w.tolist() == [0.0]
    before.remove()
    optimizer.step()
    assert calls == ["before", "after", "after"]


def test_rule_of_ones_own():
    class Mine(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(p.grad, alpha=-group["lr"])

    w = fn.tensor([1.0], requires_grad=True)
    optimizer = Mine([w], 0.5)
    w.grad = fn.tensor([1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step()
        schedule.step()
    assert w.tolist() == [0.5]
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_zero_grad():
    w, v = fn.tensor([1.0], requires_grad=True), fn.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w, v])
    w.grad = fn.tensor([3.0])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0]
    assert v.grad is None
    optimizer.zero_grad()
    assert w.grad is None


def test_names_and_printing():
    w, v = leaf(), leaf()
    optimizer = optim.SGD([("w", w)], lr=0.5)
    optimizer.add_param_group({"params": [("v", v)], "lr": 0.25})
    assert [g["param_names"] for g in optimizer.param_groups] == [["w"], ["v"]]
    assert optimizer.state_dict()["param_groups"][1]["params"] == [1]
    reference = torch.optim.SGD([("w", torch.zeros(1))], lr=0.5)
    reference.add_param_group({"params": [("v", torch.zeros(1))], "lr": 0.25})
    assert repr(optimizer) == repr(reference)
    with pytest.raises(ArgumentError, match="names"):
        optimizer.add_param_group({"params": [fn.tensor([1.0], requires_grad=True)]})


def leaf():
    return fn.tensor([1.0], requires_grad=True)


def rule_without_update(module, leaf):
    optimizer = module.Optimizer([leaf()], {})
    optimizer.param_groups[0]["params"][0].grad = leaf().detach()
    optimizer.step()


BAD = {  # name: what we raise, what it says, what PyTorch raises, what is done
    "empty": (ArgumentError, "empty", ValueError, lambda m, leaf: m.SGD([])),
    "tensor": (TypeMismatch, "iterable", TypeError, lambda m, leaf: m.SGD(leaf())),
    "not a tensor": (TypeMismatch, "float", TypeError, lambda m, leaf: m.SGD([1.0])),
    "a set": (TypeMismatch, "order", TypeError, lambda m, leaf: m.SGD([{"params": {leaf()}}])),
    "not a leaf": (ArgumentError, "leaf", ValueError, lambda m, leaf: m.SGD([leaf() * 2])),
    "no params": (StateError, "'params'.*\n.*lr", KeyError, lambda m, leaf: m.SGD([{"lr": 1.0}])),
    "two groups": (
        ArgumentError, "more than one", ValueError, lambda m, leaf: m.SGD([{"params": w} for w in [leaf()] * 2]),
    ),
    "no dict": (TypeMismatch, "list", TypeError, lambda m, leaf: m.SGD([leaf()]).add_param_group([leaf()])),
    "one name": (ArgumentError, "names", ValueError, lambda m, leaf: m.SGD([("w", leaf()), leaf()])),
    "a nameless group": (
        ArgumentError, "names", ValueError, lambda m, leaf: m.SGD([("w", leaf())]).add_param_group({"params": leaf()}),
    ),
    "lr": (ArgumentError, r"lr=-1", ValueError, lambda m, leaf: m.Adam([leaf()], lr=-1.0)),
    "nan": (ArgumentError, r"lr=nan", ValueError, lambda m, leaf: m.Adam([leaf()], lr=float("nan"))),
    "text": (TypeError, "str", TypeError, lambda m, leaf: m.RMSprop([leaf()], lr="high")),
    "long lr": (ArgumentError, "one entry", ValueError, lambda m, leaf: m.Adam([leaf()], lr=leaf([1.0, 2.0]).detach())),
    "eps": (ArgumentError, "eps=-1", ValueError, lambda m, leaf: m.RMSprop([leaf()], eps=-1)),
    "decay": (ArgumentError, "weight_decay=-1", ValueError, lambda m, leaf: m.SGD([leaf()], weight_decay=-1)),
    "momentum": (ArgumentError, "momentum=-1", ValueError, lambda m, leaf: m.SGD([leaf()], momentum=-1)),
    "betas": (ArgumentError, r"betas\[1\]=1.0", ValueError, lambda m, leaf: m.AdamW([leaf()], betas=(0.9, 1.0))),
    "nesterov": (ArgumentError, "nesterov", ValueError, lambda m, leaf: m.SGD([leaf()], nesterov=True)),
    "rho": (ArgumentError, "rho", ValueError, lambda m, leaf: m.Adadelta([leaf()], rho=1.5)),
    "etas": (ArgumentError, "etas", ValueError, lambda m, leaf: m.Rprop([leaf()], etas=(1.5, 1.2))),
    "accumulator": (
        ArgumentError, "initial_accumulator_value=-1", ValueError,
        lambda m, leaf: m.Adagrad([leaf()], initial_accumulator_value=-1),
    ),
    "no closure": (TypeMismatch, "closure", TypeError, lambda m, leaf: m.LBFGS([leaf()]).step()),
    "LBFGS groups": (
        ArgumentError, "2 groups", ValueError, lambda m, leaf: m.LBFGS([{"params": leaf()}, {"params": leaf()}]),
    ),
    "number of groups": (
        StateError, "number of parameter groups", ValueError,
        lambda m, leaf: m.SGD([{"params": leaf()}, {"params": leaf()}]).load_state_dict(m.SGD([leaf()]).state_dict()),
    ),
    "size of a group": (
        StateError, "another size", ValueError,
        lambda m, leaf: m.SGD([leaf()]).load_state_dict(m.SGD([leaf(), leaf()]).state_dict()),
    ),
    "no groups": (
        StateError, "no param_groups", KeyError, lambda m, leaf: m.SGD([leaf()]).load_state_dict({"state": {}}),
    ),
    "no update": (NotImplementedError, "update", NotImplementedError, rule_without_update),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    """Where PyTorch raises, we raise an error of that type, which says why."""
    kind, text, theirs, call = BAD[name]
    with pytest.raises(theirs):
        call(torch.optim, lambda data=(1.0,): torch.tensor(data, requires_grad=True))
    with pytest.raises(kind, match=text) as raised:
        call(optim, lambda data=(1.0,): fn.tensor(data, requires_grad=True))
    assert isinstance(raised.value, theirs)


NOT_COVERED = {
    "foreach": lambda: optim.SGD([leaf()], foreach=True),
    "fused": lambda: optim.Adam([leaf()], fused=True),
    "capturable": lambda: optim.Adam([leaf()], capturable=True),
    "differentiable": lambda: optim.Rprop([leaf()], differentiable=True),
    "strong_wolfe": lambda: optim.LBFGS([leaf()], line_search_fn="armijo"),
    "optim.AdamW": lambda: optim.Muon,
    "optim.SGD": lambda: optim.ASGD,
}


@pytest.mark.parametrize("text", NOT_COVERED)
def test_not_covered(text):
    with pytest.raises(NotCovered, match=text):
        NOT_COVERED[text]()


def test_options_without_a_default():
    with pytest.raises(ArgumentError, match="no lr"):
        optim.Optimizer([leaf()], {"lr": optim.optimizer.required})
    made = optim.Optimizer([{"params": leaf(), "lr": 0.5}], {"lr": optim.optimizer.required})
    assert made.param_groups[0]["lr"] == 0.5
    assert not hasattr(optim, "no_such_rule")


def test_duplicates_in_a_group_warn():
    w = leaf()
    with pytest.warns(UserWarning, match="more than once"):
        optim.SGD([w, w])


def test_state_of_another_shape():
    """PyTorch takes it and fails in the next step; we say so at once."""
    w, v = fn.ones(3).requires_grad_(), fn.ones(2, 3, 5).requires_grad_()
    optimizer = optim.SGD([w, v], momentum=0.5)
    w.grad = fn.zeros_like(w)
    optimizer.step()
    with pytest.raises(StateError, match=r"(?s)momentum_buffer.*\(3,\) saved, \(2, 3, 5\) here"):
        optim.SGD([v, w]).load_state_dict(optimizer.state_dict())


def test_a_key_error_prints_its_message_plainly():
    with pytest.raises(KeyError) as raised:
        optim.SGD([{"lr": 1.0}])
    assert str(raised.value).startswith("a parameter group needs the key 'params'\n  got:")


def test_older_files_load():
    """Options that a file does not know get their defaults, counts saved as plain numbers become tensors."""
    w = leaf()
    optimizer = optim.Adam([w])
    state = {"step": 3, "exp_avg": np.ones(1), "exp_avg_sq": np.ones(1)}
    optimizer.load_state_dict({"state": {0: state}, "param_groups": [{"lr": 0.5, "params": [0]}]})
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)
    w.grad = fn.tensor([1.0])
    optimizer.step()
    assert optimizer.state[w]["step"].item() == 4.0


class Watching(Bystander):
    def __init__(self, made):
        self.made = made

    def named(self, number, name):
        return number

    def written(self, constant, number):
        pass


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_watched_steps_are_the_same(name, shape):
    """Rules that compute on arrays do so on tensors while somebody follows, bit for bit the same."""
    rng = np.random.default_rng(0)
    start, grads = rng.normal(size=shape), [rng.normal(size=shape) for _ in range(5)]
    options = {"lr": 0.1, "weight_decay": 0.1, "maximize": True, **({} if "Adam" in name else {"momentum": 0.9})}
    results, nodes = [], []
    for watch in (None, nodes.append):
        w = fn.tensor(np.asarray(start, np.float32), requires_grad=True)
        optimizer = getattr(optim, name)([w], **options)
        for grad in grads:
            w.grad = fn.tensor(np.asarray(grad, np.float32))
            STATE.observer = watch and Watching(watch)
            try:
                optimizer.step()
            finally:
                STATE.observer = None
        state = {key: value.tolist() for key, value in optimizer.state[w].items()}
        results.append((w.tolist(), str(w.dtype), state))
    assert results[0] == results[1]
    assert len(nodes) > 5, "a watched step made no nodes"


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Rprop"])
def test_a_step_keeps_the_rules_of_tensors(name):
    """A leaf stays the leaf it was, views of it see the step, and a backward pass that came too late says where."""
    w = fn.tensor([1.0, 2.0], requires_grad=True)
    optimizer = getattr(optim, name)([w], lr=0.25)
    calls = []
    w.register_hook(lambda grad: calls.append(grad.tolist()))
    beside, copied = w.detach(), w.detach().clone()
    late = (w * w).sum()
    w.grad = fn.tensor([1.0, 1.0])
    optimizer.step()
    assert w.is_leaf and w.requires_grad
    assert beside.tolist() == w.tolist() != [1.0, 2.0]
    assert copied.tolist() == [1.0, 2.0]
    with pytest.raises(GradError, match=r"(?s)changed in place since.*changed at .*test_optimizer_base\.py"):
        late.backward()
    w.grad = None
    (w * 3.0).sum().backward()
    assert calls == [[3.0, 3.0]]
    assert w.grad.tolist() == [3.0, 3.0]


def test_state_does_not_share_memory_with_gradients():
    array = np.array([1.0, 1.0])
    w = fn.tensor([1.0, 2.0], dtype=fn.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5, momentum=0.5)
    w.grad = fn.from_numpy(array)
    optimizer.step()
    array[:] = 100.0
    assert optimizer.state[w]["momentum_buffer"].tolist() == [1.0, 1.0]
    assert w.tolist() == [0.5, 1.5]


TENSOR_OPTIONS = {
    "SGD": {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.25},
    "AdamW": {"lr": 0.1, "weight_decay": 0.25},
    "Adam": {"weight_decay": 0.25, "betas": (0.5, 0.75), "eps": 1e-3},
    "RMSprop": {"momentum": 0.5, "weight_decay": 0.25},
}


@pytest.mark.parametrize("name", TENSOR_OPTIONS)
def test_options_as_tensors(name):
    """Options that are tensors, in groups that have them, count as the numbers in them, and are not written to."""

    def tensors(value):
        return (tensors(value[0]), *value[1:]) if isinstance(value, tuple) else fn.tensor(value, dtype=fn.float64)

    results = []
    for given in (TENSOR_OPTIONS[name], {key: tensors(value) for key, value in TENSOR_OPTIONS[name].items()}):
        w = fn.tensor([1.0, 2.0], dtype=fn.float64, requires_grad=True)
        optimizer = getattr(optim, name)([{"params": [w], **given}], **({"amsgrad": True} if "Adam" in name else {}))
        for step in range(4):
            w.grad = fn.tensor([0.5 - step, 1.0], dtype=fn.float64)
            optimizer.step()
        assert all(type(value) is fn.Tensor for key, value in optimizer.state[w].items())
        results.append(w.tolist())
    assert results[0] == pytest.approx(results[1], rel=1e-12)
    assert [float(v[0] if isinstance(v, tuple) else v) for v in given.values()] == [
        v[0] if isinstance(v, tuple) else v for v in TENSOR_OPTIONS[name].values()
    ]
