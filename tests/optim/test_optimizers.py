"""Every optimizer against PyTorch's, number by number, and that it can be saved, loaded, pickled and traced."""

import copy
import pickle

import numpy as np
import pytest
import torch

from glassgrad import functions as fn
from glassgrad import optim
from glassgrad.tensor import Tensor

SHAPES = [(), (3,), (2, 3, 5), (0, 2), (1, 1), (4,)]  # the last one never gets a gradient
STEPS = 20

CASES = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
    ],
    "Adam": [
        {},
        {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.1, "amsgrad": True, "maximize": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [{}, {"lr": 0.1, "weight_decay": 0.5, "amsgrad": True}, {"lr": 0.1, "maximize": True}],
    "NAdam": [
        {},
        {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1, "maximize": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "RAdam": [
        {},
        {"lr": 0.1, "betas": (0.9, 0.9), "weight_decay": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "Adamax": [{}, {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0.1, "maximize": True}],
    "RMSprop": [
        {},
        {"lr": 0.1, "alpha": 0.5, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "centered": True, "eps": 1e-2},
    ],
    "Adagrad": [{}, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.5, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}],
    "Rprop": [{}, {"lr": 0.1, "etas": (0.25, 2.0), "step_sizes": (1e-3, 0.5), "maximize": True}],
    "LBFGS": [
        {"lr": 0.1, "max_iter": 4},
        {"max_iter": 3, "line_search_fn": "strong_wolfe"},
        {"max_iter": 7, "history_size": 2, "line_search_fn": "strong_wolfe"},
        {"lr": 50.0, "max_iter": 12, "max_eval": 40, "line_search_fn": "strong_wolfe"},
        {"lr": 1e-3, "max_iter": 20, "max_eval": 9, "line_search_fn": "strong_wolfe"},
        {"lr": 0.5, "max_iter": 30, "tolerance_grad": 1e-2, "tolerance_change": 1e-5},
    ],
}
TABLE = [
    pytest.param(name, options, id=f"{name}-{i}") for name, rows in CASES.items() for i, options in enumerate(rows)
]
RULES = [row for row in TABLE if row.values[0] != "LBFGS"]


def numbers(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in SHAPES]


def ours():
    return [fn.tensor(np.asarray(a), requires_grad=True) for a in numbers(0)]


def theirs():
    return [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in numbers(0)]


def array(tensor):
    return np.asarray(tensor.detach().numpy())


def set_grads(params, step, make):
    """New gradients: now and then with entries of zero, one parameter skips a step, one has none at all."""
    grads = numbers(1000 + step)
    for place, p in enumerate(params[:-1]):
        g = grads[place] if step % 4 else np.where(grads[place] > 0, grads[place], 0.0)
        p.grad = None if (place == 2 and step == 3) else make(np.asarray(g))


def close(mine, reference, tolerance=1e-9):
    for p, q in zip(mine, reference, strict=True):
        np.testing.assert_allclose(array(p), array(q), rtol=tolerance, atol=tolerance)


def run(optimizer, params, steps, make):
    for step in steps:
        set_grads(params, step, make)
        optimizer.step()


def as_ours(a):
    return fn.tensor(a)


def as_theirs(a):
    return torch.tensor(a, dtype=torch.float64)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_numbers(name, options):
    mine, reference = ours(), theirs()
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(reference, **options)
    run(a, mine, range(STEPS), as_ours)
    run(b, reference, range(STEPS), as_theirs)
    close(mine, reference)
    assert list(a.param_groups[0]) == list(b.param_groups[0])
    for p, q in zip(mine, reference, strict=True):
        assert sorted(a.state.get(p, {})) == sorted(b.state.get(q, {}))
        for key, held in b.state.get(q, {}).items():
            np.testing.assert_allclose(array(a.state[p][key]), array(held), rtol=1e-9, atol=1e-9)
            assert str(a.state[p][key].dtype).endswith(str(held.dtype).split(".")[-1])


@pytest.mark.parametrize(("name", "options"), RULES)
def test_groups_and_tensor_rate(name, options):
    """Two groups, one with a rate of its own that is a tensor (float64, not to lose digits) and changes on the way."""
    mine, reference = ours(), theirs()

    def made(module, params, scalar):
        rate = scalar(np.asarray(0.05))
        groups = [{"params": params[0], "lr": rate}, {"params": (p for p in params[1:])}]
        return getattr(module, name)(groups, **options), rate

    (a, mine_rate), (b, their_rate) = made(optim, mine, fn.tensor), made(torch.optim, reference, torch.tensor)
    for part in range(2):
        run(a, mine, range(10 * part, 10 * part + 10), as_ours)
        run(b, reference, range(10 * part, 10 * part + 10), as_theirs)
        mine_rate.fill_(0.2)
        their_rate.fill_(0.2)
    close(mine, reference)


def rosenbrock(params):
    x = params[1]
    return 10 * ((x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x) ** 2).sum() + (params[0] ** 2).sum()


@pytest.mark.parametrize(("name", "options"), [row for row in TABLE if row.values[0] == "LBFGS"])
def test_lbfgs_numbers(name, options):
    results = []
    for module, params in ((optim, ours()[:2]), (torch.optim, theirs()[:2])):
        optimizer = getattr(module, name)(params, **options)

        def closure(optimizer=optimizer, params=params):
            optimizer.zero_grad()
            loss = rosenbrock(params)
            loss.backward()
            return loss

        losses = [float(optimizer.step(closure).detach()) for _ in range(4)]
        results.append((losses, params, optimizer.state[params[0]]["func_evals"]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-8)
    close(results[0][1], results[1][1], 1e-8)
    assert results[0][2] == results[1][2]


@pytest.mark.parametrize(("name", "options"), RULES)
def test_state_round_trip(name, options):
    """Saved in mid-run, a new optimizer goes on identically; so does one that takes PyTorch's own state."""
    mine, reference = ours(), theirs()
    first, other = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(reference, **options)
    run(first, mine, range(7), as_ours)
    run(other, reference, range(7), as_theirs)
    saved = copy.deepcopy(first.state_dict())
    foreign = other.state_dict()
    assert sorted(saved["state"]) == sorted(foreign["state"])
    assert [g["params"] for g in saved["param_groups"]] == [g["params"] for g in foreign["param_groups"]]
    foreign["state"] = {k: {n: v.numpy() for n, v in held.items()} for k, held in foreign["state"].items()}

    again, from_torch = ([fn.tensor(array(p), requires_grad=True) for p in mine] for _ in range(2))
    second, third = (getattr(optim, name)(params, lr=0.7) for params in (again, from_torch))
    second.load_state_dict(saved)
    third.load_state_dict(foreign)
    for optimizer, params in ((first, mine), (second, again), (third, from_torch)):
        run(optimizer, params, range(7, STEPS), as_ours)
    close(again, mine, 0.0)
    close(from_torch, mine)
    run(other, reference, range(7, STEPS), as_theirs)
    close(mine, reference)


def test_lbfgs_round_trip():
    params = ours()[:2]
    optimizer = optim.LBFGS(params, max_iter=3)

    def go_on(optimizer, params):
        def closure():
            optimizer.zero_grad()
            loss = rosenbrock(params)
            loss.backward()
            return loss

        return float(optimizer.step(closure).detach())

    go_on(optimizer, params)
    again = [fn.tensor(array(p), requires_grad=True) for p in params]
    second = optim.LBFGS(again)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [go_on(optimizer, params) for _ in range(2)] == [go_on(second, again) for _ in range(2)]


@pytest.mark.parametrize(("name", "options"), RULES)
def test_float32_and_pickle(name, options):
    """State is of the parameter's dtype, and a pickled optimizer goes on with the parameters pickled beside it."""
    params = [fn.tensor(a.astype(np.float32), requires_grad=True) for a in numbers(0)[:3]]
    optimizer = getattr(optim, name)(params, **options)

    def go_on(optimizer, params):
        for p in params:
            p.grad = fn.tensor(np.full(tuple(p.shape), 0.5, np.float32))
        optimizer.step()

    go_on(optimizer, params)
    assert all(p.dtype == params[0].dtype for p in params)
    assert all(v.dtype == params[0].dtype for held in optimizer.state.values() for v in held.values())
    loaded, beside = pickle.loads(pickle.dumps((optimizer, params)))
    go_on(optimizer, params)
    go_on(loaded, beside)
    close(params, beside, 0.0)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_rules_work_on_tensors(name, options, monkeypatch):
    """With rates and counts that stay tensors, no rule reads one, and the numbers agree."""
    mine, plain = ours(), ours()
    options = {"lr": 0.1, **options}
    a = getattr(optim, name)(mine, **{**options, "lr": fn.tensor(np.float64(options["lr"]))})
    b = getattr(optim, name)(plain, **options)
    run(b, plain, range(10), as_ours)
    monkeypatch.setattr(optim.Optimizer, "number", staticmethod(lambda value: value))
    set_grads(mine, 0, as_ours)
    a.step()  # begins the state, like the first call of a compiled step
    for held in a.state.values():  # counts in float32 would lose digits in 1 - beta ** count
        for key in {"step", "mu_product"} & set(held):
            held[key] = fn.tensor(np.float64(held[key].item()))

    def refuse(self):
        raise AssertionError("a rule read a tensor")

    for step in range(1, 10):
        set_grads(mine, step, as_ours)
        with monkeypatch.context() as patch:
            for method in ("item", "__bool__", "__float__"):
                patch.setattr(Tensor, method, refuse)
            a.step()
    close(mine, plain, 1e-5)


def test_all_exports_have_cases():
    rules = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)} - {"Optimizer"}
    assert rules == set(CASES)
    assert set(optim.__all__) - rules == {"Optimizer", "lr_scheduler"}
