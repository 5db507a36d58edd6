"""The diagnosis recipe against outside truths: ranks, completeness, a line search, and rows that must not be seen."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

import glassgrad as gg
from glassgrad import nn
from glassgrad.datasets import breast_cancer
from glassgrad.errors import ShapeError
from glassgrad.recipes.diagnosis import (
    chance,
    contributions,
    diagnosis,
    folds,
    held_out_logits,
    learn,
    logits,
    network,
    temperature,
    threshold,
)
from glassgrad.train import History, Trainer


@pytest.fixture(scope="module")
def table():
    x, y = (part.numpy() for part in breast_cancer(held_out=0).train.tensors)
    return x, y.astype(np.float32)


def test_folds_hold_each_row_out_once_and_spread_the_malignant(table):
    _, y = table
    parts = folds(y, 5, 0)
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(len(y)))
    for train, test in parts:
        assert sorted([*train, *test]) == list(range(len(y)))
        assert abs(y[test].mean() - y.mean()) < 1 / len(test)


def test_a_net_standardises_by_the_rows_it_is_made_from(table):
    x, y = table
    train, test = folds(y, 5, 0)[0]
    first = network(x[train])[0]
    inside = first(gg.from_numpy(x[train])).numpy()
    np.testing.assert_allclose(inside.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(inside.std(0), 1, atol=1e-4)
    outside = first(gg.from_numpy(x[test])).numpy()
    np.testing.assert_allclose(outside, (x[test] - x[train].mean(0)) / x[train].std(0), atol=1e-4)


def test_what_is_said_of_a_fold_depends_on_no_row_of_it(table):
    x, y = table
    parts = folds(y, 3, 0)
    held = parts[1][1]
    other_x, other_y = x.copy(), y.copy()
    other_x[held[0]] *= 100
    other_y[held[0]] = 1 - other_y[held[0]]

    def said(x, y):
        gg.manual_seed(0)
        return held_out_logits(x, y, parts, epochs=1)

    before, after = said(x, y), said(other_x, other_y)
    np.testing.assert_array_equal(before[held[1:]], after[held[1:]])
    assert not np.array_equal(before[parts[0][1]], after[parts[0][1]]), "the others have learned from that row"


def test_the_same_seed_gives_the_same_net(table):
    x, y = table

    def said(seed):
        gg.manual_seed(seed)
        return logits(learn(x, y, 1), x)

    np.testing.assert_array_equal(said(3), said(3))
    assert not np.array_equal(said(3), said(4))


def test_the_area_is_the_share_of_pairs_in_the_right_order(table):
    x, y = table
    gg.manual_seed(0)
    said = logits(learn(x, y, 1), x)
    said = np.round(said, 1)  # with ties
    ill, well = (y == 1).sum(), (y == 0).sum()
    area = (rankdata(said)[y == 1].sum() - ill * (ill + 1) / 2) / (ill * well)  # Mann and Whitney's U
    assert roc_auc_score(y, said) == pytest.approx(area, abs=1e-12)
    assert area > 0.9


@pytest.mark.parametrize("net", ["tanh", "linear"])
def test_contributions_add_up_to_the_difference_of_the_logits(net, table):
    x, _ = table
    gg.manual_seed(0)
    made = network(x) if net == "tanh" else nn.Sequential(network(x)[0], nn.Linear(30, 1), nn.Flatten(0))
    start = x.mean(0, keepdims=True)
    adds = contributions(made, x, start)
    assert adds.shape == x.shape
    np.testing.assert_allclose(adds.sum(1), logits(made, x) - logits(made, start), atol=1e-4)
    if net == "linear":
        weights = made[1].weight.detach().numpy()[0] / made[0].deviation.numpy()
        np.testing.assert_allclose(adds, weights * (x - start), atol=1e-4)


def test_a_measurement_that_the_net_does_not_use_adds_nothing(table):
    x, _ = table
    net = network(x)
    with gg.no_grad():
        net[1].weight[:, 7] = 0
    adds = contributions(net, x, x[:1])
    assert (adds[:, 7] == 0).all()
    assert (adds[1:, 8] != 0).all()


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.98, 0.99, 1.0])
@pytest.mark.parametrize("count", [10, 50, 212])
def test_the_threshold_is_the_largest_that_finds_enough(sensitivity, count):
    rng = np.random.default_rng(count)
    y = rng.permutation(np.repeat([1, 0], [count, 2 * count]))
    said = rng.normal(y, 1).astype(np.float32)
    found = threshold(said, y, sensitivity)
    enough = [t for t in said if (said[y == 1] >= t).mean() >= sensitivity]
    assert found == max(enough)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_undoes_a_factor_and_is_the_best_one(factor):
    rng = np.random.default_rng(0)
    true = rng.normal(0, 3, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-true))).astype(np.float32)
    said = (factor * true).astype(np.float32)
    found = temperature(said, y)
    assert found == pytest.approx(factor, rel=0.1)
    best = minimize_scalar(lambda log: np.logaddexp(0, -(2 * y - 1) * said / np.exp(log)).mean(), bracket=(-1, 1)).x
    assert found == pytest.approx(np.exp(best), rel=2e-3)


def test_chances_of_any_logits_are_chances():
    said = np.array([-1000, -3, 0, 3, 1000], np.float32)
    np.testing.assert_allclose(chance(said), [0, 0.0474259, 0.5, 0.9525741, 1], atol=1e-7)


def test_ctrl_c_leaves_the_folds_so_far_and_says_that_it_is_no_medical_device(tmp_path, capsys, monkeypatch):
    fits = []

    def fit(self, *given, **options):
        fits.append(self)
        return stopped if len(fits) > 3 else before(self, *given, **options)

    stopped, before = History(), Trainer.fit
    stopped.stopped = "Ctrl-C"
    monkeypatch.setattr(Trainer, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        diagnosis(short=True, html=tmp_path / "page.html")
    told, page = capsys.readouterr().out, (tmp_path / "page.html").read_text()
    for text in (told, page):
        assert "not a medical device" in text
        assert "AUC, fold 1" in text
        assert "AUC, fold 2" not in text
    assert "The run ended here: KeyboardInterrupt" in page


def test_temperature_and_threshold_are_chosen_without_the_outer_fold(table, tmp_path, monkeypatch):
    class Chosen(Exception):
        pass

    def learned(x, y, epochs):
        seen.append(x)
        return network(x)

    def choose(said, y, sensitivity):
        raise Chosen(said, y)

    seen = []
    x, y = table
    monkeypatch.setitem(diagnosis.__globals__, "learn", learned)
    monkeypatch.setitem(diagnosis.__globals__, "threshold", choose)
    with pytest.raises(Chosen) as caught:
        diagnosis(short=True, seed=0, html=tmp_path / "page.html")
    train, _ = folds(y, 5, 0)[0]
    said, labels = caught.value.args
    assert len(said) == len(train)
    np.testing.assert_array_equal(labels, y[train])
    rows = np.concatenate(seen)  # each inner net sees the half that the other one judges
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x[train]))


def test_errors_in_a_recipe_name_its_line():
    with pytest.raises(ShapeError) as caught:
        logits(nn.Linear(5, 1), np.zeros((2, 30), np.float32))
    assert "diagnosis.py" in str(caught.value)
    assert "in logits" in str(caught.value)
