"""The step debugger, driven by textual's own pilot: every key and dialog, what is lit, small terminals, odd names."""

import asyncio
import dataclasses
import functools

import pytest

pytest.importorskip("textual")

from textual.containers import VerticalScroll
from textual.widgets import Input, OptionList, Static, Tree

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad import report as r
from glassgrad.errors import ArgumentError
from glassgrad.explain import record
from glassgrad.explain.script import run_text
from glassgrad.recipes.worked import program
from glassgrad.view.debugger import Debugger, at
from glassgrad.view.debugger_dialogs import Ask, Pick, Show
from glassgrad.view.debugger_stops import Stop, hits, layers, parse

SMALL = (80, 24)


@functools.cache
def article():
    return run_text("".join(program()), "article.py").tape.report("the article's net")


@functools.cache
def net():
    """Two saturated layers, so that gradients die on the way."""
    gg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    with gg.no_grad():
        model[2].weight.mul_(30.0)
    opt = optim.SGD(model.parameters(), lr=0.1)
    with record() as tape:
        loss = (model(gg.tensor([[1.0, 2.0], [-3.0, 1.0]])) ** 2).mean()
        loss.backward()
        opt.step()
    return tape.report("a deep net")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """The pilot sleeps after each key until nothing more happens: look more often whether that is so."""
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.006)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0003)


async def settle(app, pilot):
    """Wait until the graph has followed."""
    for _ in range(100):
        await pilot.pause()
        cursor = app.screen_stack[0].query_one(Tree).cursor_node
        if cursor is not None and cursor.data == at(app.report.steps[app.place]):
            return


def drives(report, *sequences, size=SMALL):
    """What is to be seen after each of these sequences of keys, every one from the start; "=text" fills a field."""
    seen = []

    async def main():
        app = Debugger(report)
        async with app.run_test(size=size) as pilot:
            for keys in sequences:
                if len(app.screen_stack) > 1:
                    await pilot.press("escape")
                app.stops = []
                app._to(0)
                for key in keys:
                    if len(key) > 1 and key.startswith("="):
                        app.screen.query_one(Input).value = key[1:]
                    else:
                        await pilot.press(key)
                await settle(app, pilot)
                seen.append(look(app))

    asyncio.run(main())
    return seen


def drive(report, *keys, size=SMALL):
    return drives(report, keys, size=size)[0]


class Look:
    def __init__(self, app):
        self.app, self.stops = app, list(app.stops)
        self.step = app.report.steps[app.place]
        base = app.screen_stack[0]
        self.detail = str(base.query_one("#detail", Static).content)
        self.top = str(base.query_one("#top", Static).content)
        self.status = str(base.query_one("#status", Static).content)
        tree = base.query_one(Tree)
        self.labels = {node.id: str(app.leaves[node.id].label) for node in app.report.graph.nodes}
        self.cursor = tree.cursor_node.data if tree.cursor_node is not None else None
        line = tree.cursor_line
        self.visible = tree.scroll_offset.y <= line < tree.scroll_offset.y + tree.size.height
        screen = app.screen
        self.dialog = screen if isinstance(screen, (Ask, Pick, Show)) else None
        self.texts = [str(each.content) for each in screen.query(Static)]
        self.inputs = [each.value for each in screen.query(Input)]
        self.options = [str(o.prompt) for each in screen.query(OptionList) for o in each.options]
        self.lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


look = Look


def lit(seen):
    return [node for node, label in seen.labels.items() if label.startswith("▶")]


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_it_begins_at_the_first_step_with_everything_about_it():
    seen = drive(article())
    step = article().steps[0]
    for words in (step.formula, f"= {step.numbers}", f"= {step.result}", "article.py:12", "z1 = x * w1 + b1"):
        assert words in seen.detail
    assert step.sentence.split()[0] in seen.detail
    assert "FORWARD" in seen.top and "step 1 of 23" in seen.top
    assert "L = 0.1563" in seen.top


@pytest.mark.parametrize("report", [article, net])
def test_every_step_is_lit_and_in_sight(report):
    async def main():
        app = Debugger(report())
        async with app.run_test(size=SMALL) as pilot:
            await settle(app, pilot)
            for step in report().steps:
                seen = look(app)
                assert seen.step is step
                assert lit(seen) == [at(step)]
                assert seen.cursor == at(step) and seen.visible
                assert step.name in seen.detail
                await pilot.press("right")
                await settle(app, pilot)

    asyncio.run(main())


def test_marks_of_forward_gradient_and_update():
    report = article()
    ids = {node.name: node.id for node in report.graph.nodes}
    start, middle, end, back = drives(report, [], ["p", "p", "n"], ["end"], ["end", "home"])
    assert start.labels[ids["y"]].startswith("  y"), "not computed yet"
    assert middle.labels[ids["y"]].startswith("▶ y 0.6047 ∇ −0.7906")
    assert middle.labels[ids["z1"]].startswith("● z1 1.1") and "∇" not in middle.labels[ids["z1"]]
    assert "∇ −0.02125" in end.labels[ids["w1"]] and "′" in end.labels[ids["w1"]]
    assert back.labels == start.labels


def test_a_tree_by_modules_in_the_order_of_the_forward_pass():
    async def main():
        app = Debugger(net())
        async with app.run_test(size=SMALL) as pilot:
            await settle(app, pilot)
            tree = app.query_one(Tree)
            names = [str(child.label) for child in tree.root.children if child.data is None]
            assert names == ["0", "1", "2", "3", "4"]
            inside = tree.root.children[[str(c.label) for c in tree.root.children].index("0")]
            assert [str(c.label)[2:4] for c in inside.children if str(c.label)[2] != "c"] == ["W1", "b1", "v1"]

    asyncio.run(main())


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (200, 60)])
def test_nothing_is_wider_than_the_terminal(size):
    for seen in drives(net(), [], ["end"], ["w"], ["question_mark"], ["colon"], ["l"], size=size):
        assert len(seen.lines) == size[1]
        assert all(len(line) <= size[0] for line in seen.lines)


def test_all_keys_are_named_at_80_columns():
    bottom = drive(article()).lines[-1]
    assert bottom.rstrip().endswith("q quit")


def test_without_colour_the_current_node_can_still_be_told(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    seen = drive(article(), "n", "n")
    assert any("▶ a1" in line for line in seen.lines)


def test_names_are_only_text():
    evil = "[red]x[/red]\x1b[31m\n<b>"
    steps = tuple(
        dataclasses.replace(s, module=evil, name=evil, formula=f"{evil} = 1", sentence=evil) for s in net().steps
    )
    nodes = tuple(dataclasses.replace(n, name=evil, module=evil) for n in net().graph.nodes)
    graph = dataclasses.replace(net().graph, nodes=nodes)
    report = dataclasses.replace(net(), steps=steps, graph=graph, title=evil, legend={evil: evil})
    for place, seen in enumerate(drives(report, [], ["l"], ["w"], ["end"], size=(120, 30))):
        whole = "\n".join(seen.lines)
        assert "\x1b" not in whole
        if place == 0:
            assert "[red]x[/red]\\x1b[31m\\n<b> = 1" in whole


def test_a_report_without_steps_is_refused():
    with pytest.raises(ArgumentError, match="no steps"):
        Debugger(dataclasses.replace(article(), steps=()))


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keys_lead_to_steps():
    wanted = [
        (["right"], 2), (["n"], 2), (["space"], 2), (["right", "right", "left"], 2), (["n", "b"], 1), (["left"], 1),
        (["end"], 23), (["end", "right"], 23), (["end", "home"], 1),
        (["p"], 7), (["p", "p"], 9), (["p", "p", "p"], 20), (["p", "p", "p", "p"], 20),
        (["end", "P"], 9), (["end", "P", "P"], 7), (["end", "P", "P", "P"], 1), (["P"], 1),
        (["g", "=12", "enter"], 12), (["g", "=12", "escape"], 1), (["g", "=99", "enter", "backspace", "enter"], 9),
    ]  # fmt: skip
    seen = drives(article(), *(keys for keys, _ in wanted))
    assert [(keys, each.step.number) for (keys, _), each in zip(wanted, seen, strict=True)] == wanted


def test_the_ends_are_said():
    seen = drives(article(), ["end", "right"], ["left"], ["end", "p"], ["P"], ["left", "right"])
    said = ["last step", "first step", "no phase after", "no phase before"]
    assert all(words in each.status for words, each in zip(said, seen[:4], strict=True))
    assert seen[4].status == ""


def test_a_wrong_number_can_be_mended():
    seen = drive(article(), "g", "=99", "enter")
    assert isinstance(seen.dialog, Ask) and any("steps 1 to 23" in text for text in seen.texts)


def test_to_a_layer():
    names = layers(net())
    assert names == ["0", "1", "2", "3", "4"]
    asked, forward, backward, down, nothing, left = drives(
        net(), ["l"], ["l", "=2", "enter"], ["p", "p", "l", "=2", "enter"], ["l", "down", "down", "enter"],
        ["l", "=x", "enter"], ["l", "escape"],
    )  # fmt: skip
    assert isinstance(asked.dialog, Pick) and asked.options == names
    assert (forward.step.module, forward.step.phase) == ("2", "forward")
    assert (backward.step.module, backward.step.phase) == ("2", "backward")
    assert down.step.module == "2"
    assert nothing.dialog is not None and left.step.number == 1
    assert "in a layer" in drive(article(), "l").status


def test_a_click_on_a_value_leads_to_its_step():
    async def main():
        app = Debugger(article())
        async with app.run_test(size=SMALL) as pilot:
            await settle(app, pilot)
            tree = app.query_one(Tree)
            wanted = next(node for node in app.report.graph.nodes if node.name == "z2")
            line = app.leaves[wanted.id].line
            await pilot.click(Tree, offset=(5, line))
            await settle(app, pilot)
            assert app.report.steps[app.place].name == "z2"
            assert tree.cursor_node is app.leaves[wanted.id]

    asyncio.run(main())


def test_weights_before_and_after():
    seen, own, closed = drives(article(), ["end", "P", "w"], ["g", "=22", "enter", "w"], ["w", "escape"])
    assert isinstance(seen.dialog, Show)
    text = "\n".join(seen.texts)
    assert all(words in text for words in ("w1", "0.5002", "w2", "0.3014"))
    assert own.step.name == "w2′"
    assert "\n".join(own.texts).index("w2") < "\n".join(own.texts).index("w1")
    assert closed.dialog is None
    arrays = "\n".join(drive(net(), "w").texts)
    assert "norm" in arrays and "→" in arrays
    bare = dataclasses.replace(article(), steps=tuple(s for s in article().steps if s.phase != "update"))
    assert any("No update was recorded" in text for text in drive(bare, "w").texts)


def test_a_long_text_scrolls():
    async def main():
        app = Debugger(net())
        async with app.run_test(size=(60, 14)) as pilot:
            await pilot.press("w", "down", "down", "down")
            await settle(app, pilot)
            assert app.screen.query_one(VerticalScroll).scroll_y > 0

    asyncio.run(main())


def test_help_and_quit():
    seen, closed = drives(article(), ["question_mark"], ["question_mark", "escape"])
    assert any("norm < 1e-6" in text for text in seen.texts)
    assert closed.dialog is None

    async def main():
        app = Debugger(article())
        async with app.run_test(size=SMALL) as pilot:
            await pilot.press("q")
            await pilot.pause()
            assert not app.is_running

    asyncio.run(main())


# -- stops -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stop"),
    [
        ("norm < 1e-6", Stop("below", bound=1e-6)), ("norm<1e-6", Stop("below", bound=1e-6)),
        ("gradient norm falls below 0.1", Stop("below", bound=0.1)), ("norm > 100", Stop("above", bound=100)),
        ("gradient norm rises above 3", Stop("above", bound=3.0)), ("nan", Stop("nan")),
        ("where a nan appears", Stop("nan")), ("op tanh", Stop("op", "tanh")), ("at an op tanh", Stop("op", "tanh")),
        ("module 2", Stop("module", "2")), ("layer 2", Stop("module", "2")),
    ],
)  # fmt: skip
def test_stops_in_words(words, stop):
    assert parse(words, net()) == stop


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("norm < little", "no number"),
        ("op tanhh", "nearest is tanh"),
        ("module 9", "there are"),
        ("when it rains", "norm <"),
    ],
)
def test_words_that_are_no_stop(words, said):
    with pytest.raises(ArgumentError) as caught:
        parse(words, net())
    assert said in f"{caught.value.asked} {caught.value.fix}"


def test_a_wrong_stop_can_be_mended():
    wrong, mended = drives(
        net(), ["colon", "=op tanhh", "enter"], ["colon", "=op tanhh", "enter", "backspace", "enter"]
    )
    assert isinstance(wrong.dialog, Ask) and wrong.stops == []
    assert any("nearest is tanh" in text for text in wrong.texts)
    assert mended.dialog is None and mended.stops == [Stop("op", "tanh")]


def test_c_goes_on_to_where_the_gradient_dies():
    came = {node.id: node.gradient.norm for node in net().graph.nodes if node.gradient is not None}
    slope = next(s for s in net().steps if s.phase == "backward" and s.op == "tanh" and s.value.flat != 0)
    bound = (slope.value.norm + came[slope.node]) / 2
    assert slope.value.norm < bound < came[slope.node], "the net was made so that tanh is flat"
    seen = drive(net(), "colon", f"=norm < {bound}", "enter", "c")
    assert seen.step.value.norm < bound <= came[seen.step.node]
    before = [s for s in net().steps if s.phase == "backward" and s.number < seen.step.number]
    assert not any(s.operand is not None and s.value.norm < bound <= came[s.node] for s in before), "it is the first"
    assert "gradient norm <" in seen.status
    assert "this is the last step" in drive(net(), "colon", "=norm < 1e-30", "enter", "c").status


def test_c_goes_on_from_stop_to_stop():
    to = ["colon", "=op sigmoid", "enter", "c"]
    assert [s.step.number for s in drives(article(), to, [*to, "c"], [*to, "c", "c"])] == [3, 6, 11]
    to = ["colon", "=module 2", "enter", "c"]
    entered, again = drives(net(), to, [*to, "c"])
    assert (entered.step.phase, again.step.phase) == ("forward", "backward")
    assert entered.step.module == again.step.module == "2"


def test_c_without_stops_and_stops_cleared():
    two = ["colon", "=op sigmoid", "enter", "colon", "=nan", "enter"]
    none, both, shown, one, cleared, wrong, again = drives(
        article(), ["c"], two, [*two, "colon"], [*two, "colon", "=clear 1", "enter"],
        [*two, "colon", "=clear", "enter"], [*two, "colon", "=clear 5", "enter"], [*two, "colon", "=nan", "enter"],
    )  # fmt: skip
    assert "No stops" in none.status and none.step.number == 1
    assert len(both.stops) == len(again.stops) == 2, "no stop twice"
    assert any("1. op sigmoid" in text for text in shown.texts)
    assert one.stops == [Stop("nan")] and cleared.stops == []
    assert isinstance(wrong.dialog, Ask)


def test_c_stops_where_a_nan_appears():
    x = gg.tensor([1.0, 0.0], requires_grad=True)
    with record() as tape:
        y = x * 2
        z = y.log() * 0.0
        loss = z.sum()
        loss.backward()
    seen = drive(tape.report(), "colon", "=nan", "enter", "c")
    assert seen.step.lost and "first time" in seen.detail
    assert "nan" in seen.status


def test_a_norm_falls_only_where_it_was_not_below():
    step = next(s for s in net().steps if s.phase == "backward" and s.operand is not None)
    low = dataclasses.replace(step, value=dataclasses.replace(step.value, norm=1e-7))
    stop = Stop("below", bound=1e-6)
    assert hits(stop, low, None, 1.0) and hits(stop, low, None, None)
    assert not hits(stop, low, None, 1e-8)
    assert not hits(stop, dataclasses.replace(low, phase="forward"), None, 1.0)
    assert hits(Stop("above", bound=1e-8), low, None, 1e-9)


def test_a_large_graph_opens_where_the_walk_comes_by():
    base = net().graph.nodes[0]
    nodes = tuple(
        dataclasses.replace(base, id=10_000 + k, name=f"v{k}", op="tanh", module=f"block.{k // 10}") for k in range(400)
    )
    model = next(s for s in net().steps if s.phase == "forward")
    steps = tuple(
        dataclasses.replace(model, number=k + 1, node=10_000 + k, operand=None, module=f"block.{k // 10}")
        for k in range(400)
    )
    report = dataclasses.replace(net(), steps=steps, graph=r.GraphReport(nodes, ()), legend={})
    seen = drive(report, "g", "=395", "enter")
    assert lit(seen) == [10_394] and seen.visible
    branch = seen.app.leaves[10_394].parent
    assert branch.is_expanded
    assert not seen.app.leaves[10_200].parent.is_expanded
