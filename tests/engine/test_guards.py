"""What changes between two calls of a compiled step is seen: it goes on as the plain function does."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import compile
from glassgrad.errors import TraceError

engines = pytest.mark.parametrize("engine", ["interpret", "native"])


class Case:
    """A net, a factor that no optimizer knows yet, and a step on them."""

    def __init__(self):
        gg.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        self.extra = nn.Parameter(gg.ones(2, dtype=gg.float64))
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.1, momentum=0.5)

    def step(self, x):
        self.optimizer.zero_grad()
        loss = ((self.net(x) * self.extra - 1) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss


def group(case):
    return case.optimizer.param_groups[0]


def no_bias(case):
    case.net[0].bias.grad.zero_()  # and returns None: the step's arguments stay


CHANGES = {
    "nothing": lambda case: None,
    "another parameter": lambda case: setattr(
        case.net[0], "weight", nn.Parameter(case.net[0].weight.detach().clone() * 2)
    ),
    "other numbers in a parameter": lambda case: setattr(case.net[0].weight, "data", case.net[0].weight.detach() * 2),
    "another layer": lambda case: case.net.__setitem__(1, nn.ReLU()),
    "one layer more": lambda case: case.net.append(nn.Tanh()),
    "another forward": lambda case: setattr(case.net[1], "forward", lambda x: x * 0.5),
    "a hook of a layer": lambda case: case.net[0].register_forward_hook(lambda m, a, y: y * 2),
    "a hook of a tensor": lambda case: case.net[0].weight.register_hook(lambda g: g * 0),
    "a hook of the optimizer": lambda case: case.optimizer.register_step_pre_hook(lambda o, a, k: no_bias(case)),
    "a frozen parameter": lambda case: case.net[0].weight.requires_grad_(False),
    "another rate": lambda case: group(case).update(lr=0.01),
    "weight decay": lambda case: group(case).update(weight_decay=0.3),
    "no momentum": lambda case: group(case).update(momentum=0.0),
    "a new group": lambda case: case.optimizer.add_param_group({"params": [case.extra], "lr": 0.5}),
    "a parameter more": lambda case: group(case)["params"].append(case.extra),
    "no state": lambda case: case.optimizer.state.clear(),
    "other state": lambda case: case.optimizer.load_state_dict(
        {**case.optimizer.state_dict(), "state": {0: {"momentum_buffer": gg.ones(4, 3)}}}
    ),
}


def losses(change, at, run):
    case = Case()
    step, x = run(case.step), gg.ones(4, 3, dtype=gg.float64)
    found = []
    for number in range(8):
        if number == at:
            change(case)
        found.append(step(x).item())
    return found


@engines
@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_calls_is_seen(name, at, engine):
    plain = losses(CHANGES[name], at, lambda step: step)
    found = losses(CHANGES[name], at, lambda step: compile(step, engine=engine))
    np.testing.assert_allclose(found, plain, rtol=1e-10)
    if name != "nothing":
        assert plain != losses(CHANGES["nothing"], at, lambda step: step), "the change changes nothing: no test of it"


def test_a_hook_that_is_taken_off_again_is_seen():
    case, x = Case(), gg.ones(4, 3, dtype=gg.float64)
    go = compile(case.net)
    handle = case.net[0].register_forward_hook(lambda m, a, y: y * 2)
    for _ in range(3):
        hooked = go(x)
    handle.remove()
    np.testing.assert_allclose(go(x).detach().numpy(), case.net(x).detach().numpy(), rtol=1e-12)
    assert hooked.tolist() != go(x).tolist()


SYNCS = {
    "load": lambda a, b: a.load_state_dict(b.state_dict()),
    "data": lambda a, b: [setattr(p, "data", q.data) for p, q in zip(a.parameters(), b.parameters(), strict=True)],
    "detach": lambda a, b: [setattr(a, name, nn.Parameter(p.detach())) for name, p in b.named_parameters()],
}


@engines
@pytest.mark.parametrize("at", [0, 1, 4])
@pytest.mark.parametrize("name", SYNCS)
def test_tensors_that_begin_with_one_array_stay_apart(name, at, engine):
    def run(wrapped):
        gg.manual_seed(0)
        net, target = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = ((net(x) - target(x).detach() * 0.9 - 1) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        go, found = wrapped(step), []
        for number in range(8):
            if number == at:
                SYNCS[name](target, net)
            found.append(go(gg.ones(4, 3, dtype=gg.float64)).item())
        return found

    np.testing.assert_allclose(run(lambda step: compile(step, engine=engine)), run(lambda step: step), rtol=1e-10)


def test_an_optimizer_made_in_the_step_is_refused():
    w = gg.ones(3, requires_grad=True)

    @compile
    def step():
        optimizer = optim.Adam([w])
        (w * w).sum().backward()
        optimizer.step()

    step(), step()
    with pytest.raises(TraceError, match="Adam begins the state") as caught:
        step()
    assert "outside of the step" in str(caught.value)
