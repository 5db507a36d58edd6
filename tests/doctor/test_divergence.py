"""Losses that run away whatever the rate, and those that swing for another reason than the rate."""

import math

import numpy as np
import pytest
from tests.doctor.trained import NETS, RULES, rows

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check, watch
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.rules.divergence import boundless, runs_down

STEPS = 60


def examined(net, loss, rule="sgd", factor=1.0, batch=None, **options):
    gg.manual_seed(0)
    model = NETS[net]()
    optimizer = RULES[rule](model.parameters(), factor)
    for group in optimizer.param_groups:
        group.update(options)
    return check(model, loss, batch or rows(net), optimizer=optimizer, steps=STEPS)


@pytest.mark.parametrize("factor", [0.3, 3])
@pytest.mark.parametrize(
    ("net", "rule"), [("mlp", "sgd"), ("cnn", "momentum"), ("lstm", "adam"), ("transformer", "adam")]
)
def test_steps_uphill_are_told_and_turned_round(net, rule, factor):
    d = examined(net, nn.CrossEntropyLoss(), rule, factor, maximize=True)
    (found,) = d.findings
    assert found.fault == "diverging loss"
    assert "uphill" in found.symptom
    assert not d.apply(found).optimizer.param_groups[0]["maximize"]
    assert found.proof.after[-1] < found.proof.after[0]
    assert not found.proof.before[-1] <= found.proof.before[0]


@pytest.mark.parametrize(
    ("net", "rule"), [("mlp", "adam"), ("cnn", "sgd"), ("lstm", "momentum"), ("transformer", "adam")]
)
def test_a_loss_with_the_wrong_sign_is_told_where_it_is_turned(net, rule):
    entropy = nn.CrossEntropyLoss()
    d = examined(net, lambda said, true: -entropy(said, true), rule, 10)
    (found,) = d.findings
    assert found.fault == "diverging loss"
    assert "no floor" in found.symptom
    assert found.where.op == "neg"
    mended = d.apply(found)
    course = mended.train(STEPS)
    assert 0 < course[-1] < course[0]


def test_a_loss_without_a_floor_either_way_is_told_without_a_remedy():
    x, _ = rows("mlp")
    (found,) = examined("mlp", lambda said, _: -said.mean(), factor=10, batch=(x, gg.randn(len(x), 4))).findings
    assert found.fault == "diverging loss"
    assert not found.remedy


PLAIN = {
    "squares": (nn.MSELoss(), lambda y: nn.functional.one_hot(y, 4).float(), True, False),
    "cross entropy": (nn.CrossEntropyLoss(), lambda y: y, True, False),
    "distances": (nn.L1Loss(), lambda y: nn.functional.one_hot(y, 4).float(), True, False),
    "minus the mean": (lambda said, _: -said.mean(), lambda y: y, True, True),
    "minus the squares": (lambda said, _: -(said**2).mean(), lambda y: y, False, True),
    "a share": (lambda said, _: said.sigmoid().mean(), lambda y: y, False, False),
    "a cosine": (
        lambda said, to: -nn.functional.cosine_similarity(said, to).mean(),
        lambda y: nn.functional.one_hot(y, 4).float(),
        False,
        False,
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_which_losses_have_a_bound(name):
    """By what they are: squares grow for ever, a sigmoid stays between 0 and 1, a cosine between -1 and 1."""
    loss, of, up, down = PLAIN[name]
    gg.manual_seed(0)
    x, y = rows("mlp")
    model = NETS["mlp"]()
    patient = Patient(model, loss, RULES["sgd"](model.parameters()), [(x, of(y))])
    assert (boundless(patient, 1), boundless(patient, -1)) == (up, down)


def test_a_loss_that_comes_to_rest_below_zero_does_not_run_down():
    steps = np.arange(100)
    assert not runs_down(list(-1 + np.exp(-steps / 20)))
    assert runs_down(list(0.5 - 0.1 * steps))
    assert runs_down([0.1, *(-(1.5**steps))])
    assert runs_down([0.1, -1, -1e5, -1e20, -1e38, -1e38, -1e38, -math.inf])


def test_a_cosine_that_is_learned_is_let_be():
    gg.manual_seed(0)
    x, y = rows("mlp")
    target = nn.functional.one_hot(y, 4).float()
    loss = lambda said, true: -nn.functional.cosine_similarity(said, true).mean()  # noqa: E731
    assert not examined("mlp", loss, "adam", batch=(x, target)).findings


@pytest.mark.parametrize("momentum", [0.98, 0.995])
def test_a_heavy_momentum_that_swings_is_told(momentum):
    """A bowl whose curvature bears the rate: by the closed form it swings, since its roots are complex, and dies away
    only as the root of the momentum to the power of the steps."""
    gg.manual_seed(0)
    x = gg.randn(64, 3)
    y = x.sum(1, keepdim=True)
    net = nn.Linear(3, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.2, momentum=momentum)
    (found,) = check(net, nn.MSELoss(), (x, y), optimizer=optimizer, steps=STEPS).findings
    assert found.fault == "oscillating loss"
    assert found.proof.holds
    assert check(net, nn.MSELoss(), (x, y), optimizer=optim.SGD(net.parameters(), lr=0.2), steps=STEPS).findings == []


def policy(weigh, steps=120):
    """REINFORCE, which learns on which side of 0 the first number is: what the doctor says, and the rewards."""
    gg.manual_seed(0)
    random = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = optim.Adam(net.parameters(), lr=0.01)
    rewards = []
    with watch(net, opt, steps=STEPS) as d:
        for _ in range(steps):
            seen = random.standard_normal((64, 4)).astype(np.float32)
            scores = net(gg.tensor(seen))
            chance = scores.softmax(-1).detach().numpy()[:, 0]
            did = (random.random(64) > chance).astype(np.int64)
            got = (did == (seen[:, 0] > 0)).astype(np.float32)
            loss = weigh(scores, gg.tensor(did), gg.tensor(got - got.mean()))
            opt.zero_grad()
            loss.backward()
            opt.step()
            rewards.append(got.mean())
    return d, rewards


@pytest.mark.parametrize(
    "weigh",
    [
        lambda scores, did, gain: -(nn.functional.log_softmax(scores, -1).gather(1, did[:, None])[:, 0] * gain).mean(),
        lambda scores, did, gain: (nn.functional.cross_entropy(scores, did, reduction="none") * gain).mean(),
    ],
)
def test_a_policy_that_learns_is_let_be(weigh):
    """Its loss has no floor if the same actions are learned again and again, and what was done is no label."""
    d, rewards = policy(weigh)
    assert np.mean(rewards[-10:]) > np.mean(rewards[:10]) + 0.2
    assert not {each.fault for each in d.findings} & {"diverging loss", "shuffled labels"}
