"""A net tells malignant from benign tumours by 30 measurements, says how sure it is, and why. Not a medical device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import functions as fn
from .. import nn, optim
from ..autograd import grad
from ..datasets import BREAST_CANCER_FEATURES as NAMES
from ..datasets import breast_cancer
from ..explain import record
from ..tensor import Tensor
from ..train import Trainer
from ..utils.data import DataLoader, TensorDataset
from ..view import needed
from .options import Html, Seed, Short
from .page import Page
from .pictures import canvas, curves

Array = np.ndarray[Any, Any]
Sensitivity = Annotated[float, typer.Option(min=0.5, max=1.0, help="The share of the malignant that shall be found.")]


class Standardised(nn.Module):
    """Brings measurements to mean 0 and deviation 1, by those of the rows that it is made from."""

    def __init__(self, rows: Array) -> None:
        super().__init__()
        self.mean, self.deviation = fn.from_numpy(rows.mean(0)), fn.from_numpy(rows.std(0))  # (30,), (30,)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation


def network(rows: Array) -> nn.Sequential:
    """From 30 measurements to the logit of malignant."""
    return nn.Sequential(
        Standardised(rows),  # (n, 30)
        nn.Linear(30, 16),  # (n, 16)
        nn.Tanh(),
        nn.Linear(16, 1),  # (n, 1)
        nn.Flatten(0),  # (n,)
    )


def learn(x: Array, y: Array, epochs: int) -> nn.Sequential:
    """A net that is trained on these rows alone."""
    net = network(x)
    loader = DataLoader(TensorDataset(fn.from_numpy(x), fn.from_numpy(y)), batch_size=32, shuffle=True, drop_last=True)
    optimizer = optim.AdamW(net.parameters(), weight_decay=0.3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * len(loader))
    trainer = Trainer(net, nn.BCEWithLogitsLoss(), optimizer, schedule=schedule, threads=1, progress=False)
    if trainer.fit(loader, epochs=epochs).stopped:
        raise KeyboardInterrupt  # half a net judges nobody; the page has the folds before
    return net


def logits(net: nn.Module, x: Array) -> Array:
    """What a net says, (n,)."""
    return np.asarray(net(fn.from_numpy(x)).detach())


def sklearn(module: str) -> Any:
    """A module of scikit-learn."""
    return needed(f"sklearn.{module}", "the diagnosis")


def folds(y: Array, count: int, seed: int) -> list[tuple[Array, Array]]:
    """Rows to learn from and rows held out, several times: each is held out once, the malignant are spread evenly."""
    return list(sklearn("model_selection").StratifiedKFold(count, shuffle=True, random_state=seed).split(y, y))


def held_out_logits(x: Array, y: Array, parts: list[tuple[Array, Array]], epochs: int) -> Array:
    """For each row what a net says that was trained without its fold."""
    said = np.empty(len(x), np.float32)
    for train, test in parts:
        said[test] = logits(learn(x[train], y[train], epochs), x[test])
    return said


def chance(said: Array) -> Array:
    """The sigmoid of logits, of any size."""
    return (1 + np.tanh(said / 2)) / 2


def temperature(said: Array, y: Array) -> float:
    """What logits are to be divided by, so that their chances fit best what was true. Guo et al. 2017, section 4.2."""
    log = fn.zeros(1, requires_grad=True)
    optimizer = optim.LBFGS([log], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.binary_cross_entropy_with_logits(fn.from_numpy(said) / log.exp(), fn.from_numpy(y))
        value.backward()
        return value

    optimizer.step(loss)
    return float(log.exp().item())


def threshold(said: Array, y: Array, sensitivity: float) -> float:
    """The largest one that this share of the malignant reaches."""
    ill = np.sort(said[y == 1])
    return float(ill[int((1 - sensitivity) * len(ill) + 1e-9)])


def contributions(net: nn.Module, x: Array, start: Array, points: int = 32) -> Array:
    """What each measurement adds to the logit of ``start``: how far it is from there, times the mean of the gradient on
    the straight way. Together they are the difference of the logits: Sundararajan et al. 2017, section 3.
    """
    total = np.zeros_like(x)
    for place, weight in zip(*np.polynomial.legendre.leggauss(points), strict=True):  # on a way from -1 to 1
        there = fn.from_numpy((start + (place + 1) / 2 * (x - start)).astype(np.float32)).requires_grad_()
        total += np.float32(weight / 2) * grad(net(there).sum(), there)[0].numpy()
    return (x - start) * total


def reasons(titles: list[str], x: Array, adds: Array) -> Any:
    """The largest contributions to each of some decisions, towards malignant in red, towards benign in blue."""
    half = -(-len(titles) // 2)
    figure = canvas(9.5, 1.9 * half)
    for panel, title, values, added in zip(figure.subplots(half, 2).ravel(), titles, x, adds, strict=False):
        most = np.argsort(np.abs(added))[-6:]
        names = [f"{NAMES[i]} {values[i]:.4g}" for i in most]
        panel.barh(names, added[most], color=np.where(added[most] > 0, "tab:red", "tab:blue"))
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=8)
    return figure


def diagnosis(
    sensitivity: Sensitivity = 0.98, short: Short = False, seed: Seed = 0, html: Html = Path("diagnosis.html")
) -> Page:
    """Tell malignant from benign tumours, with calibrated chances and reasons. Not a medical device."""
    epochs, inner = 10, 2 if short else 5
    metrics = sklearn("metrics")
    fn.manual_seed(seed)
    x, malignant = (part.numpy() for part in breast_cancer(held_out=0).train.tensors)  # (569, 30), (569,)
    y, parts = malignant.astype(np.float32), folds(malignant, 5, seed)
    (said, starts, chances, limits), adds = np.empty((4, len(y)), np.float32), np.empty_like(x)
    how = {"command": "glassgrad recipe diagnosis", "inner_folds": inner, "sensitivity": sensitivity, "seed": seed}
    with Page("Benign or malignant: not a medical device", html, **how) as page:
        page.say(
            "This is not a medical device, and nobody may be diagnosed by it. It shows a method on a published table: "
            "569 tumours, from before 1996. Five nets judge a fifth of them each, which they have not seen; the rest "
            f"gives standardisation, temperature, and a threshold to find {sensitivity:.0%} of the malignant."
        )
        for number, (train, test) in enumerate(parts, 1):
            seen = held_out_logits(x[train], y[train], folds(y[train], inner, seed), epochs)
            heat, limits[test] = temperature(seen, y[train]), threshold(seen, y[train], sensitivity)
            net, usual = learn(x[train], y[train], epochs), x[train].mean(0, keepdims=True)
            said[test], starts[test] = logits(net, x[test]), logits(net, usual)
            chances[test], adds[test] = chance(said[test] / heat), contributions(net, x[test], usual)
            area, limit = metrics.roc_auc_score(y[test], said[test]), chance(limits[test[0]] / heat)
            page.figure(f"AUC, fold {number}", area, "{:.4f}", note=f"temperature {heat:.2f}, threshold {limit:.1%}")
        scaler, regression = sklearn("preprocessing").StandardScaler(), sklearn("linear_model").LogisticRegression()
        peer = sklearn("pipeline").make_pipeline(scaler, regression)
        predict = sklearn("model_selection").cross_val_predict
        told = {"net": chances, "net without temperature": chance(said)}
        told["logistic regression"] = predict(peer, x, y, cv=parts, method="predict_proba")[:, 1]
        for name, each in told.items():
            aucs = [metrics.roc_auc_score(y[test], each[test]) for _, test in parts]
            page.figure(f"AUC, {name}", np.mean(aucs), "{:.4f}", asked="0.99" if name == "net" else "")
            page.figure(f"Brier score, {name}", metrics.brier_score_loss(y, each), "{:.4f}")
        if page.figures["AUC, logistic regression"] > page.figures["AUC, net"] - 0.002:
            page.say("Logistic regression, which has no hidden layer, is as good: this table does not need a net.")
        called = said >= limits
        page.figure("sensitivity reached", called[y == 1].mean(), "{:.1%}")
        page.figure("specificity reached", 1 - called[y == 0].mean(), "{:.1%}")
        page.figure("contributions: largest error of a sum", np.abs(starts + adds.sum(1) - said).max(), "{:.0e}")
        rocs = {name: metrics.roc_curve(y, told[name])[:2] for name in ("net", "logistic regression")}
        plot = curves(rocs, xlim=(-0.005, 0.3), ylim=(0.7, 1.005), xlabel="1 - specificity", ylabel="sensitivity")
        page.picture(plot, "ROC over all folds, its upper left corner.")
        fit = sklearn("calibration").calibration_curve
        fits = {name: fit(y, each, n_bins=8, strategy="quantile")[::-1] for name, each in told.items()}
        plot = curves(fits, behind=[([0, 1], [0, 1])], style="o-", xlabel="chance told", ylabel="malignant indeed")
        page.picture(plot, "Calibration: each point is an eighth of the patients. On the grey line it is perfect.")
        kinds = {"missed": called < y, "false alarm": called > y, "found": called * y == 1, "let go": called + y == 0}
        order = np.argsort(-np.abs(chances - y))
        picked = {i: kind for kind, those in kinds.items() for i in order[those[order]][:4]}
        titles = [f"patient {i}, {kind}: chance {chances[i]:.1%}" for i, kind in picked.items()]
        plot = reasons(titles, x[list(picked)], adds[list(picked)])
        page.picture(
            plot, "What was measured, and what it adds to the logit of the mean patient. Hardest of each kind."
        )
        with record() as tape:
            patient = fn.from_numpy(x[test[:1]]).requires_grad_()  # whom the last net has judged
            logit = net(patient).sum()
            logit.backward(inputs=[patient])
        most = int(np.abs(adds[test[0]]).argmax())
        page.text(
            str(tape.why(patient, (0, most), top=4)), f"Patient {test[0]}: how {NAMES[most]} acts, by hidden unit."
        )
    return page
