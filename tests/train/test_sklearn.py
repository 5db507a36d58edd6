"""NetClassifier and NetRegressor: scikit-learn's own checks, and what they do beyond those."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import glassgrad as gg
from glassgrad import nn
from glassgrad.sklearn import NetClassifier, NetRegressor

NOT_HERE = ("SCIPY_ARRAY_API is not set", "pandas is not installed")
"""Why scikit-learn itself leaves out (parts of) a check."""


@pytest.mark.parametrize("kind", [NetClassifier, NetRegressor])
def test_scikit_learns_own_checks(kind):
    results = check_estimator(kind((16,), learning_rate=0.02, epochs=60), on_skip=None)
    assert len(results) > 50
    left = [each for each in results if each["status"] != "passed"]
    assert [each for each in left if not str(each["exception"]).startswith(NOT_HERE)] == []
    assert len(left) <= 2


def test_a_diagnosis_by_cross_validation():
    inputs, labels = load_breast_cancer(return_X_y=True)
    net = make_pipeline(StandardScaler(), NetClassifier((16,), learning_rate=0.01, epochs=30, random_state=0))
    assert cross_val_score(net, inputs, labels, cv=3).mean() > 0.96


def test_it_stops_early_and_keeps_the_best_weights():
    inputs, targets = load_diabetes(return_X_y=True)
    targets = (targets - targets.mean()) / targets.std()
    net = NetRegressor((64, 64), learning_rate=0.03, epochs=200, early_stopping=True, patience=3, random_state=0)
    net.fit(inputs, targets)
    held = [row["valid_loss"] for row in net.history_]
    assert net.n_iter_ == len(held) < 200
    assert net.n_iter_ - 3 == 1 + int(np.argmin(held))
    assert net.score(inputs, targets) > 0.4


def test_a_module_and_an_optimizer_of_ones_own():
    made = []

    def module(inputs, outputs):
        made.append((inputs, outputs))
        return nn.Linear(inputs, outputs)

    inputs, labels = load_breast_cancer(return_X_y=True)
    net = NetClassifier(module=module, optimizer=gg.optim.RMSprop, learning_rate=0.01, epochs=5)
    names = np.array(["ill", "well"])[labels]
    net.fit(StandardScaler().fit_transform(inputs), names)
    assert made == [(30, 2)]
    assert type(net.module_) is nn.Linear
    assert set(net.predict(inputs)) <= {"ill", "well"}


@pytest.mark.parametrize("compile", [True, False])
def test_the_same_random_state_gives_the_same_net_and_disturbs_nobody(compile):
    x = np.random.default_rng(0).normal(size=(30, 3))
    gg.manual_seed(5)
    before = gg.get_rng_state().tolist()
    nets = [
        NetRegressor((4,), dropout=0.2, epochs=4, random_state=s, compile=compile).fit(x, x[:, 0]) for s in (1, 1, 2)
    ]
    said = [net.predict(x) for net in nets]
    assert gg.get_rng_state().tolist() == before
    assert (said[0] == said[1]).all()
    assert (said[0] != said[2]).any()


def test_it_computes_in_the_dtype_of_the_inputs():
    x = np.random.default_rng(0).normal(size=(30, 3))
    for dtype in (np.float32, np.float64):
        net = NetClassifier(epochs=2).fit(x.astype(dtype), x[:, 0] > 0)
        assert net.predict_proba(x.astype(dtype)).dtype == dtype


def test_it_compiles_where_that_pays(monkeypatch):
    from glassgrad import sklearn

    asked = []

    class Noted(sklearn.Trainer):
        def __init__(self, *args, compile, **kwargs):
            asked.append(compile)
            super().__init__(*args, compile=False, **kwargs)

    monkeypatch.setattr(sklearn, "Trainer", Noted)
    x = np.zeros((8, 1))
    NetRegressor(epochs=sklearn.PAYS, tol=1.0, patience=1).fit(x, x[:, 0])
    NetRegressor(epochs=sklearn.PAYS - 1, tol=1.0, patience=1).fit(x, x[:, 0])
    assert asked == [True, False]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activation": "wave"}, "no activation 'wave'"),
        ({"optimizer": "best"}, "no optimizer 'best'"),
        ({"hidden_layer_sizes": (0,)}, "positive integers"),
        ({"compile": "maybe"}, "compile must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs must be"),
        ({"patience": 0}, "patience must be"),
        ({"module": lambda inputs, outputs: nn.Linear(inputs, outputs + 1)}, "other scores"),
    ],
)
def test_what_it_refuses(options, said):
    x = np.eye(4)
    with pytest.raises(ValueError, match=said):
        NetClassifier(**{"epochs": 1, **options}).fit(x, [0, 1, 0, 1]).predict(x)


def test_a_search_over_settings():
    x = np.random.default_rng(0).normal(size=(60, 2))
    search = GridSearchCV(NetClassifier(epochs=20, random_state=0), {"learning_rate": [1e-6, 0.05]}, cv=2)
    assert search.fit(x, x.sum(1) > 0).best_params_ == {"learning_rate": 0.05}


def test_without_scikit_learn_the_error_names_the_way_out():
    code = "import sys; sys.modules['sklearn.base'] = None\nimport glassgrad.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'glassgrad[data]'" in done.stderr
