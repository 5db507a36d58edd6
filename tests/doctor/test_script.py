"""Scripts under the doctor: the patient that is made of a script takes the script's own steps, number for number."""

import math
import textwrap

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.doctor import examine, examine_text
from glassgrad.doctor.rounds import Rounds
from glassgrad.errors import ArgumentError
from glassgrad.explain.script import run_text

HEAD = """
import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F
gg.manual_seed(0)
x = gg.randn(96, 10)
t = gg.randint(0, 4, (96,))
y = x[:, :1] * 0.5 - x[:, 1:2].sin()
net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, OUT))
opt = gg.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
"""
LOOP = """
for _ in range(3):
    for i in range(0, 96, 16):
        opt.zero_grad()
        loss = LOSS
        loss.backward()
        opt.step()
"""
X, Y, T = "x[i : i + 16]", "y[i : i + 16]", "t[i : i + 16]"


def script(loss, out=1, change=()):
    text = HEAD + LOOP.replace("LOSS", loss)
    for old, new in change:
        assert old in text
        text = text.replace(old, new)
    return text.replace("OUT", str(out))


MOMENTUM = ", momentum=0.9"
STEP, BACK = "        opt.step()", "        loss.backward()"
PLAIN, MSE = ("nn.Dropout(0.2), ", ""), f"F.mse_loss(net({X}), {Y})"
CLIP = "        nn.utils.clip_grad_norm_(net.parameters(), 0.05)\n"
STYLES = {
    "a module": script(f"nn.CrossEntropyLoss()(net({X}), {T})", 4),
    "a function": script(f"F.cross_entropy(net({X}), {T}, label_smoothing=0.1)", 4),
    "a function by name": script(f"F.mse_loss(target={Y}, input=net({X}))"),
    "by hand": script(f"((net({X}) - {Y}) ** 2).mean()"),
    "through a view": script(f"F.cross_entropy(net({X}).view(-1, 4), {T}.view(-1))", 4),
    "a sum of two": script(f"{MSE} + 0.1 * F.l1_loss(net({X}), {Y})", change=[PLAIN]),
    "with a penalty": script(f"{MSE} + 1e-3 * sum((p * p).sum() for p in net.parameters())", change=[PLAIN]),
    "clipped": script(MSE, change=[(STEP, CLIP + STEP)]),
    "a schedule": script(
        MSE,
        change=[
            ("\nfor _", "\nschedule = gg.optim.lr_scheduler.LinearLR(opt, 0.01, total_iters=12)\nfor _"),
            (STEP, f"{STEP}\n        schedule.step()"),
        ],
    ),
    "no zero_grad": script(MSE, change=[("        opt.zero_grad()\n", ""), ("lr=0.1", "lr=0.01")]),
    "step first": script(MSE, change=[(f"{BACK}\n{STEP}", f"{STEP}\n{BACK}")]),
    "adam": script(MSE, change=[("SGD", "AdamW"), (MOMENTUM, "")]),
    "lbfgs": script(
        MSE,
        change=[
            ("range(3)", "range(1)"), ("SGD", "LBFGS"), (MOMENTUM, ""), PLAIN,
            (STEP, "        return loss\n      opt.step(closure)"),
            ("        opt.zero_grad()", "      def closure():\n        opt.zero_grad()"),
        ],
    ),
    "compiled": HEAD.replace("OUT", "1") + """
@gg.compile
def step(x, y):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    opt.step()
    return loss

for i in range(0, 96, 16):
    step(x[i : i + 16], y[i : i + 16])
""",
    "it gives its loss": HEAD.replace("OUT", "1") + """
class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net
    def forward(self, x, *, targets=None):
        y = self.net(x)
        return y, None if targets is None else ((y - targets) ** 2).mean()

model = Whole()
for i in range(0, 96, 16):
    _, loss = model(x[i : i + 16], targets=y[i : i + 16])
    loss.backward()
    opt.step()
    opt.zero_grad()
with gg.no_grad():
    model.eval()(x)
""",
    "two modules": """
import glassgrad as gg
from glassgrad import nn
gg.manual_seed(0)
x = gg.randn(96, 10)
a, b = nn.Linear(10, 4), nn.Linear(4, 10)
opt = gg.optim.Adam([*a.parameters(), *b.parameters()], lr=0.01)
for i in range(0, 96, 16):
    opt.zero_grad()
    part = x[i : i + 16]
    loss = ((b(a(part).tanh()) - part) ** 2).mean()
    loss.backward()
    opt.step()
""",
    "no module": """
import glassgrad as gg
gg.manual_seed(0)
x = gg.randn(96, 10)
y = x.sum(1, keepdim=True)
w, b = gg.zeros(10, 1, requires_grad=True), gg.zeros(1, requires_grad=True)
for i in range(0, 96, 16):
    loss = ((x[i : i + 16] @ w + b - y[i : i + 16]) ** 2).mean()
    loss.backward()
    with gg.no_grad():
        for p in (w, b):
            p -= 0.05 * p.grad
            p.grad = None
""",
}  # fmt: skip


def watched(text, steps=10**9):
    run = run_text(textwrap.dedent(text), "script.py", steps, Rounds)
    if run.error is not None:
        raise run.error
    return run.watch


@pytest.mark.parametrize("style", STYLES)
def test_the_patient_takes_the_steps_of_the_script(style):
    rounds = watched(STYLES[style])
    patient = rounds.patient()
    loop = patient.loop
    assert loop.backwards >= 6
    steps = 3 if style == "lbfgs" else 6
    assert len(patient.batches) >= steps
    mine, theirs = patient.copy().train(steps)[:steps], loop.losses[:steps]
    if style == "lbfgs":  # which computes the loss more often than it steps
        assert set(mine) < set(loop.losses)
        return
    if style == "no module":  # the rate is told from what was moved
        assert mine == pytest.approx(theirs, rel=1e-5)
    elif style == "clipped":  # so is the size
        assert mine == pytest.approx(theirs, rel=1e-4)
    else:
        assert mine == theirs
    assert len(set(theirs)) == len(theirs)


@pytest.mark.parametrize("style", ["a schedule", "adam", "a function"])
def test_a_patient_that_has_taken_steps_goes_on_as_one_that_was_never_stopped(style):
    patient = watched(STYLES[style]).patient()
    whole = patient.copy().train(6)
    assert patient.later(3).train(2)[:2] == whole[3:5]


def test_a_script_runs_as_without_the_doctor():
    """The doctor changes no number: the weights at the end are the same."""
    text = STYLES["a function"]
    space = {}
    exec(text, space)
    plain = [p.detach().numpy().copy() for p in space["net"].parameters()]
    rounds = watched(text)
    assert all(
        np.array_equal(a, p.detach().numpy()) for a, p in zip(plain, rounds.main["net"].parameters(), strict=True)
    )
    after = rounds.patient().after
    assert all(np.array_equal(a, p.detach().numpy()) for a, p in zip(plain, after.model.parameters(), strict=True))
    assert after.model is not rounds.main["net"]


def test_targets_are_found_in_a_loss_by_hand_and_can_be_others():
    rounds = watched(STYLES["by hand"])
    patient = rounds.patient()
    *_, ending = patient.batches[0]
    assert np.array_equal(ending.answers.numpy(), rounds.main["y"][:16].numpy())
    said = gg.zeros(16, 1)
    assert float(ending(said)) == pytest.approx(float((rounds.main["y"][:16] ** 2).mean()))
    assert float(ending.answered(said)(said)) == 0
    twice = gg.cat([said, said])
    more = gg.cat([rounds.main["y"][:16]] * 2)
    assert float(ending.answered(more)(twice)) == pytest.approx(float(ending(said)))


def test_the_last_of_several_starts_is_the_one():
    text = script(MSE, change=[("\nfor _", "\nnet(x)\nnn.init.ones_(net[0].weight)\nfor _")])
    rounds = watched(text)
    assert bool((rounds.patient().model[0].weight == 1).all())
    assert rounds.patient().copy().train(6)[:6] == rounds.loop.losses[:6]


def test_accumulated_gradients_are_no_fault():
    third = "        if i % 48 == 32:\n            opt.step()\n            opt.zero_grad()"
    text = script(f"{MSE} / 3", change=[("        opt.zero_grad()\n", ""), (STEP, third)])
    loop = watched(text).loop
    assert (loop.backwards, loop.steps) == (18, 6)
    assert not loop.added.times
    assert not loop.empty.times


def test_modes_are_counted():
    text = (
        script(
            f"F.mse_loss(net({X}), {Y})",
            change=[("    for i", "    with gg.no_grad():\n        net(x)\n    for i")],
        )
        + "net.eval()\nwith gg.no_grad():\n    net(x)\n"
    )
    loop = watched(text).loop
    assert loop.training["2"].times == 3
    assert loop.training["2"].first == 1
    assert not loop.evaluating
    loop = watched(text.replace("net(x)\n    for i", "net.eval()(x)\n    for i")).loop
    assert loop.evaluating["2"].times == 18
    assert not loop.training


def test_an_error_in_the_script_ends_it_and_what_was_seen_is_kept(tmp_path):
    path = tmp_path / "net.py"
    failing = f"{STEP}\n        if i == 64:\n            raise KeyError('mine')"
    path.write_text(script(MSE, change=[("lr=0.1", "lr=50.0"), (STEP, failing)]))
    d = examine(path, trial=50)
    assert isinstance(d.run.error, KeyError)
    assert d.patient.loop.backwards == 5
    assert "KeyError" in d.report.stopped
    assert d.findings[0].fault == "too high a rate"


def test_a_step_that_fails_is_the_one_that_is_examined():
    d = examine_text(script(f"F.cross_entropy(net({X}), {T} + (i == 32))", 4), "net.py", trial=5)
    assert d.run.error is not None
    assert d.patient.loop.backwards == 2
    labels = d.patient.batches[0][-1]
    assert labels.numpy().max() == 4


def test_a_script_without_training_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="there is no script"):
        examine(tmp_path / "none.py")
    with pytest.raises(ArgumentError, match=r"never called backward"):
        examine_text("print()", "net.py")
    with pytest.raises(ArgumentError, match="raised ZeroDivisionError before a training step"):
        examine_text("1 / 0", "net.py")


def test_a_script_is_stopped_after_so_many_steps():
    assert watched(STYLES["a function"], 4).loop.backwards == 4


def test_the_sizes_of_updates_are_those_of_the_weights():
    rounds = watched(script(MSE, change=[(MOMENTUM, "")]))
    first = rounds.loop.moments[1]["0.weight"]
    assert first.moved == pytest.approx(0.1 * first.gradient / first.weight, rel=1e-4)
    assert not any(math.isnan(each.moved) for moment in rounds.loop.moments.values() for each in moment.values())
