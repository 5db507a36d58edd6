"""What the data are like: scales, columns, classes, labels that are told or that nothing tells; and healthy data."""

import math

import numpy as np
import pytest
from tests.doctor.asked import ask, patient, silent
from tests.doctor.nets import End, Tokens

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor.dependence import TIMES, chances
from glassgrad.doctor.loop import Loop
from glassgrad.doctor.patient import Batch
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rule import RULES
from glassgrad.findings import FAULT, NOTE
from glassgrad.nn import functional as F

UNSCALED, CONSTANT, DUPLICATE = "unscaled inputs", "constant features", "duplicate features"
LEAK, SHUFFLED, IMBALANCE = "leaking label", "shuffled labels", "class imbalance"
ALL = (UNSCALED, CONSTANT, DUPLICATE, LEAK, SHUFFLED, IMBALANCE)


def make(kind, rows=64, out=2):
    """A net, inputs, and classes that can be learned from them."""
    if kind == "mlp":
        net, x = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, out)), gg.randn(rows, 8)
    elif kind == "cnn":
        net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, out))
        x = gg.randn(rows, 1, 6, 6)
    elif kind == "lstm":
        net, x = End(4, out), gg.randn(rows, 5, 4)
    else:
        x = gg.randint(0, 6, (rows, 7))
        return Tokens(6, 12, out, together=True), x, ((x == 2).sum(1) > 1).long()
    return net, x, (x.flatten(1)[:, :3].sum(1) > 0).long()


KINDS = ["mlp", "cnn", "lstm", "transformer"]
LOSS = nn.CrossEntropyLoss()


def batches(x, t, size=32):
    return [(x[at : at + size], t[at : at + size]) for at in range(0, len(x), size)]


def sgd(net, lr=0.05):
    return optim.SGD(net.parameters(), lr=lr)


# -- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["times 100", "0 to 255", "far from 0", "one column", "columns of all sizes"])
@pytest.mark.parametrize("kind", ["mlp", "cnn", "lstm"])
def test_inputs_far_from_a_deviation_of_1(kind, how):
    net, x, t = make(kind)
    each = x.shape[1] if kind == "mlp" else x.shape[-1] if kind == "lstm" else 1
    if (kind == "cnn" and "column" in how) or (kind == "lstm" and how != "far from 0"):
        return  # there are no columns; large numbers only make gates into switches, which learn by heart as well
    scale = gg.ones(each)
    scale[0] = 1e3
    x = {
        "times 100": lambda: x * 100,
        "0 to 255": lambda: (x - x.min()) / (x.max() - x.min()) * 255,
        "far from 0": lambda: x + 50,
        "one column": lambda: x * scale,
        "columns of all sizes": lambda: x * gg.logspace(-1, 3, each),
    }[how]()
    (found,) = ask(UNSCALED, patient(net, LOSS, (x, t), sgd(net, 0.5)), steps=100)
    assert found.evidence["largest input"] == pytest.approx(float(x.abs().max().item()))
    assert found.proof.holds
    new = found.mended.batches[0][0].numpy()
    axes = {"mlp": 0, "lstm": (0, 1), "cnn": (0, 1, 2, 3)}[kind]
    assert new.mean(axes) == pytest.approx(0 * new.mean(axes), abs=1e-4)
    assert new.std(axes) == pytest.approx(0 * new.std(axes) + 1, abs=1e-4)
    silent(found.mended, UNSCALED)


@pytest.mark.parametrize("count", [1, 5])
def test_columns_that_never_change_and_copies_are_notes(count):
    net, x, t = make("mlp")
    still = x.clone()
    still[:, :count] = gg.arange(count).float()
    (found,) = ask(CONSTANT, patient(net, LOSS, (still, t)))
    assert (found.suspicion.weight, found.evidence["constant columns"]) == (NOTE, count)
    copied = gg.cat([x, x[:, :count], 2.54 * x[:, :count] + 1], 1)
    wide = nn.Sequential(nn.Linear(8 + 2 * count, 4), nn.ReLU(), nn.Linear(4, 2))
    (found,) = ask(DUPLICATE, patient(wide, LOSS, (copied, t)))
    assert (found.suspicion.weight, found.evidence["copies"]) == (NOTE, 2 * count)
    assert found.where.entry == (8,)
    assert found.evidence["of column"] == 0


# -- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rare", [0.02, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_is_nearly_all_there_is(kind, rare):
    net, x, _ = make(kind, 256)
    t = (gg.arange(256) < round(256 * rare)).long()
    net.eval()
    (found,) = ask(IMBALANCE, patient(net, LOSS, batches(x, t.roll(128)), sgd(net, 0.02)))
    p = round(256 * rare) / 256
    assert found.evidence["share of the largest class"] == pytest.approx(1 - p)
    assert found.evidence["loss of always saying so"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p))
    assert found.suspicion.weight == FAULT
    assert found.evidence["share of the others that the net tells"] == 0
    assert found.proof.holds
    again = np.concatenate([t.numpy() for _, t in found.mended.batches])
    assert again.mean() == pytest.approx(0.5, abs=0.05)


def test_yes_or_no_counts_as_classes_and_a_net_that_tells_the_rare_one_gets_a_note():
    net, x, _ = make("mlp", 200, 1)
    t = (gg.arange(200) % 20 == 0).float()[:, None]
    (found,) = ask(IMBALANCE, patient(net, nn.BCEWithLogitsLoss(), (x, t), sgd(net, 0.01)))
    assert found.suspicion.weight == FAULT
    x = x + 4 * t
    (found,) = ask(IMBALANCE, patient(net, nn.BCEWithLogitsLoss(), (x, t)), steps=150)
    assert found.suspicion.weight == NOTE
    assert found.evidence["share of the others that the net tells"] == 1


def test_rows_in_the_order_of_their_classes_are_shuffled():
    net, x, t = make("mlp", 160)
    order = gg.tensor(np.argsort(t.numpy(), kind="stable"))
    given = patient(net, LOSS, batches(x[order], t[order], 16), sgd(net, 0.5))
    silent(given, IMBALANCE, steps=60)
    (found,) = ask("oscillating loss", given, steps=60)
    assert found.evidence["share of a batch that is of one kind"] == 1
    assert found.proof.holds
    silent(found.mended, IMBALANCE, "oscillating loss")


@pytest.mark.parametrize("rows", [1, 2])
def test_a_batch_of_few_rows_is_of_one_class_by_chance(rows):
    net, x, t = make("mlp")
    given = patient(net, LOSS, batches(x, t, rows))
    assert not list(RULES[IMBALANCE].looks(Probe(given, 10)))


def test_an_output_that_never_is_right_is_a_note():
    net, x, t = make("mlp", 300, 4)
    (found,) = ask(IMBALANCE, patient(net, LOSS, (x, t)))
    assert (found.suspicion.weight, found.evidence["classes that never are a target"]) == (NOTE, 2)


# -- labels that are told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tell",
    [
        lambda t: t.float(),
        lambda t: 3 - 2 * t.float(),
        lambda t: t.float() + 0.001 * gg.randn(len(t)),
        lambda t: gg.exp(t.float()),
        lambda t: F.one_hot(t, 3).float(),
    ],
)
@pytest.mark.parametrize("count", [60, 300])
def test_a_column_that_is_the_class(tell, count):
    t = gg.randint(0, 3, (count,))
    told = tell(t).reshape(count, -1)
    x = gg.cat([gg.randn(count, 4), told, gg.randn(count, 3)], 1)
    net = nn.Linear(x.shape[1], 3)
    (found,) = ask(LEAK, patient(net, LOSS, batches(x, t)))
    places = [found.where.entry[0], *(each.entry[0] for each in found.suspicion.also)]
    assert places == list(range(4, 4 + told.shape[1]))
    assert found.evidence["share that label and column tell"] > 0.999


@pytest.mark.parametrize("tell", [lambda t: t, lambda t: 5 - 3 * t, gg.exp, lambda t: -(t**3)])
@pytest.mark.parametrize("count", [40, 300])
def test_a_column_that_is_the_number(tell, count):
    x = gg.randn(count, 6)
    t = x[:, :1] + 0.5 * gg.randn(count, 1)
    x = gg.cat([x, tell(t)], 1)
    (found,) = ask(LEAK, patient(nn.Linear(7, 1), nn.MSELoss(), batches(x, t)))
    assert found.where.entry == (6,)


# -- labels that nothing tells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [256, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_in_another_order_than_their_inputs(kind, count):
    net, x, t = make(kind, count)
    silent(patient(net, LOSS, batches(x, t), loop=Loop()), SHUFFLED)
    orders = [patient(net, LOSS, batches(x, t[gg.randperm(count)]), loop=Loop()) for _ in range(3)]
    found = [each for given in orders for each in ask(SHUFFLED, given)]
    assert len(found) >= 2  # one order in some dozens is as good as none by chance
    for each in found:
        assert each.suspicion.weight == FAULT
        assert all(1 / (1 + TIMES) < p <= 1 for name, p in each.evidence.items() if name.startswith("p of"))


def test_numbers_in_another_order_and_in_a_single_batch_a_note():
    x = gg.randn(300, 5)
    t = x[:, :1] * x[:, 1:2] + 0.1 * gg.randn(300, 1)
    net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    silent(patient(net, nn.MSELoss(), (x, t)), SHUFFLED)
    (found,) = ask(SHUFFLED, patient(net, nn.MSELoss(), (x, t[gg.randperm(300)])))
    assert found.suspicion.weight == NOTE


def test_the_same_rows_with_other_labels_each_time():
    net, x, t = make("mlp", 64)
    (found,) = ask(SHUFFLED, patient(net, LOSS, [(x, t[gg.randperm(64)]) for _ in range(4)]))
    assert found.evidence["rows that come again"] == 3 * 64
    assert found.evidence["share of them with another label"] == pytest.approx(0.5, abs=0.15)
    silent(patient(net, LOSS, [(x, t)] * 4), SHUFFLED)


def test_labels_that_belong_to_the_row_before_are_moved_back():
    net, x, t = make("mlp", 256)
    (found,) = ask(SHUFFLED, patient(net, LOSS, (x, t.roll(1)), sgd(net, 0.5)), steps=60)
    assert found.proof.holds
    assert gg.equal(found.mended.batches[0][1], t)


def test_few_rows_say_nothing():
    for count in (16, 32, 150):
        net, x, t = make("mlp", count)
        silent(patient(net, LOSS, (x, t[gg.randperm(count)])), SHUFFLED)


RELATIONS = {
    "linear": lambda x, r: x[:, 0] - x[:, 1],
    "a square": lambda x, r: x[:, 0] ** 2,
    "a product": lambda x, r: x[:, 0] * x[:, 1],
    "the sign of a product": lambda x, r: (x[:, 0] * x[:, 1] > 0).astype(int),
    "a ring": lambda x, r: (np.hypot(x[:, 0], x[:, 1]) > 1.2).astype(int),
    "a wave": lambda x, r: np.sin(3 * x[:, 0]),
}


@pytest.mark.parametrize("name", RELATIONS)
def test_what_depends_on_something_is_found_by_some_test(name):
    r = np.random.default_rng(0)
    x = r.standard_normal((256, 4))
    y = RELATIONS[name](x, r)
    assert min(p for _, p in chances(x, y)) == pytest.approx(1 / 200)


def test_where_nothing_depends_on_anything_each_p_is_uniform():
    r = np.random.default_rng(1)
    found = np.array([[p for _, p in chances(r.standard_normal((60, 3)), r.integers(0, 3, 60))] for _ in range(60)])
    assert found.mean(0) == pytest.approx(np.full(4, 0.5), abs=4 / math.sqrt(12 * 60))  # 4 deviations of the mean
    assert np.mean(found <= 1 / 200) < 0.05


# -- healthy data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [32, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_healthy_data_are_let_be(kind, rows):
    net, x, t = make(kind, rows)
    silent(patient(net, LOSS, batches(x, t)), *ALL)
    mixed = t[gg.randperm(rows)] if rows == 32 else t  # random labels on one small batch are usual in tests
    silent(patient(net, LOSS, (x, mixed)), *ALL)


def test_healthy_tables():
    x = gg.randn(200, 5)
    silent(patient(nn.Linear(5, 1), nn.MSELoss(), (x, x[:, :1] * 2 + x[:, 1:2])), *ALL)
    silent(patient(nn.Linear(1, 1), nn.MSELoss(), (x[:, :1], 3 * x[:, :1] + 2)), *ALL)  # a line through points
    silent(patient(nn.Linear(5, 2), LOSS, (x, (x[:, 0] > 0).long())), *ALL)  # a class that one column decides
    tenth = (gg.arange(200) % 10 == 0).long()
    silent(patient(nn.Linear(5, 2), LOSS, (x + 3 * tenth[:, None], tenth)), *ALL)
    kinds = gg.randint(0, 6, (200,))
    silent(patient(nn.Linear(6, 6), LOSS, (F.one_hot(kinds, 6).float(), kinds)), *ALL)
    silent(patient(nn.Linear(6, 2), LOSS, (F.one_hot(kinds, 6).float(), kinds % 2)), *ALL)
    pixels = gg.rand(200, 1, 6, 6) * 0.5 + 0.5 * (gg.arange(200) % 2).reshape(-1, 1, 1, 1)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    silent(patient(net, LOSS, (pixels, gg.arange(200) % 2)), *ALL)
    apart = 4 * gg.randn(3, 5)[gg.arange(200) % 3] + 0.01 * gg.randn(200, 5)  # clusters far from each other
    silent(patient(nn.Linear(5, 3), LOSS, (apart, gg.arange(200) % 3)), *ALL)
    time = gg.arange(220).float() * 0.01
    windows = gg.stack([gg.sin(time[n : n + 200]) for n in range(12)], 1)
    silent(patient(nn.Linear(11, 1), nn.MSELoss(), (windows[:, :11], windows[:, 11:])), LEAK, DUPLICATE, SHUFFLED)
    truth = gg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]).repeat(8, 1)
    silent(patient(nn.Linear(2, 1), nn.MSELoss(), (truth, (truth.sum(1, keepdim=True) == 1).float())), *ALL)


def test_what_sequences_have_at_each_place_are_columns_too():
    x = gg.randn(64, 5, 4)
    t = (x[:, :, 0].sum(1) > 0).long()
    net = End(4, 2)
    still = x.clone()
    still[:, :, 2] = 1.5
    (found,) = ask(CONSTANT, patient(net, LOSS, (still, t)))
    assert found.where.entry == (2,)
    copied = x.clone()
    copied[:, :, 3] = 2 * x[:, :, 1]
    (found,) = ask(DUPLICATE, patient(net, LOSS, (copied, t)))
    assert (found.where.entry, found.evidence["of column"]) == ((3,), 1)
    told = x.clone()
    told[:, :, 1] = t[:, None].float()
    (found,) = ask(LEAK, patient(net, LOSS, (told, t)))
    assert found.where.entry == (1,)
    first = x.clone()  # to remember what stood first is a task, and no leak
    first[:, 0, 0] = t.float()
    silent(patient(net, LOSS, (first, t)), *ALL)


def test_several_numbers_for_each_row_in_another_order():
    x = gg.randn(400, 6)
    t = gg.stack([x[:, 0] + x[:, 1], x[:, 2] * x[:, 3]], 1) + 0.1 * gg.randn(400, 2)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    silent(patient(net, nn.MSELoss(), batches(x, t)), SHUFFLED)
    assert sum(len(ask(SHUFFLED, patient(net, nn.MSELoss(), batches(x, t[gg.randperm(400)])))) for _ in range(3)) >= 2


def test_small_numbers_far_from_0():
    net, x, t = make("mlp")
    (found,) = ask(UNSCALED, patient(net, LOSS, (0.1 * x + 5, t), sgd(net, 0.5)), steps=100)
    assert found.evidence["largest input"] < 6
    assert found.evidence["mean against deviation, of the column in the middle"] > 30
    assert found.proof.holds


def test_a_task_that_a_net_does_not_learn_in_a_trial_is_no_shuffled_one():
    net, x, t = make("mlp", 256)
    silent(patient(net, LOSS, batches(x, t), sgd(net, 1e-7), loop=Loop()), SHUFFLED)


def test_columns_that_nearly_all_tell_the_class_are_an_easy_task():
    wide = gg.tensor([0.01, 0.6, 0.6, 0.6, 0.6])
    x = 4 * (gg.arange(200) % 3).float()[:, None] + wide * gg.randn(200, 5)
    silent(patient(nn.Linear(5, 3), LOSS, (x, gg.arange(200) % 3)), LEAK)


def test_pixels_that_are_hardly_ever_inked_are_no_shift():
    ink = gg.rand(256, 64)
    ink[:, :8] = (gg.arange(256) == 0).float()[:, None] * 0.1
    x = (ink - 0.3) / 0.38
    t = (x[:, 10] > x[:, 20]).long()
    net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
    assert float(((x.mean(0)).abs() / x.std(0)).max().item()) > 40
    given = patient(net, LOSS, batches(x, t), sgd(net, 0.01))
    assert not [*RULES[UNSCALED].looks(Probe(given, 10))]


def words(rows, columns, share=0.05):
    """Which words a text has: most have few of them."""
    return (gg.rand(rows, columns) < share).float()


@pytest.mark.parametrize("rows", [8, 32, 100])
def test_words_that_no_text_has_or_that_come_together_by_chance_are_let_be(rows):
    x = words(rows, 100)
    assert (x.numpy().max(0) == 0).any() or rows == 100
    net = nn.Sequential(nn.Linear(100, 16), nn.ReLU(), nn.Linear(16, 1))
    silent(patient(net, F.mse_loss, (x, x @ gg.randn(100, 1))), CONSTANT, DUPLICATE, steps=2)


def test_pixels_that_are_hardly_ever_inked_are_let_be():
    """The further from the middle, the rarer: by chance some have no ink, and some have it in one image."""
    x = gg.rand(64, 400) * (gg.rand(64, 400) < gg.linspace(0.5, 0.0005, 400)).float()
    assert (x.numpy().max(0) == 0).any()
    silent(patient(nn.Linear(400, 1), F.mse_loss, (x, x[:, :1])), CONSTANT, DUPLICATE, steps=2)


def test_columns_beside_words_that_are_no_chance_are_told():
    x = gg.cat([words(64, 20, 0.4), gg.ones(64, 1) * 3], 1)
    x = gg.cat([x, x[:, 4:5]], 1)
    given = patient(nn.Linear(22, 1), F.mse_loss, (x, x[:, :1]))
    assert [each.where.entry for each in ask(CONSTANT, given, 2)] == [(20,)]
    assert [each.where.entry for each in ask(DUPLICATE, given, 2)] == [(21,)]


def test_labels_that_the_loss_ignores_are_no_class():
    x, t = gg.randn(256, 8), gg.full((256,), -100)
    t[:24] = gg.arange(24) % 3
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    silent(patient(net, F.cross_entropy, (x, t)), IMBALANCE)
    t[:24] = (gg.arange(24) == 0).long()
    (found,) = ask(IMBALANCE, patient(net, F.cross_entropy, (x, t)))
    assert found.evidence["share of the largest class"] == 23 / 24


def test_labels_below_0_that_the_loss_hears_are_a_class():
    """Of -1 and 1 a hinge loss takes both."""
    x, t = gg.randn(64, 8), gg.ones(64).long()
    t[3:] = -1
    net = nn.Linear(8, 1)
    (found,) = ask(IMBALANCE, patient(net, lambda y, t: (1 - y[:, 0] * t).relu().mean(), (x, t)))
    assert found.evidence["share of the largest class"] == 61 / 64


@pytest.mark.parametrize(("noise", "told"), [(0.1, False), (100.0, True)])
def test_rows_that_come_again_with_other_numbers(noise, told):
    """Numbers that differ a little are noisy, or get better; those of other rows are shuffled."""
    x = gg.randn(64, 8)
    seen = [(x, x[:, :1] + noise * gg.randn(64, 1)) for _ in range(4)]
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    assert len(ask(SHUFFLED, patient(net, F.mse_loss, seen))) == told


def test_remedies_keep_what_goes_in_by_name():
    class Scaled(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x, *, by):
            return self.net(x) * by

    net, x, t = make("mlp")
    seen = [Batch.like((), each) for each in batches(50 * x, t)]
    for each in seen:
        each.named = {"by": 2.0}
    given = patient(Scaled(net), LOSS, seen, sgd(net, 0.3))
    (found,) = ask(UNSCALED, given)
    assert [each.named for each in found.mended.batches] == [{"by": 2.0}] * len(seen)
