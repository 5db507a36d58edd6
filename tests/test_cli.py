"""`glassgrad explain` and `glassgrad step` as a user runs them: what is printed, written and said of every error."""

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from glassgrad.cli import app

TRAIN = """\
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
t = gg.tensor([[0.0], [1.0], [1.0], [0.0]])
model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
parts = {"first": model[0]}
rates = [gg.tensor(1.0, requires_grad=True), gg.tensor(2.0)]
opt = optim.SGD(model.parameters(), lr=0.5)


def train(scale):
    for epoch in range(4):
        opt.zero_grad()
        hidden = model(x) * scale
        loss = nn.functional.mse_loss(hidden, t)
        loss.backward()
        opt.step()


train(rates[0])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command line within this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "train.py").write_text(TRAIN)

    def call(*arguments, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)

    return call


def alone(*arguments, folder, **environment):
    """Runs the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "glassgrad", *arguments], cwd=folder, capture_output=True, text=True,
        check=False, timeout=120, env={**os.environ, "COLUMNS": "80", **environment},
    )  # fmt: skip


def flat(text):
    return re.sub(r"\s+", " ", text)


def short(error):
    """An error is one or two lines, without a traceback."""
    return 1 <= len(error.strip().splitlines()) <= 2 and "Traceback" not in error


# -- the article -------------------------------------------------------------------------------------------------------


def test_without_a_script_the_articles_net_is_explained(tmp_path):
    done = alone("explain", folder=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "z1 = x · w1 + b1 = 2 · 0.5 + 0.1 = 1.1" in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_says_where_the_article_is_wrong(run):
    text = flat(run("explain").stdout)
    for wrong, right in (("0.244", "0.2390383838"), ("−0.145", "−0.1417877769"), ("−0.022", "−0.0212460387")):
        assert re.search(rf"is {right}, not {wrong}[,.]", text)
    assert "∂y/∂z2" in text
    assert "printed numbers are wrong" not in run("explain", "train.py").stdout


def test_an_entry_of_the_article(run):
    text = run("explain", "--why", "w1").stdout
    assert "Why  ∂L/∂w1 = −0.02125" in text and "w1 goes from 0.5 to 0.5002" in text


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_a_script_is_explained(run):
    done = run("explain", "train.py", "--at-step", "2")
    assert done.exit_code == 0
    assert "train.py, backward pass 2" in done.stdout
    assert "W1" in done.stdout and "0.weight" in done.stdout
    assert "train.py:16" in done.stdout
    assert run("explain", "train.py").stdout != done.stdout


def test_what_the_script_prints_comes_first(run):
    done = run("explain", "chatty.py", chatty="print('mine')\n" + TRAIN)
    assert done.stdout.startswith("mine\n")


def test_a_step_without_an_update_says_so(run):
    text = TRAIN.replace("        opt.step()", "        if epoch % 2: opt.step()")
    assert "there is no update" in flat(run("explain", "some.py", some=text).stdout)
    text = run("explain", "some.py", "--at-step", "2").stdout
    assert "4  Update" in text and "there is no update" not in flat(text)


def test_the_scripts_own_arguments(run):
    text = "import sys\nassert sys.argv == ['own.py', '--epochs', '3', 'x'], sys.argv\n" + TRAIN
    assert run("explain", "own.py", "--", "--epochs", "3", "x", own=text).exit_code == 0
    assert run("explain", "--at-step", "2", "own.py", "--", "--epochs", "3", "x", own=text).exit_code == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("model.0.weight[0,1]", "∂L/∂W1[0,1]"), ("model[0].weight[0,1]", "∂L/∂W1[0,1]"),
        ("model.0.weight[-1, -1]", "∂L/∂W1[2,1]"), ("parts.first.bias[2]", "∂L/∂b1[2]"),
        ("parts['first'].bias[2]", "∂L/∂b1[2]"), ("rates[0]", "∂L/∂scale"), ("rates.0", "∂L/∂scale"),
        ("hidden[3,0]", "∂L/∂hidden[3,0]"), ("W2[0,1]", "∂L/∂W2[0,1]"), ("v1[2,0]", "∂L/∂v1[2,0]"),
        ("opt.param_groups[0].params[0][1,1]", "∂L/∂W1[1,1]"),
    ],
)  # fmt: skip
def test_what_can_be_asked_about(run, name, shown):
    done = run("explain", "train.py", "--at-step", "2", "--why", name)
    assert done.exit_code == 0, done.stderr
    assert f"Why  {shown} = " in done.stdout


def test_without_an_index_the_largest_gradient_is_explained(run, tmp_path):
    done = run("explain", "train.py", "--why", "model.0.weight", "--json", "out.json")
    assert done.exit_code == 0
    report = json.loads((tmp_path / "out.json").read_text())
    [why] = report["whys"]
    largest = next(n["gradient"]["largest"][0] for n in report["graph"]["nodes"] if n["name"] == "W1")
    assert why["index"] == largest["index"] and why["value"] == largest["value"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("modle.0.weight", "no variable 'modle'; fix: .*model"),
        ("model.0.wieght", "model.0 has no part 'wieght'.*weight"),
        ("model.7.weight", "model has no part '7'.*0, 1, 2"),
        ("model.0", "is a Linear, not a tensor.*model.0.weight"),
        ("model.0.weight[3,0]", r"no entry \[3, 0\] in model.0.weight, which is 3 × 2.*below"),
        ("model.0.weight[0]", r"no entry \[0\].*3 × 2"),
        ("model.0.weight[a]", "no index.*whole numbers"),
        ("model.0.weight[0,1].x", "is a tensor"),
        ("model.0.weight.T", "is a tensor and has no part"),
        ("x", "x has no gradient: "),
        ("rates[1]", "has no gradient|not on the tape"),
        ("loss[0]", "a single number.*leave"),
        ("parts.second", "has no part 'second'.*first"),
        ("rates[5]", "has no part '5'"),
        ("opt", "is a SGD, not a tensor"),
        ("", "not a name"),
        ("model..weight", "not a name"),
        ("2x", "no variable '2x'|not a name"),
        ("gg.zzz", "has no part"),
    ],
)  # fmt: skip
def test_names_that_are_not_there(run, name, said):
    done = run("explain", "train.py", "--why", name)
    assert short(done.stderr), done.stderr
    assert re.search(said, flat(done.stderr).replace(" fix:", "; fix:")), done.stderr
    assert done.exit_code == 2


def test_reports_are_written(run, tmp_path):
    done = run("explain", "train.py", "--json", "a.json")
    assert done.exit_code == 0 and "written to a.json" in done.stdout
    assert "Forward" not in done.stdout
    assert json.loads((tmp_path / "a.json").read_text())["title"] == "train.py, backward pass 1"


def test_a_file_that_cannot_be_written(run):
    done = run("explain", "train.py", "--json", "no/such/folder/a.json")
    assert done.exit_code == 1 and short(done.stderr)
    assert "no/such/folder" in done.stderr


# -- scripts that go wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        ("x = 1", [], 1, "never called backward.*fix: call loss.backward"),
        (TRAIN, ["--at-step", "9"], 1, "called backward.. 4 times, not 9 times.*--at-step 1 to 4"),
        ("import sys\nsys.exit(3)", [], 1, "never called backward.. before it called sys.exit.3."),
        ("import sys\nsys.exit('no data')", [], 1, "sys.exit.'no data'."),
        ("import glassgrad as gg\nw = gg.ones(1, requires_grad=True)\nw.sum().backward()", ["--at-step", "2"], 1,
         "called backward.. once, not 2 times.*--at-step 1$"),
        (TRAIN.replace("train(rates[0])", "import threading\nt1 = threading.Thread(target=train, args=(1.0,))\n"
         "t1.start()\nt1.join()"), [], 1, "in other threads only .4 times"),
    ],
)  # fmt: skip
def test_scripts_that_show_nothing(run, text, options, code, said):
    done = run("explain", "odd.py", *options, odd=text)
    assert done.exit_code == code
    assert short(done.stderr), done.stderr
    assert re.search(said, flat(done.stderr).strip()), done.stderr
    assert "Forward" not in done.stdout


def test_a_script_that_raises_is_shown_until_there(tmp_path):
    (tmp_path / "bad.py").write_text(TRAIN.replace("        opt.step()", "        raise ValueError('mine')"))
    done = alone("explain", "bad.py", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n") and "ValueError: mine" in done.stderr
    assert "src/glassgrad" not in done.stderr, "the script's own frames alone"
    assert "until ValueError was raised" in done.stdout and "Backward" in done.stdout
    assert "4  Update" not in done.stdout


def test_a_script_that_raises_in_its_forward_pass(tmp_path):
    (tmp_path / "bad.py").write_text(TRAIN.replace("mse_loss(hidden, t)", "mse_loss(hidden @ x, t)"))
    done = alone("explain", "bad.py", folder=tmp_path)
    assert done.returncode == 1
    assert "ShapeError" in done.stderr
    assert "1  Forward" in done.stdout and "Backward" not in done.stdout


def test_a_script_that_raises_at_once(run):
    done = run("explain", "bad.py", bad="import glassgrad\n1 / 0\n")
    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.stderr and "before anything was recorded" in done.stderr
    done = run("explain", "bad.py", bad="x = (\n")
    assert done.exit_code == 1 and "SyntaxError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "missing.py"], "missing.py is not there"), (["explain", "."], "is a folder"),
        (["explain", "--at-step", "0"], "at-step"), (["explain", "--nonsense"], "nonsense"),
        (["step", "missing.py"], "missing.py is not there|needs a terminal"),
    ],
)  # fmt: skip
def test_a_wrong_command_line(run, arguments, said):
    done = run(*arguments)
    assert done.exit_code in ((2,) if arguments[0] == "explain" else (1, 2))
    assert re.search(said, done.stderr)
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_it_quietly(tmp_path):
    (tmp_path / "long.py").write_text("raise KeyboardInterrupt")
    done = alone("explain", "long.py", folder=tmp_path)
    assert done.returncode == 130 and "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path):
    command = f"{sys.executable} -m glassgrad explain | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("The article's net") and "Traceback" not in done.stderr


def test_terminals_that_have_ascii_alone(tmp_path):
    done = alone("explain", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.isascii()
    assert "z1 = x * w1 + b1 = 2 * 0.5 + 0.1 = 1.1" in done.stdout
    assert "-0.1417877769" in done.stdout


# -- the debugger ------------------------------------------------------------------------------------------------------


def test_the_debugger_needs_a_terminal(run):
    done = run("step", "train.py")
    assert done.exit_code == 1 and short(done.stderr)
    assert "needs a terminal" in done.stderr


def test_the_debugger_without_textual(tmp_path):
    code = "import sys; sys.modules['textual'] = None\nfrom glassgrad.cli import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", code, "step"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1 and short(done.stderr)
    assert "pip install 'glassgrad[tui]'" in done.stderr


def test_the_debugger_is_given_the_step(run, monkeypatch):
    import glassgrad.view.debugger
    from glassgrad.cli import explaining

    seen = []
    monkeypatch.setattr(glassgrad.view.debugger, "debug", seen.append)
    monkeypatch.setattr(explaining, "_in_terminal", lambda: True)
    assert run("step", "train.py", "--at-step", "3").exit_code == 0
    assert run("step").exit_code == 0
    assert [report.title for report in seen] == ["train.py, backward pass 3", "The article's net, one step"]
    assert run("step", "train.py", "--at-step", "30").exit_code == 1


def test_help_names_the_commands(run):
    text = run("--help").stdout
    assert "explain" in text and "step" in text
    assert "--at-step" in run("explain", "--help").stdout
