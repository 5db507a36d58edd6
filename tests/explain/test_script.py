"""A user's script is run and its N-th backward pass recorded: what is recorded, when it stops, what can go wrong."""

import sys
import textwrap

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import optim
from glassgrad.dispatch import STATE, State
from glassgrad.errors import ArgumentError
from glassgrad.explain import record
from glassgrad.explain.script import run_script

HEAD = """\
import glassgrad as gg
from glassgrad import nn, optim
gg.manual_seed(0)
x = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
t = gg.tensor([[0.0], [1.0], [1.0], [0.0]])
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
opt = optim.{rule}
"""
LOOP = """\
for epoch in range({times}):
    opt.zero_grad()
    y = model(x)
    loss = nn.functional.mse_loss(y, t)
    loss.backward()
    opt.step()
"""
SGD = "SGD(model.parameters(), lr=0.5)"
ADAM = "Adam(model.parameters(), lr=0.1)"


@pytest.fixture
def script(tmp_path):
    """Runs a text as a script."""

    def run(text, *arguments, at_step=1):
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(text))
        before = sys.argv[:], sys.path[:], sys.modules["__main__"]
        made = run_script(file, arguments, at_step)
        assert (sys.argv, sys.path, sys.modules["__main__"]) == before
        assert STATE.observer is None and State.observer is None
        return made

    return run


def test_a_script_that_watches_another_is_watched_on(script):
    """As the article's recipe does, which shows the steps of a program."""
    run = script("""
        import glassgrad as gg
        from glassgrad.explain.script import run_text

        other = "import glassgrad as gg\\nw = gg.ones(2, requires_grad=True)\\n(w * 5).sum().backward()\\n"
        inner = run_text(other, "inner.py")
        assert inner.reached and inner.tape.loss.value == 10
        w = gg.tensor(3.0, requires_grad=True)
        (w * w).backward()
        """)
    assert run.error is None and run.reached
    assert run.tape.loss.value == 9


def training(rule=SGD, times=8, loop=LOOP):
    return HEAD.format(rule=rule) + loop.format(times=times)


def by_hand(rule, at_step):
    """The same step, recorded with record() around it."""
    space = {}
    exec(HEAD.format(rule=rule) + LOOP.format(times=at_step - 1), space)
    with record() as tape:
        exec(LOOP.format(times=1), space)
    return tape


def phases(tape):
    return [step.phase for step in tape.steps]


@pytest.mark.parametrize("rule", [SGD, ADAM, "SGD(model.parameters(), lr=0.1, momentum=0.9)"])
@pytest.mark.parametrize("at_step", [1, 2, 5])
def test_the_step_is_the_one_that_record_would_have_recorded(script, rule, at_step):
    run = script(training(rule), at_step=at_step)
    assert run.reached and run.backwards == at_step and run.error is None
    want, got = by_hand(rule, at_step), run.tape
    assert [(s.phase, s.op, s.module) for s in got.steps] == [(s.phase, s.op, s.module) for s in want.steps]
    for one, other in zip(got.steps, want.steps, strict=True):
        assert np.array_equal(one.value, other.value), one
    assert got.responsibility().after == want.responsibility().after
    assert got.symbols.legend == want.symbols.legend


def test_watching_changes_no_number(script):
    run = script(training(ADAM, 4) + "kept = [p.tolist() for p in model.parameters()]", at_step=10)
    space = {}
    exec(training(ADAM, 4), space)
    assert run.scopes[-1]["kept"] == [p.tolist() for p in space["model"].parameters()]


def test_it_runs_as_python_runs_it(script, tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("number = 7")
    monkeypatch.chdir("/")
    run = script(
        """
        import os, pickle, sys, beside
        class Own: ...
        kept = __name__, sys.argv, sys.path[0], beside.number, os.getcwd(), __file__
        assert isinstance(pickle.loads(pickle.dumps(Own())), Own)
        assert sys.modules["__main__"].kept is kept
        """,
        "--epochs",
        "3",
    )
    sys.modules.pop("beside")
    assert run.error is None, run.traceback()
    file = str(tmp_path / "script.py")
    assert run.scopes[-1]["kept"] == ("__main__", [file, "--epochs", "3"], str(tmp_path), 7, "/", file)


# -- when it stops ---------------------------------------------------------------------------------------------------


def test_it_stops_after_the_step(script):
    run = script("done = []\n" + training(times=100, loop=LOOP + "    done.append(epoch)\n"), at_step=3)
    assert run.scopes[-1]["done"] == [0, 1]
    assert phases(run.tape)[-1] == "update"


def test_except_exception_does_not_swallow_the_stop_and_what_follows_a_bare_except_is_not_recorded(script):
    body = """
for epoch in range(6):
    try:
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), t)
        loss.backward()
        opt.step()
    except {what}:
        caught = epoch
"""
    run = script(HEAD.format(rule=SGD) + body.format(what="Exception"), at_step=2)
    assert "caught" not in run.scopes[-1] and run.scopes[-1]["epoch"] == 1
    run = script(HEAD.format(rule=SGD) + body.format(what="BaseException"), at_step=2)
    assert run.scopes[-1]["caught"] == 1 and run.scopes[-1]["epoch"] == 5
    want = by_hand(SGD, 2)
    assert [str(s) for s in run.tape.steps if s.phase == "update"] == [
        str(s) for s in want.steps if s.phase == "update"
    ]


def test_two_optimizers_and_clipping_between_belong_to_one_step(script):
    run = script(
        HEAD.format(rule="SGD(model[0].parameters(), lr=0.5)")
        + "second = optim.Adam(model[2].parameters())\n"
        + LOOP.format(times=5)
        + "    nn.utils.clip_grad_norm_(model[2].parameters(), 0.01)\n    second.step()\n    mean = y.detach().mean()\n"
    )
    names = [s.name for s in run.tape.steps if s.phase == "update"]
    assert {"W1′", "W2′", "exp_avg(W2)′"} <= set(names)
    assert any("clipped" in name for name in names)
    assert run.tape.steps[-1].module == "Adam"


def test_a_step_of_some_parameters_ends_with_what_has_nothing_to_do_with_gradients(script):
    """The others may be another optimizer's, so it does not end at once."""
    run = script(
        HEAD.format(rule="SGD(model[0].parameters(), lr=0.5)")
        + "tests = []\n"
        + LOOP.format(times=1)
        + "    with gg.no_grad():\n        tests.append(model(x).mean())\n"
    )
    assert run.scopes[-1]["tests"] == []
    assert [s.name for s in run.tape.steps if s.phase == "update"] == ["W1′", "b1′"]


def test_the_rest_of_a_gan_step_is_not_recorded(script):
    run = script(
        """
        import glassgrad as gg
        from glassgrad import nn, optim
        gg.manual_seed(1)
        maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
        make, learn = optim.SGD(maker.parameters(), lr=0.1), optim.SGD(judge.parameters(), lr=0.1)
        for epoch in range(5):
            fake = maker(gg.randn(3, 2))
            (judge(fake.detach()) ** 2).mean().backward()
            learn.step()
            learn.zero_grad()
            loss = ((judge(fake) - 1) ** 2).mean()
            loss.backward()
            make.step()
            make.zero_grad()
        """,
        at_step=4,
    )
    assert run.backwards == 4
    # the maker's layer ran before the third backward pass, and is a part of the fourth
    assert len([s for s in run.tape.steps if s.op == "affine" and s.phase == "forward"]) == 2
    assert len([s for s in run.tape.steps if s.phase == "update"]) == 2


def test_an_update_by_hand_is_recorded_and_what_follows_is_not(script):
    body = """
        import glassgrad as gg
        w = gg.tensor(3.0, requires_grad=True)
        b = gg.tensor(1.0, requires_grad=True)
        for _ in range(4):
            loss = (w * 2 + b) ** 2
            loss.backward()
            with gg.no_grad():
                {update}
            w.grad = b.grad = None
            shown = [float(w * k) for k in range(100)]
    """
    for update in ("w -= 0.1 * w.grad; b -= 0.1 * b.grad", "w.sub_(0.1 * w.grad); b.sub_(0.1 * b.grad)"):
        run = script(body.format(update=update), at_step=2)
        assert run.error is None, run.traceback()
        assert [s.name for s in run.tape.steps if s.phase == "update" and s.name.endswith("′")] == ["w′", "b′"], update
        assert len(run.tape.steps) < 20


def test_gradients_without_an_optimizer_end_with_the_next_forward_pass(script):
    run = script(training(loop=LOOP.replace("    opt.step()\n", "")), at_step=2)
    assert run.backwards == 2 and "update" not in phases(run.tape)


def test_gradient_accumulation_shows_one_pass(script):
    run = script(training(loop=LOOP.replace("    opt.step()\n", "    if epoch % 2: opt.step(); opt.zero_grad()\n")
                          .replace("    opt.zero_grad()\n    y", "    y")), at_step=4)  # fmt: skip
    assert run.backwards == 4 and len(run.tape.roots) == 1
    assert len([s for s in run.tape.steps if s.op == "affine" and s.phase == "forward"]) == 2
    assert "W1′" in [s.name for s in run.tape.steps]


def test_a_graph_that_is_kept_for_two_backward_passes_is_whole_in_both(script):
    run = script(
        HEAD.format(rule=SGD) + "y = model(x)\nfirst = y.sum()\nfirst.backward(retain_graph=True)\n"
        "second = (y * y).sum()\nsecond.backward()\nopt.step()\n",
        at_step=2,
    )
    assert len([s for s in run.tape.steps if s.op == "affine" and s.phase == "forward"]) == 2
    assert run.tape.symbols.text(run.tape.loss) == "second"
    weight = run.scopes[-1]["model"][0].weight
    why = run.tape.why(weight, (0, 1), top=10_000)
    assert sum(p.product for p in why.paths) == pytest.approx(why.value)


def test_a_gradient_within_the_loss_is_no_backward_pass(script):
    run = script(
        """
        import glassgrad as gg
        w = gg.tensor(2.0, requires_grad=True)
        opt = gg.optim.SGD([w], lr=0.1)
        for epoch in range(3):
            opt.zero_grad()
            y = w**3
            slope, = gg.autograd.grad(y, w, create_graph=True)
            loss = y + slope**2
            loss.backward()
            opt.step()
        """,
        at_step=2,
    )
    assert run.error is None, run.traceback()
    assert run.backwards == 2 and run.scopes[-1]["epoch"] == 1
    assert "w′" in [s.name for s in run.tape.steps]


def test_a_closure_of_an_optimizer(script):
    run = script(
        """
        import glassgrad as gg
        w = gg.tensor([3.0, 1.0], requires_grad=True)
        opt = gg.optim.LBFGS([w], max_iter=4)
        def closure():
            opt.zero_grad()
            loss = ((w - 1) ** 2).sum()
            loss.backward()
            return loss
        for _ in range(3):
            opt.step(closure)
        """,
        at_step=2,
    )
    assert run.error is None and run.backwards == 2
    assert "forward" in phases(run.tape) or "loss" in phases(run.tape)


def test_only_what_the_loss_was_computed_from_is_shown(script):
    run = script(
        HEAD.format(rule=SGD)
        + """
data = (x * 3 + 1) / 2
for epoch in range(3):
    with gg.no_grad():
        tested = model(x).mean()
    y = model(data)
    close = (y.detach() - t).abs().mean()
    loss = nn.functional.mse_loss(y, t)
    loss.backward()
    opt.step()
""",
        at_step=2,
    )
    forward = [s for s in run.tape.steps if s.phase == "forward"]
    assert [s.op for s in forward] == ["affine", "tanh", "affine", "sigmoid"]
    assert forward[0].formula.startswith("v1 = data ")


def test_ten_thousand_values_later_no_more_is_held(script):
    """A running mean would keep all steps: what is watched must be let go of as if it were not."""
    text = (
        HEAD.format(rule=ADAM)
        + "import gc\nfrom glassgrad.graph import Node\nheld = []\nmean = gg.zeros(())\n"
        + LOOP.format(times=120)
        + """
    with gg.no_grad():
        mean = mean * 0.9 + loss * 0.1
    if epoch in (20, 119):
        gc.collect()
        held.append(sum(type(each) is Node for each in gc.get_objects()))
"""
    )
    run = script(text, at_step=1000)
    assert run.error is None, run.traceback()
    early, late = run.scopes[-1]["held"]
    assert late <= early + 5


# -- what can go wrong -----------------------------------------------------------------------------------------------


def test_fewer_backward_passes_than_asked(script):
    run = script(training(times=4), at_step=9)
    assert (run.reached, run.backwards, run.error, run.exited) == (False, 4, None, None)


def test_no_backward_pass(script):
    run = script("print('nothing')")
    assert (run.reached, run.backwards) == (False, 0)


def test_a_script_that_raises_keeps_what_was_recorded(script):
    run = script(training(loop=LOOP.replace("    loss =", "    if epoch == 2: y = y @ t\n    loss =")), at_step=3)
    assert not run.reached and run.backwards == 2
    assert [s.op for s in run.tape.steps] == ["affine", "tanh", "affine", "sigmoid"]
    text = run.traceback()
    assert text.startswith("Traceback") and "y = y @ t" in text
    assert "exec(" not in text, "the first frame is the script's own"


def test_a_script_that_raises_after_its_backward_pass(script):
    run = script(training(loop=LOOP.replace("    opt.step()", "    raise ValueError('mine')")))
    assert run.reached and isinstance(run.error, ValueError)
    assert set(phases(run.tape)) == {"forward", "loss", "backward"}


@pytest.mark.parametrize(("text", "kind"), [("x = (", SyntaxError), ("\x00", (SyntaxError, ValueError))])
def test_a_script_that_is_no_python(script, text, kind):
    run = script(text)
    assert isinstance(run.error, kind)
    assert type(run.error).__name__ in run.traceback()


@pytest.mark.parametrize(("given", "exited"), [("", 0), ("0", 0), ("3", 3), ("'no data'", "no data")])
def test_a_script_that_ends_itself(script, given, exited):
    run = script(f"import sys\nsys.exit({given})")
    assert (run.exited, run.error, run.reached) == (exited, None, False)


def test_a_script_that_needs_arguments(script):
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', type=int, required=True)\n"
    run = script(text + "n = p.parse_args().n\n" + training(), "--n", "5")
    assert run.reached and run.scopes[-1]["n"] == 5


def test_a_script_that_lacks_arguments(script, capsys):
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', required=True)\np.parse_args()"
    assert script(text).exited == 2
    assert "--n" in capsys.readouterr().err


def test_no_such_file(tmp_path):
    for path in (tmp_path / "missing.py", tmp_path):
        with pytest.raises(ArgumentError, match="there is no script"):
            run_script(path)


def test_other_threads_are_counted_and_not_recorded(script):
    inner = textwrap.indent(LOOP.format(times=3), "    ")
    run = script(
        HEAD.format(rule=SGD) + f"import threading\ndef train():\n{inner}\n"
        "each = threading.Thread(target=train)\neach.start()\neach.join()\n"
    )
    assert (run.backwards, run.elsewhere) == (0, 3)
    run = script(
        HEAD.format(rule=SGD) + "import threading\ndone = []\ndef count():\n    done.append((x * 2).sum().item())\n"
        "each = threading.Thread(target=count)\neach.start()\neach.join()\n" + LOOP.format(times=3)
    )
    assert run.reached and run.elsewhere == 0


def test_variables_of_running_functions(script):
    run = script(
        HEAD.format(rule=SGD)
        + """
def train(net, rate):
    hidden = gg.ones(2)
    for epoch in range(4):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), t)
        loss.backward()
        opt.step()
def main():
    outer = 1
    train(model, 0.5)
main()
""",
        at_step=2,
    )
    assert [set(s) & {"rate", "outer", "model"} for s in run.scopes] == [{"rate"}, {"outer"}, {"model"}]
    assert run.scopes[0]["epoch"] == 1
    assert run.tape.node_of(run.scopes[0]["net"][0].weight) in run.tape.cotangents


def test_a_script_that_records_itself_is_told_the_same(script):
    body = (
        HEAD.format(rule=SGD)
        + "from glassgrad.explain import record\nkept = []\n"
        + """
for epoch in range(4):
    with record() as tape:
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), t)
        loss.backward()
        opt.step()
    kept.append([str(step) for step in tape.steps])
    loss = tape.responsibility()
"""
    )
    run = script(body, at_step=3)
    assert run.error is None, run.traceback()
    assert run.backwards == 3 and len(run.scopes[-1]["kept"]) == 2
    space = {}
    exec(body, space)
    assert run.scopes[-1]["kept"] == space["kept"][:2]
    assert [str(step) for step in run.tape.steps] == space["kept"][2]


def test_a_thread_that_records_itself(script):
    run = script(
        HEAD.format(rule=SGD)
        + """
import threading
from glassgrad.explain import record
steps = []
def count():
    with record() as tape:
        (model(x) ** 2).mean().backward()
    steps.extend(tape.steps)
    model(x).sum().backward()
each = threading.Thread(target=count)
each.start()
each.join()
"""
        + LOOP.format(times=1)
    )
    assert run.error is None and run.reached
    assert len(run.scopes[-1]["steps"]) > 5
    assert run.elsewhere == 1, "what it records itself is its own business"


def test_a_script_that_goes_to_another_folder(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    text = "import os\nos.chdir('there')\n" + training()
    (tmp_path / "moving.py").write_text(text)
    run = run_script("moving.py")
    assert run.tape.steps[0].source == "y = model(x)"


COMPILED = (
    HEAD
    + """
@gg.compile
def step(x, t):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(x), t)
    loss.backward()
    opt.step()
    return loss
losses = [step(x, t).item() for _ in range(6)]
"""
)


@pytest.mark.parametrize("rule", [SGD, ADAM])
def test_a_compiled_step_is_recorded_as_the_plain_function_that_it_is(script, rule):
    run = script(COMPILED.format(rule=rule), at_step=4)
    assert run.error is None, run.traceback()
    assert run.backwards == 4
    want = by_hand(rule, 4)
    assert [(s.phase, s.op) for s in run.tape.steps] == [(s.phase, s.op) for s in want.steps]
    for one, other in zip(run.tape.steps, want.steps, strict=True):
        assert np.array_equal(one.value, other.value), one


def test_a_compiled_step_goes_on_rightly_after_it_was_recorded():
    space = {}
    exec(COMPILED.format(rule=ADAM), space)
    with record():
        watched = [space["step"](space["x"], space["t"]).item() for _ in range(2)]
    after = [space["step"](space["x"], space["t"]).item() for _ in range(2)]
    plain = {}
    exec(training(ADAM, 0), plain)
    losses = []
    for _ in range(10):
        exec(LOOP.format(times=1), plain)
        losses.append(plain["loss"].item())
    assert [*space["losses"], *watched, *after] == pytest.approx(losses, rel=1e-5)


def test_an_optimizer_keeps_no_hook(script):
    run = script(training(), at_step=2)
    opt = run.scopes[-1]["opt"]
    assert isinstance(opt, optim.Optimizer) and not opt._post_hooks
    assert gg.is_grad_enabled()
