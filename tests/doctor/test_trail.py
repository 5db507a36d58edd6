"""`glassgrad landscape`: a script is run, its weights are followed, and the loss is drawn around their way."""

import re
import textwrap

import numpy as np
import pytest
from typer.testing import CliRunner

from glassgrad.cli import app
from glassgrad.doctor.script import watched
from glassgrad.doctor.trail import Trailed

HEAD = """\
import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)
x, t = gg.randn(40, 2), gg.randn(40, 1)
net = nn.Linear(2, 1)
way = []


def now():
    return [*net.weight.detach().numpy().ravel().tolist(), net.bias.item()]

"""
STEPS = """\
opt = gg.optim.SGD(net.parameters(), lr=0.05)
for step in range(10):
    way.append(now())
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), t)
    loss.backward()
    opt.step()
way.append(now())
"""
BY_HAND = """\
for step in range(10):
    way.append(now())
    loss = nn.functional.mse_loss(net(x), t)
    loss.backward()
    with gg.no_grad():
        for p in net.parameters():
            p.sub_(p.grad, alpha=0.05)
            p.grad = None
way.append(now())
"""
BARE = """\
w, b = gg.zeros(2, 1, requires_grad=True), gg.zeros(1, requires_grad=True)
for step in range(10):
    way.append([*w.detach().numpy().ravel().tolist(), b.item()])
    loss = ((x @ w + b - t) ** 2).mean()
    loss.backward()
    with gg.no_grad():
        for p in (w, b):
            p -= 0.05 * p.grad
            p.grad = None
way.append([*w.detach().numpy().ravel().tolist(), b.item()])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in a folder of its own, on a script."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(text, *options):
        (tmp_path / "net.py").write_text(text)
        return CliRunner().invoke(app, ["landscape", "net.py", "--resolution", "5", *options], catch_exceptions=False)

    return call


def flat(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("text", [STEPS, BY_HAND, BARE], ids=["optimizer", "by hand", "bare tensors"])
def test_the_weights_are_followed(tmp_path, text):
    path = tmp_path / "net.py"
    path.write_text(HEAD + text)
    seen = watched(path, (), None, Trailed)
    _, way, steps = seen.watch.walked()
    assert steps == list(range(11))
    np.testing.assert_allclose(way, seen.scopes[-1]["way"], rtol=1e-6)


COMPILED = """\
opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


@gg.compile
def take():
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), t)
    loss.backward()
    opt.step()
    return loss


for step in range(150):
    way.append(now())
    take()
way.append(now())
"""


@pytest.mark.parametrize(
    "text",
    [STEPS.replace("10", "150"), BY_HAND.replace("10", "150"), COMPILED],
    ids=["optimizer", "by hand", "compiled"],
)
def test_long_trainings_are_followed(tmp_path, text):
    path = tmp_path / "net.py"
    path.write_text(HEAD + text)
    seen = watched(path, (), None, Trailed)
    _, way, steps = seen.watch.walked()
    assert steps[0] == 0 and steps[-1] == 150 and 10 <= len(steps) <= 61
    np.testing.assert_allclose(way, np.array(seen.scopes[-1]["way"])[steps], rtol=1e-4, atol=1e-6)


def test_the_page_and_the_words(run, tmp_path):
    done = run(HEAD + STEPS + "print(nn.functional.mse_loss(net(x), t).item())\n")
    assert done.exit_code == 0
    first, *_, last = done.output.splitlines()
    assert last == "written to landscape.html"
    text = flat(done.output)
    assert f"to {float(first):.4g} in 10 steps." in text
    assert "3 weights, 11 snapshots of 10 steps" in text
    assert "The Hessian has 3 eigenvalues" in text and "% of the path's movement lies in the plane" in text
    page = (tmp_path / "landscape.html").read_text()
    assert "The loss around net.py" in page and 'class="path"' in page


def test_options(run, tmp_path):
    done = run(HEAD + STEPS, "--steps", "4", "--directions", "random", "--seconds", "5", "--html", "other.html")
    assert done.exit_code == 0 and "4 steps" in done.output
    assert "random ones" in flat(done.output)
    assert (tmp_path / "other.html").exists() and not (tmp_path / "landscape.html").exists()


def test_a_script_that_raises_is_drawn_until_there(run, tmp_path):
    done = run(HEAD + STEPS.replace("    opt.step()\n", "    opt.step()\n    1 / (step - 6)\n"))
    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.stderr and "The script stopped with ZeroDivisionError" in flat(done.stdout)
    assert "8 snapshots of 7 steps" in done.stdout
    assert (tmp_path / "landscape.html").exists()


def test_a_script_that_diverges(run):
    done = run(HEAD + STEPS.replace("lr=0.05", "lr=1e9"))
    assert done.exit_code == 0
    assert "weights are not finite" in flat(done.stdout)


def test_one_weight_has_a_line(run):
    done = run(textwrap.dedent("""\
        import glassgrad as gg
        w = gg.tensor(3.0, requires_grad=True)
        opt = gg.optim.SGD([w], lr=0.1)
        for _ in range(20):
            opt.zero_grad()
            (w ** 2).backward()
            opt.step()
        """))  # fmt: skip
    assert done.exit_code == 0 and "lies in the line" in flat(done.stdout)
    assert "1 weight" in done.stdout


def test_weights_that_did_not_move(run):
    done = run(HEAD + STEPS.replace("lr=0.05", "lr=0.0"))
    assert done.exit_code == 0 and "The weights did not move" in flat(done.stdout)


@pytest.mark.parametrize(
    ("text", "said"),
    [("print()", "never called backward"), ("1 / 0", "ZeroDivisionError before a training step")],
)
def test_scripts_without_a_training(run, tmp_path, text, said):
    done = run(text)
    assert done.exit_code == 1 and said in flat(done.stderr)
    assert not (tmp_path / "landscape.html").exists()


def test_files_that_are_not_there(run):
    assert CliRunner().invoke(app, ["landscape", "none.py"]).exit_code == 2
    done = run(HEAD + STEPS, "--html", "no/such/folder.html")
    assert done.exit_code == 1 and "no folder" in flat(done.stderr)
