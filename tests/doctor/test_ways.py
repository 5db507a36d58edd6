"""Further ways in which faults come about, each with its healthy twin."""

import math

import numpy as np
import pytest
from tests.doctor.asked import ask, patient, silent

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import examine_text
from glassgrad.doctor.bottlenecks import bottleneck, order_is_lost
from glassgrad.doctor.free import best_of
from glassgrad.doctor.habits import disturbance, turned
from glassgrad.doctor.layers import layers_of
from glassgrad.doctor.patient import Batch
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rules.noise import time_comes_first
from glassgrad.findings import FAULT
from glassgrad.nn import functional as F

MSE, CROSS = nn.MSELoss(), nn.CrossEntropyLoss()


class Both(nn.Module):
    """Two inputs, one after the other."""

    def __init__(self, first=4, second=3, out=1):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(first + second, 16), nn.Tanh(), nn.Linear(16, out))

    def forward(self, a, b):
        return self.net(gg.cat([a, b], 1))


class Fused(nn.Module):
    """Names of two things: a number for each pair of them."""

    def __init__(self, std=1.0):
        super().__init__()
        self.a, self.b = nn.Embedding(12, 8), nn.Embedding(12, 8)
        self.net = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 2))
        for table in (self.a, self.b):
            nn.init.normal_(table.weight, std=std)

    def forward(self, a, b):
        return self.net(gg.cat([self.a(a), self.b(b)], 1))


def parts(count, *tensors):
    """Batches of these rows."""
    return [Batch(each) for each in zip(*(t.split(count) for t in tensors), strict=True)]


def told(fault, given, steps=60):
    found = ask(fault, given, steps)
    assert found, fault
    return found[0]


# -- inputs -----------------------------------------------------------------------------------------------------------


def test_columns_of_the_second_input():
    a, b = gg.randn(64, 4), gg.randn(64, 3)
    y = a[:, :1] - b[:, :1]
    silent(patient(Both(), MSE, Batch((a, b, y))), "unscaled inputs", "constant features", "duplicate features")
    b[:, 1] = 0.7
    found = told("constant features", patient(Both(), MSE, Batch((a, b, y))))
    assert found.evidence["input, counted from 1"] == 2 and found.where.entry == (1,)
    b[:, 1] = 3 * b[:, 0]
    assert told("duplicate features", patient(Both(), MSE, Batch((a, b, y)))).where.entry == (1,)


def test_only_the_input_that_is_unscaled_is_scaled():
    a, b = gg.rand(64, 4), gg.randn(64, 3)
    y = a[:, :1] - b[:, :1]
    given = patient(Both(), MSE, Batch((a, 500 + 900 * b, y)))
    found = told("unscaled inputs", given)
    treated = found.mended.batches[0]
    assert treated[1].mean().item() == pytest.approx(0, abs=1e-5) and treated[0].tolist() == a.tolist()


def test_masks_and_states_are_no_features():
    a, mask, state = gg.randn(64, 4), gg.ones(64, 3), gg.full((64, 3), 0.5)
    y = a[:, :1]
    for other in (mask, state):
        silent(patient(Both(), MSE, Batch((a, other, y))), "constant features", "duplicate features")


def test_the_label_in_the_second_input_or_at_one_place_of_a_sequence():
    a, y = gg.randn(96, 4), gg.randint(0, 2, (96,))
    b = gg.randn(96, 3)
    b[:, 2] = 4 * y.float() + 0.1 * gg.randn(96)
    found = told("leaking label", patient(Both(out=2), CROSS, Batch((a, b, y))))
    assert found.evidence["input, counted from 1"] == 2 and found.where.entry == (2,)
    x, y = gg.randn(96, 5, 2), gg.randint(0, 5, (96,))
    net = nn.Sequential(nn.Flatten(), nn.Linear(10, 5))
    x[:, 3, 1] = y.float()  # to be recalled
    silent(patient(net, CROSS, Batch((x, y))), "leaking label")
    x[:, :, 1] = F.one_hot(y, 5).float()
    assert told("leaking label", patient(net, CROSS, Batch((x, y)))).where.entry == (1,)


def test_counts_that_are_told_by_their_logarithm():
    a, y = gg.randn(96, 4), gg.randint(0, 12, (96,)).float()
    a[:, 1] = gg.log(1 + y)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
    assert told("leaking label", patient(net, nn.PoissonNLLLoss(), Batch((a, y)))).where.entry == (1,)


@pytest.mark.parametrize("mixed", [True, False])
def test_labels_of_two_inputs(mixed):
    gg.manual_seed(1)
    a, b = gg.randint(0, 12, (320,)), gg.randint(0, 12, (320,))
    y = (a + b > 11).long()
    given = patient(Fused(), CROSS, parts(32, a, b, y[gg.randperm(320)] if mixed else y))
    if mixed:
        assert told("shuffled labels", given).where.module == "the targets"
    else:
        silent(given, "shuffled labels")


# -- rates, starts and gradients --------------------------------------------------------------------------------------


def test_a_rate_of_zero_in_every_step():
    x = gg.randn(32, 4)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    rule = optim.Adam(net.parameters(), lr=0.01)
    given = patient(net, MSE, Batch((x, x[:, :1])), rule)
    silent(given, "too low a rate")
    rule.param_groups[0].update(lr=0.0, initial_lr=0.02)
    found = told("too low a rate", given)
    assert found.mended.optimizer.param_groups[0]["lr"] == 0.02


def test_a_rate_that_makes_the_loss_grow_where_lower_ones_leave_it():
    gg.manual_seed(0)
    x, y = gg.randn(64, 8), (gg.rand(64) < 0.5).float()
    net = nn.Sequential(nn.Linear(8, 1), nn.Flatten(0))
    with gg.no_grad():
        net[0].weight.zero_()
    loss = nn.BCEWithLogitsLoss()
    batches = parts(8, x, y)
    silent(patient(net, loss, batches, optim.SGD(net.parameters(), lr=0.05)), "too high a rate")
    assert told("too high a rate", patient(net, loss, batches, optim.SGD(net.parameters(), lr=60.0))).proof.holds


def test_tables_that_begin_far_too_large():
    gg.manual_seed(0)
    a, b = gg.randint(0, 12, (128,)), gg.randint(0, 12, (128,))
    y = (a * b % 3 == 0).long()
    silent(patient(Fused(), CROSS, Batch((a, b, y))), "too large a start")
    found = told("too large a start", patient(Fused(60.0), CROSS, Batch((a, b, y))), 150)
    assert found.where.module == "a.weight" and found.suspicion.also[0].module == "b.weight"


def test_zeros_that_decay_moves_and_no_gradient():
    x = gg.randn(32, 4)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    rule = optim.SGD(net.parameters(), lr=0.01, weight_decay=0.1)
    silent(patient(net, MSE, Batch((x, x[:, :1])), rule), "zero gradient")
    found = told("zero gradient", patient(net, lambda y, t: MSE(gg.round(y), t), Batch((x, x[:, :1])), rule))
    assert found.where.op == "round"


def test_what_squashes_is_saturated_and_steps_are_not():
    x = gg.randn(32, 4)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    nn.init.constant_(net[0].bias, 40.0)
    given = patient(net, MSE, Batch((x, x[:, :1])))
    silent(given, "zero gradient")
    assert told("saturated activations", given).where.op == "tanh"
    steps = patient(
        nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 1)), lambda y, t: MSE(gg.sign(y), t), Batch((x, x[:, :1]))
    )
    silent(steps, "saturated activations")
    assert told("zero gradient", steps).where.op == "sign"


def test_exponentials_of_which_nothing_is_left():
    x = 0.2 * gg.randn(32, 4)

    class Bells(nn.Module):
        def __init__(self, sharp):
            super().__init__()
            self.first, self.last, self.sharp = nn.Linear(4, 16), nn.Linear(16, 1), sharp

        def forward(self, x):
            return self.last(gg.exp(-((self.sharp * (self.first(x) - 3)) ** 2)))

    silent(patient(Bells(0.3), MSE, Batch((x, x[:, :1]))), "underflow")
    assert told("underflow", patient(Bells(12.0), MSE, Batch((x, x[:, :1])))).where.op == "exp"


def test_gradients_that_are_not_those_that_arrived():
    random = np.random.default_rng(0)
    g, w = random.normal(size=(20, 20)), random.normal(size=(20, 20))
    near = [(g, each, w) for each in (g, g * 0.1, np.clip(g, -0.5, 0.5), g + 0.3 * w, g + 0.1 * np.sign(w))]
    assert all(disturbance([each]) < 1e-9 and not turned([each]) for each in near)
    assert disturbance([(g, g + random.normal(size=(20, 20)), w)]) == pytest.approx(1, rel=0.1)
    assert turned([(g, -g, w)]) and not disturbance([])


LOOP = """
import glassgrad as gg
from glassgrad import nn
gg.manual_seed(0)
x = gg.randn(64, 4)
y = x[:, :1] - x[:, 1:2]
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
opt = gg.optim.SGD(net.parameters(), lr=0.05)
for step in range(60):
    opt.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    for p in net.parameters():
        CHANGE
    opt.step()
"""


@pytest.mark.parametrize(
    "change, fault",
    [
        ("p.grad.neg_()", "diverging loss"),
        ("p.grad += 4 * gg.randn_like(p.grad)", "gradient noise"),
        ("p.grad.mul_(0.9)", ""),
        ("p.grad += 1e-3 * p.detach()", ""),
    ],
)
def test_a_loop_that_changes_gradients(change, fault):
    found = examine_text(LOOP.replace("CHANGE", change), "loop.py").findings
    assert [each.fault for each in found if each.weight == FAULT] == [fault] * bool(fault)
    assert not fault or "loop.py:14" in found[0].where.line


def test_whole_numbers_that_are_made_leaves_again():
    text = LOOP.replace(
        "nn.functional.mse_loss(net(x), y).backward()", "((net(x) > 0).float().requires_grad_() - y).mean().backward()"
    )
    found = examine_text(text.replace("CHANGE", "pass"), "loop.py").findings
    assert found[0].fault == "no gradient"


# -- modes ------------------------------------------------------------------------------------------------------------

DROPS = """
import glassgrad as gg
from glassgrad import nn
gg.manual_seed(0)
x = gg.randn(64, 4)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 32), nn.Linear(32, 1)
    def forward(self, x):
        return self.last(nn.functional.dropout(gg.relu(self.first(x)), 0.3HOW))
net = Net()
opt = gg.optim.Adam(net.parameters(), lr=0.01)
for step in range(30):
    net.train()
    opt.zero_grad()
    nn.functional.mse_loss(net(x), x[:, :1] * x[:, 1:2]).backward()
    opt.step()
    net.eval()
    with gg.no_grad():
        net(x)
"""


def test_a_function_that_drops_in_evaluation_mode():
    found = examine_text(DROPS.replace("HOW", ""), "drops.py").findings
    assert found[0].fault == "training mode in evaluation" and found[0].where.line.startswith("drops.py:11")
    assert not examine_text(DROPS.replace("HOW", ", self.training"), "drops.py").findings


# -- what cannot be known ---------------------------------------------------------------------------------------------


class Words(nn.Module):
    def __init__(self, places):
        super().__init__()
        self.words, self.places = nn.Embedding(8, 16), nn.Embedding(6, 16) if places else None
        self.layer, self.head = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), nn.Linear(16, 8)

    def forward(self, x):
        h = self.words(x)
        return self.head(self.layer(h if self.places is None else h + self.places.weight)).transpose(1, 2)


@pytest.mark.parametrize("places", [True, False])
def test_a_sequence_whose_order_is_lost(places):
    gg.manual_seed(0)
    x = gg.randint(0, 8, (256, 6))
    given = patient(Words(places), CROSS, Batch((x, x.flip(1))))
    assert order_is_lost(given) is not places
    if places:
        silent(given, "no overfitting of one batch", steps=100)
    else:
        assert "order" in told("no overfitting of one batch", given, 100).suspicion.cause


def test_all_has_to_go_through_one_number():
    gg.manual_seed(0)
    x, y = gg.randn(48, 10), gg.randint(0, 4, (48,))
    wide = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    narrow = nn.Sequential(nn.Linear(10, 1), nn.Tanh(), nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 4))
    for net in (wide, narrow):
        probe = Probe(patient(net, CROSS, Batch((x, y))))
        found = bottleneck(probe, layers_of(probe))
        assert (found is None) if net is wide else (found is not None and found[1] == 1)


def test_layers_without_anything_between_them():
    gg.manual_seed(0)
    x = gg.randn(64, 4)
    y = x[:, :1] ** 2 + x[:, 1:2]
    net = nn.Sequential(nn.Linear(4, 32), nn.Linear(32, 32), nn.Linear(32, 1))
    assert "nonlinearity" in told("no overfitting of one batch", patient(net, MSE, Batch((x, y))), 100).suspicion.cause


@pytest.mark.parametrize("last, loss", [(nn.LogSoftmax(1), nn.NLLLoss()), (nn.Identity(), CROSS)])
def test_free_answers_stay_logarithms_of_probabilities(last, loss):
    x, y = gg.randn(60, 4), gg.tensor([0, 0, 1] * 20)
    given = patient(nn.Sequential(nn.Linear(4, 2), last), loss, Batch((x, y)))
    outputs = given.predict(given.batches[0])
    share = 1 / 3
    entropy = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert best_of(given, outputs, np.zeros(60, int)) == pytest.approx(entropy, rel=1e-3)


# -- losses -----------------------------------------------------------------------------------------------------------

SUMS = {
    "dot": "e @ e",
    "rows of some": "((net(x)[rows] - y[rows]) ** 2).sum()",
    "one by one": "sum(((a - b) ** 2).sum() for a, b in zip(net(x), y))",
    "mean": "(e ** 2).mean()",
}


@pytest.mark.parametrize("how", SUMS)
def test_sums_of_all_kinds(how):
    text = LOOP.replace("CHANGE", "pass").replace(
        "nn.functional.mse_loss(net(x), y).backward()",
        f"e = (net(x) - y)[:, 0]; rows = gg.arange(0, 64, 2); ({SUMS[how]}).backward()",
    )
    found = [each.fault for each in examine_text(text, "sums.py").findings]
    assert ("a loss that is a sum" in found) is (how != "mean"), found


def test_targets_of_one_head_that_broadcast():
    text = LOOP.replace("CHANGE", "pass").replace(
        "nn.functional.mse_loss(net(x), y).backward()",
        "e = net(x); (nn.functional.smooth_l1_loss(e, y[:, 0]) + 0.1 * (e ** 2).mean()).backward()",
    )
    with pytest.warns(UserWarning, match="broadcast|size"):
        found = examine_text(text, "pairs.py").findings
    assert found[0].fault == "shapes that broadcast in the loss"


@pytest.mark.parametrize("targets", ["(y > 0).float()", "2 * (y > 0).float() - 1"])
def test_yes_and_no_as_1_and_minus_1_beside_another_term(targets):
    loss = f"z = net(x); (F.binary_cross_entropy_with_logits(z, {targets}) + 0.5 * gg.sigmoid(z).mean()).backward()"
    text = LOOP.replace("CHANGE", "pass").replace("nn.functional.mse_loss(net(x), y).backward()", loss)
    found = examine_text("from glassgrad.nn import functional as F\n" + text, "signs.py").findings
    assert ([each.fault for each in found[:1]] == ["labels out of range"]) is ("2 *" in targets)
    assert F is not None


# -- what is not the optimizer's --------------------------------------------------------------------------------------


def test_tensors_in_attributes_count_if_a_step_gives_them_a_gradient():
    class Net(nn.Module):
        def __init__(self, used):
            super().__init__()
            self.layer, self.used = nn.Linear(4, 1), used
            self.scale = [gg.ones(1, requires_grad=True)]

        def forward(self, x):
            return self.layer(x) * (self.scale[0] if self.used else 1)

    x = gg.randn(32, 4)
    silent(patient(Net(False), MSE, Batch((x, x[:, :1]))), "parameters outside of the optimizer")
    assert (
        told("parameters outside of the optimizer", patient(Net(True), MSE, Batch((x, x[:, :1])))).proof.holds
        is not None
    )


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_have_time_first_unless_they_are_told(layer, first):
    x = gg.randn(8, 3, 2)
    given = patient(layer(2, 4, batch_first=not first), lambda y, t: MSE(y[0], t), Batch((x, gg.randn(8, 3, 4))))
    assert time_comes_first(given) is first
    assert not time_comes_first(patient(nn.Linear(2, 4), MSE, Batch((x, gg.randn(8, 3, 4)))))


# -- rows in order, words ahead ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize("shuffled", [True, False])
def test_rows_in_the_order_of_their_targets(kind, shuffled):
    gg.manual_seed(0)
    x = gg.randn(256, 6)
    number = x[:, 0] + x[:, 1] ** 2
    y = (number * 2).clamp(0, 3).long() if kind == "classes" else number[:, None]
    order = gg.randperm(256) if shuffled else number.argsort()
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4 if kind == "classes" else 1))
    loss = CROSS if kind == "classes" else MSE
    given = patient(net, loss, parts(16, x[order], y[order]), optim.SGD(net.parameters(), lr=0.2))
    if shuffled:
        silent(given, "oscillating loss", "class imbalance")
    else:
        found = told("oscillating loss", given, 160)
        assert "order" in found.suspicion.cause and found.proof.holds
        silent(given, "class imbalance")


class Causal(nn.Module):
    def __init__(self, masked, turned=False):
        super().__init__()
        self.words, self.places, self.head = nn.Embedding(9, 16), nn.Parameter(gg.randn(7, 16)), nn.Linear(16, 9)
        self.masked, self.turned = masked, turned

    def forward(self, x):
        h = (self.words(x) + self.places).unsqueeze(1)
        said = self.head(F.scaled_dot_product_attention(h, h, h, is_causal=self.masked)[:, 0])
        return said.transpose(1, 2) if self.turned else said


@pytest.mark.parametrize("turned", [True, False])
def test_words_that_are_seen_before_they_are_told(turned):
    text = gg.randint(0, 9, (16, 8))
    batch = Batch((text[:, :-1], text[:, 1:]))
    loss = CROSS if turned else lambda y, t: CROSS(y.reshape(-1, 9), t.reshape(-1))
    silent(patient(Causal(True, turned), loss, batch), "leaking label")
    found = told("leaking label", patient(Causal(False, turned), loss, batch))
    assert found.evidence["places whose predictions change"] == 6
    other = Batch((text[:, :-1], gg.randint(0, 9, (16, 7))))  # to say something else of each word is another task
    silent(patient(Causal(False, turned), loss, other), "leaking label")


def test_one_of_several_labels_in_the_inputs():
    x, y = gg.randn(96, 5), (gg.rand(96, 3) < 0.5).float()
    net, loss = nn.Linear(5, 3), nn.BCEWithLogitsLoss()
    silent(patient(net, loss, Batch((x, y))), "leaking label")
    x[:, 4] = 2 * y[:, 1] - 1
    assert told("leaking label", patient(net, loss, Batch((x, y)))).where.entry == (4,)


@pytest.mark.parametrize("share", [1.0, 0.5, 12.0])
def test_a_share_of_a_loss_that_takes_the_softmax_twice(share):
    x, y = gg.randn(60, 4), gg.randint(0, 5, (60,))
    net = nn.Linear(4, 5)
    silent(patient(net, lambda p, t: share * CROSS(p, t), Batch((x, y))), "softmax before a loss that has one")
    twice = patient(net, lambda p, t: share * CROSS(p.softmax(1), t), Batch((x, y)))
    assert told("softmax before a loss that has one", twice).where.op == "softmax"


def test_a_loss_that_falls_with_the_logarithm_for_ever():
    gg.manual_seed(0)
    x = gg.randn(64, 4)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    ratio = patient(net, lambda y, t: 10 * (4.0 / ((y - t) ** 2).mean()).log(), Batch((x, x[:, :1])))
    ratio.optimizer.param_groups[0]["lr"] = 0.05
    assert "floor" in told("diverging loss", ratio, 200).suspicion.symptom
    silent(patient(net, lambda y, t: (1 + (y - t) ** 2).log().mean(), Batch((x, x[:, :1]))), "diverging loss")


def test_vectors_with_a_wild_rate_of_their_own():
    gg.manual_seed(0)
    x, y = gg.randn(64, 6), gg.randint(0, 3, (64,))
    net = nn.Sequential(nn.Linear(6, 24), nn.LayerNorm(24), nn.ReLU(), nn.Linear(24, 3))
    flat, deep = [p for p in net.parameters() if p.ndim < 2], [p for p in net.parameters() if p.ndim > 1]

    def rule(lr):
        return optim.Adam([{"params": deep}, {"params": flat, "lr": lr}], lr=0.005)

    silent(patient(net, CROSS, Batch((x, y)), rule(0.005)), "weights that move wildly")
    assert told("weights that move wildly", patient(net, CROSS, Batch((x, y)), rule(3.0))).proof.holds


def test_rectifiers_that_unscaled_inputs_put_below_0_are_the_inputs_doing():
    gg.manual_seed(0)
    x = gg.rand(64, 4)
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    with gg.no_grad():
        net[0].weight.copy_(-net[0].weight.abs())
    given = patient(net, MSE, Batch((900 + 100 * x, x[:, :1])))
    silent(given, "dead rectifiers")
    assert ask("unscaled inputs", given)
