"""Reports as text: exact numbers, lines that fit, nothing cut, every kind of terminal, names that are only text."""

import dataclasses
import functools
import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.explain import record
from glassgrad.explain.reporting import report_of
from glassgrad.explain.script import run_text
from glassgrad.recipes.worked import program
from glassgrad.view.lines import ascii_of, clean, folded, nearest, number, share
from glassgrad.view.text import show

EXACT = {
    "z1": 1.1, "a1": 0.7502601056, "z2": 0.4250780317, "y": 0.6046977374, "L": 0.1562638788, "∂L/∂y": -0.7906045251,
    "∂L/∂w2": -0.1417877769, "∂L/∂w1": -0.0212460387, "∂L/∂b2": -0.1889848279, "∂L/∂b1": -0.0106230193,
    "w2′": 0.3014178778, "w1′": 0.5002124604,
}  # fmt: skip
"""Computed outside of glassgrad."""


class Layer(nn.Module):
    """A transformer's layer under a long name."""

    def __init__(self):
        super().__init__()
        self.a_rather_long_name_for_what_is_the_encoder_of_the_whole_model = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.0, batch_first=True
        )

    def forward(self, x):
        return self.a_rather_long_name_for_what_is_the_encoder_of_the_whole_model(x)


def step(model, x, loss_of, rule=optim.SGD):
    opt = rule(model.parameters(), lr=0.1)
    with record() as tape:
        loss = loss_of(model(x))
        loss.backward()
        opt.step()
    return tape


@functools.cache
def tapes():
    gg.manual_seed(0)
    x = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    xor = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
    cnn = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)
    )
    labels = gg.tensor([0, 2])
    return {
        "article": run_text("".join(program()), "article.py").tape,
        "xor": step(xor, x, lambda y: ((y - x[:, :1]) ** 2).mean()),
        "cnn": step(cnn, gg.randn(2, 1, 8, 8), lambda y: nn.functional.cross_entropy(y, labels)),
        "transformer": step(Layer(), gg.randn(2, 3, 8), lambda y: (y**2).mean(), optim.Adam),
    }


NETS = ("article", "xor", "cnn", "transformer")


@functools.cache
def report(name):
    return tapes()[name].report(name)


def text_of(made, width=80, encoding="utf-8", **options):
    """What is printed, as a pipe gets it."""
    held = io.BytesIO()
    file = io.TextIOWrapper(held, encoding=encoding, write_through=True)
    show(made, Console(file=file, width=width, color_system=None), **options)
    return held.getvalue().decode(encoding)


def joined(text):
    """A text without its line breaks and spaces: folding must change nothing else."""
    return re.sub(r"\s+", "", text)


# -- the article -------------------------------------------------------------------------------------------------------


def values(text):
    """The number at the end of each formula, by the name in front of it; and how many digits are printed."""
    found = {}
    lines = re.sub(r"\n {4,}(?=[=+·−] )", " ", text).splitlines()
    for line in lines:
        if match := re.match(r" *\d+  (\S+) = .*?(−?[\d.]+)$", line):
            found[match[1]] = match[2].replace("−", "-")
    return found


def test_the_articles_numbers_are_exact_to_the_digits_printed():
    found = values(text_of(report("article")))
    assert set(EXACT) <= set(found)
    for name, exact in EXACT.items():
        digits = len(found[name].partition(".")[2])
        assert float(found[name]) == pytest.approx(exact, abs=0.5000001 * 10**-digits), name
        assert float(found[name]) == pytest.approx(exact, rel=1e-3), f"{name} has four digits"


def test_numbers_are_plugged_into_the_formulas():
    text = text_of(report("article"))
    for line in ("z1 = x · w1 + b1 = 2 · 0.5 + 0.1 = 1.1", "∂L/∂w1 = ∂L/∂v1 · x = (−0.01062) · 2 = −0.02125",
                 "w2′ = w2 − lr · ∂L/∂w2 = 0.3 − 0.01 · (−0.1418) = 0.3014"):  # fmt: skip
        assert line in text


def test_pages_stand_in_the_order_of_the_phases():
    text = text_of(report("article"))
    places = [text.index(word) for word in ("1  Forward", "2  Loss", "3  Backward", "4  Update", "Responsibility")]
    assert places == sorted(places)
    assert "article.py:12   z1 = x * w1 + b1" in text


# -- lines that fit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [24, 80, 200])
@pytest.mark.parametrize("name", NETS)
def test_no_line_is_wider_than_the_terminal(name, width, encoding):
    for whole in (None, True):
        text = text_of(report(name), width, encoding, why=True, whole=whole)
        assert max(map(cell_len, text.splitlines())) <= width
        assert text.count("\n") > 20


@pytest.mark.parametrize("width", [24, 80])
@pytest.mark.parametrize("name", NETS)
def test_nothing_is_cut(name, width):
    made = report(name)
    text = joined(text_of(made, width, why=True, whole=True))
    for each in made.steps:
        assert joined(each.formula) in text
        assert joined(each.sentence) in text
        assert joined(each.numbers) in text
        assert joined(each.entry_formula) in text or not each.value.largest
    for short, long in made.legend.items():
        assert joined(short + long) in text


@pytest.mark.parametrize("name", NETS)
def test_every_sign_has_a_spelling_where_only_ascii_can_be_shown(name):
    text = text_of(report(name), encoding="ascii", why=True, whole=True)
    assert text.isascii()
    assert "\\" not in text and "?" not in text
    assert "dL/d" in text


def test_pipes_and_no_color_get_no_control_codes(monkeypatch):
    plain = text_of(report("xor"))
    assert "\x1b" not in plain
    page = io.StringIO()
    show(report("xor"), Console(file=page, width=80, force_terminal=True, color_system="truecolor"))
    assert "\x1b[" in page.getvalue()
    assert Text.from_ansi(page.getvalue()).plain.rstrip() == plain.rstrip()
    monkeypatch.setenv("NO_COLOR", "1")
    page = io.StringIO()
    show(report("xor"), Console(file=page, width=80, force_terminal=True))
    assert not re.search(r"\x1b\[[\d;]*3\d", page.getvalue()), "no colours"


# -- small and large nets ----------------------------------------------------------------------------------------------


def test_of_a_large_net_every_layer_is_shown():
    made = report("transformer")
    text = text_of(made)
    assert len(made.steps) > 60 and text.count("\n") < 8 * len({s.module for s in made.steps}) * 4
    for module in {s.module for s in made.steps} - {""}:
        assert joined(module) in joined(text)
    flat = joined(text)
    for node in made.graph.nodes:
        if node.role == "parameter":
            assert joined(f"∂L/∂{node.name}") in flat
            assert joined(f"{node.name}′") in flat
            gradient = next(s for s in made.steps if s.name == f"∂L/∂{node.name}")
            assert joined(f"norm {number(gradient.value.norm)}") in flat
    assert "largest [" in text
    assert "glassgrad step" in text


def test_what_each_layer_gave_is_its_last_value():
    text = text_of(report("transformer"))
    names = {s.module: s for s in report("transformer").steps if s.phase == "forward"}
    last = next(s for s in reversed(list(names.values())))
    assert f"{last.name}  2×3×8: {last.result}" in text


def test_numbers_that_are_lost_are_named():
    x = gg.tensor([1.0, 0.0], requires_grad=True)
    with record() as tape:
        loss = (x.log() * 0.0).sum()
        loss.backward()
    made = tape.report()
    for whole in (True, False):
        text = text_of(made, whole=whole)
        assert "appears here for the first time" in text
        assert "not finite" in text


def test_a_step_without_backward_and_an_empty_update():
    with record() as tape:
        y = gg.tensor(2.0) * 3
    text = text_of(tape.report())
    assert "y = 2 · 3 = 6" in text or "= 6" in text
    assert "Backward" not in text and "Responsibility" not in text
    assert y.item() == 6


# -- why ---------------------------------------------------------------------------------------------------------------


def test_why_lists_the_paths_their_factors_and_the_update():
    tape = tapes()["article"]
    w1 = next(node for node in tape.records if tape.symbols.text(node) == "w1")
    made = report_of(tape, "", [(w1, ())])
    text = text_of(made, why=True)
    assert "Why" not in text_of(made)
    assert "Why  ∂L/∂w1 = −0.02125" in text
    assert "one path leads" in text
    assert made.whys[0].paths[0].numbers.partition(" = ")[0] in text
    for factor in made.whys[0].paths[0].factors:
        assert joined(factor.formula) in joined(text)
    assert "w1 goes from 0.5 to 0.5002 by SGD" in text
    assert joined("w1′ = w1 − lr · ∂L/∂w1 = 0.5 − 0.01 · (−0.02125) = 0.5002") in joined(text)


def test_a_path_of_ones():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    with record() as tape:
        loss = x.sum() + 1
        loss.backward()
    text = text_of(report_of(tape, "", [(x, 1)]), why=True)
    assert re.search(r"^ +1  1$", text, re.MULTILINE)


def test_why_says_what_is_not_listed():
    tape = tapes()["transformer"]
    weight = next(n for n in tape.cotangents if n.op is None and len(n.shape) == 2)
    made = report_of(tape, "", [(weight, (0, 1))])
    why = made.whys[0]
    text = text_of(made, why=True)
    assert why.count > len(why.paths)
    assert f"more, together {number(why.remainder)}" in joined_spaces(text)


def joined_spaces(text):
    return re.sub(r"\s+", " ", text)


# -- names -------------------------------------------------------------------------------------------------------------


def test_names_are_only_text():
    evil = "[red]x[/red]\x1b]0;title\x07\x1b[31m\n\u202eabc"
    made = report("xor")
    steps = tuple(
        dataclasses.replace(s, module=evil, name=evil, formula=f"{evil} = 1", sentence=evil,
                            line=dataclasses.replace(s.line, file=f"/x/{evil}.py", text=evil))
        for s in made.steps
    )  # fmt: skip
    made = dataclasses.replace(made, steps=steps, title=evil, notes=(evil,), legend={evil: evil})
    for options in ({"whole": True}, {"whole": False}):
        text = text_of(made, 300, why=True, **options)
        assert not any(sign in text for sign in "\x1b\x07\u202e")
        assert r"[red]x[/red]\x1b]0;title\x07\x1b[31m\n\u202eabc" in text


# -- folding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("a = b + c = d", 20, ["a = b + c = d"]),
        ("total = first + second = third", 20, ["total", "= first + second", "= third"]),
        ("total = first · second + third · fourth", 26, ["total = first · second", "+ third · fourth"]),
        ("y = f(a + b · c) + d", 14, ["y = f(a + b", "· c) + d"]),
        ("abcdefghijklmnop", 12, ["abcdefghijkl", "mnop"]),
        ("two words", 12, ["two words"]),
        ("largest [1,2] 0.5, [3,4] 0.25", 24, ["largest [1,2] 0.5,", "[3,4] 0.25"]),
        ("", 10, [""]),
    ],
)
def test_formulas_are_folded_before_a_sign(text, width, lines):
    made = [line.plain for line in folded(Text(text), width)]
    assert max(map(len, made)) <= width
    assert joined("".join(made)) == joined(text)
    if text != "total = first + second = third":
        assert made == lines


def test_wide_letters_count_twice():
    made = folded(Text("深層学習の名前" * 4), 20, "  ")
    assert all(cell_len(line.plain) <= 20 for line in made)
    assert joined("".join(line.plain for line in made)) == "深層学習の名前" * 4


def test_styles_stay_with_their_words():
    text = Text.assemble("first words ", ("bold words that go on", "bold"))
    made = folded(text, 14, "  ", "    ")
    assert (
        "".join(line.plain[s.start : s.end] for line in made for s in line.spans).replace(" ", "")
        == "boldwordsthatgoon"
    )


def test_small_words():
    assert [number(x) for x in (1.0, -0.5, 1e-9, float("nan"), float("-inf"))] == ["1", "−0.5", "1e−09", "nan", "−∞"]
    shares = (0, 1, 0.5, 0.001, 0.9996, 0.999999)
    assert [share(x) for x in shares] == ["0 %", "100 %", "50 %", "0.1 %", "99.96 %", "99.99 %"]
    assert ascii_of("∂L/∂w₁² · σ(x)ᵀ") == "dL/dw_1^2 * sigma(x)^T"
    assert clean("a\tb\x00") == r"a\tb\x00"
    assert nearest("wieght", ["weight", "bias"]) == "the nearest is weight"
    assert nearest("q", []) == "there are none"


def test_a_tape_shows_itself(capsys):
    tapes()["article"].show()
    text = capsys.readouterr().out
    assert "z1 = x · w1 + b1" in text and "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80
