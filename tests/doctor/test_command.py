"""`glassgrad doctor` as a user runs it: what is printed, written, and the exit code."""

import json
import textwrap

import pytest
from typer.testing import CliRunner

from glassgrad.cli import app

HEALTHY = """\
import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)
x = gg.randn(32, 4)
y = x[:, :1] - x[:, 1:2]
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = gg.optim.SGD(net.parameters(), lr=0.05)
for step in range(20):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
print("trained")
"""
ILL = HEALTHY.replace("    optimizer.zero_grad()\n", "")
NOTED = HEALTHY.replace("x = gg.randn(32, 4)", "x = gg.cat([gg.randn(32, 3), gg.ones(32, 1)], 1)")
FAILING = HEALTHY.replace("    loss.backward()", "    loss.backward()\n    if step == 3:\n        {}['none']")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command within this process, on a script, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(text, *options):
        (tmp_path / "net.py").write_text(textwrap.dedent(text))
        return CliRunner().invoke(app, ["doctor", "net.py", *options], catch_exceptions=False)

    return call


def test_a_healthy_script(run):
    made = run(HEALTHY, "--fail-on", "warning")
    assert made.exit_code == 0
    assert made.stdout.startswith("trained\n")
    assert "20 backward passes" in made.stdout


@pytest.mark.parametrize(
    ("text", "fail_on", "code"),
    [(ILL, "never", 0), (ILL, "fault", 1), (ILL, "warning", 1), (NOTED, "fault", 0), (NOTED, "warning", 1)],
)
def test_the_exit_code_says_whether_something_was_found(run, text, fail_on, code):
    made = run(text, "--fail-on", fail_on)
    assert made.exit_code == code
    assert ("gradients never cleared" if text is ILL else "constant features") in made.stdout


def test_what_was_found_until_a_crash_is_kept(run, tmp_path):
    made = run(FAILING.replace("    optimizer.zero_grad()\n", ""), "--json", "found.json", "--html", "found.html")
    assert made.exit_code == 1
    assert "KeyError: 'none'" in made.stderr
    assert 'net.py", line 13' in made.stderr
    assert "gradients never cleared" in made.stdout
    assert "written to found.json" in made.stdout
    assert "gradients never cleared" in (tmp_path / "found.html").read_text()
    found = json.loads((tmp_path / "found.json").read_text())
    assert "KeyError" in json.dumps(found)


def test_a_script_is_stopped(run):
    made = run(HEALTHY, "--steps", "5")
    assert "trained" not in made.stdout
    assert "5 backward passes" in made.stdout


def test_arguments_reach_the_script(run):
    made = run("import sys\n" + HEALTHY + "print(sys.argv[1:])\n", "--", "--rate", "3")
    assert "['--rate', '3']" in made.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print(1)", "never called backward()"),
        ("1 / 0", "raised ZeroDivisionError before a training step was seen"),
        ("def broken(:", "raised SyntaxError before a training step was seen"),
        (HEALTHY.replace("mse_loss(net(x), y)", "mse_loss(net(x), y, reduction='none')"), "only a loss of one entry"),
        (HEALTHY.replace("gg.randn(32, 4)", "gg.randn(32, 5)"), "give the layer 5 input features"),
    ],
)
def test_scripts_that_cannot_be_examined(run, text, said):
    made = run(text)
    assert made.exit_code == 1
    assert said in " ".join(made.stderr.split())


def test_a_file_that_is_not_there():
    made = CliRunner().invoke(app, ["doctor", "none.py"])
    assert made.exit_code == 2
    assert "is not there" in made.stderr
