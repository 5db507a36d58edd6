"""A diagnosis as text, page, notebook form and JSON: nothing of a finding is lost, nothing in it does any harm."""

import dataclasses
import io
import math
import re
import xml.etree.ElementTree as ET

import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.view.nets import HOSTILE

from glassgrad.findings import NOTE, Examination, Finding, Place, Proof
from glassgrad.view import diagnosis_html, diagnosis_text
from glassgrad.view import json as view_json
from glassgrad.view.curves import curves, marks, thinned
from glassgrad.view.diagnosis import Scale, squeezed

LINE = "/home/ada/net.py:12 in forward"
SVG = "{http://www.w3.org/2000/svg}"
FALLING = tuple(2.0 * 0.97**step for step in range(401))
FLAT = tuple(2.0 - 1e-4 * step for step in range(401))
PROOF = Proof("the loss", FLAT, FALLING, True, "the loss after 400 steps: 1.96 as it was, 1.022e-05 with the remedy")
VANISHING = Finding(
    "vanishing gradients",
    "the gradient loses by a factor of 2.1e-07 from the last layer to the first",
    Place("sigmoid", "layers.7", LINE, (3, 5)),
    (("factor at this operation", 0.2448), ("product over all layers", 2.103e-07), ("layers", 8.0)),
    "the chain rule multiplies a factor for each operation: sigmoid has 0.241 on average, 8 times",
    "use nn.ReLU as activation",
    PROOF,
)
CONSTANT = Finding(
    "constant features", "3 of 16 columns of the inputs never change", Place(module="the inputs", entry=(2,)),
    (("constant columns", 3.0),), "a column that never changes is a bias", weight=NOTE,
)  # fmt: skip
BOTH = Examination(
    findings=(VANISHING, CONSTANT), model="Net", optimizer="SGD", parameters=2193, operations=21, batches=2, steps=400,
    losses=FLAT, looked_for=("vanishing gradients", "constant features", "flat place"),
    sources={LINE: "return gg.sigmoid(self.inner(x))"},
)  # fmt: skip
NONE = dataclasses.replace(BOTH, findings=(), losses=FALLING)


def of(finding=VANISHING, **changes):
    """An examination with this one finding, changed."""
    return dataclasses.replace(BOTH, findings=(dataclasses.replace(finding, **changes),))


def proven(before, after, **changes):
    return of(proof=Proof("the loss", tuple(before), tuple(after), True, "it is lower", **changes))


BROKEN = proven((1.0, 3.0, 40.0, math.inf), (1.0, 0.5, 0.4, 0.3, 0.2))
LOST = of(evidence=(("loss at the end", math.inf), ("least", -math.inf), ("mean", math.nan)))
MANY = of(also=tuple(Place(module=f"layers.{k}.weight") for k in range(40)))
BARE = of(proof=None, remedy="", where=Place())
NEGATIVE = proven((-1.0, -2.0, 3.0), (-1.0, -5.0, math.nan))
ALONE = proven((1.0,), (0.5,))
NAMES = of(
    fault=HOSTILE, symptom=HOSTILE, where=Place(HOSTILE, f"\x1b[31m{HOSTILE}", f"{HOSTILE}.py:3 in f"),
    evidence=((HOSTILE, 1.0),), cause=HOSTILE, remedy=HOSTILE, weight=HOSTILE, also=(Place(module=HOSTILE),),
    proof=Proof(HOSTILE, (1.0, 2.0), (1.0, 0.5), True, HOSTILE),
)  # fmt: skip
NAMES = dataclasses.replace(NAMES, sources={f"{HOSTILE}.py:3 in f": HOSTILE}, model=HOSTILE, stopped=HOSTILE)
ALL = {
    "both": BOTH, "none": NONE, "broken": BROKEN, "lost": LOST, "many": MANY, "bare": BARE, "negative": NEGATIVE,
    "alone": ALONE, "names": NAMES, "nothing known": Examination(),
    "stopped": Examination(stopped="ShapeError: (2, 3) and (4,)"),
}  # fmt: skip
every = pytest.mark.parametrize("name", ALL)


def text_of(report, width=80, encoding="utf-8", colours=None):
    """What is printed, as a pipe gets it, or a terminal with colours."""
    held = io.BytesIO()
    file = io.TextIOWrapper(held, encoding=encoding, write_through=True)
    terminal = colours is not None
    diagnosis_text.show(report, Console(file=file, width=width, color_system=colours, force_terminal=terminal))
    return held.getvalue().decode(encoding)


def joined(text):
    """A text without its line breaks and spaces: folding must change nothing else."""
    return re.sub(r"\s+", "", text)


def parts(finding):
    """All words of a finding."""
    proof = (finding.proof.what,) if finding.proof else ()
    evidence = (name for name, _ in finding.evidence)
    return (finding.fault, finding.symptom, finding.weight, finding.cause, finding.remedy, *proof, *evidence)


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 40])
def test_every_part_of_a_finding_is_printed(width):
    said = joined(text_of(BOTH, width))
    for finding in BOTH.findings:
        for part in parts(finding):
            assert joined(part) in said
    for words in ("sigmoid[3, 5] of layers.7", "net.py:12 in forward", BOTH.sources[LINE], "2.103e−07", "0.2448"):
        assert joined(words) in said, "where it is, and its numbers"
    assert "/home/ada" not in said, "files without their folders"
    assert joined("1 fault and 1 note") in said
    assert (
        joined("Net with 2,193 parameters, a step of 21 operations and SGD, trials of 400 steps on 2 batches") in said
    )


@every
@pytest.mark.parametrize("width", [80, 40, 20])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_lines_fit(name, width, encoding):
    for line in text_of(ALL[name], width, encoding).splitlines():
        assert cell_len(line) <= width
        assert width < 80 or line == line.rstrip()


@every
def test_pipes_get_no_escape_codes_and_terminals_the_same_words(name):
    plain, coloured = text_of(ALL[name]), text_of(ALL[name], colours="standard")
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert ("\x1b[" in coloured) == bool(plain.strip())


def test_evidence_stands_in_columns():
    lines = text_of(BOTH).splitlines()
    found = [next(line for line in lines if line[12:].startswith(name)) for name, _ in VANISHING.evidence]
    assert len({len(line) for line in found}) == 1, "numbers end beneath each other"


def test_both_courses_stand_on_one_scale():
    before, after = plots(text_of(BOTH))
    heights = [[sum(" ▁▂▃▄▅▆▇█".index(sign) for sign in column) for column in zip(*each, strict=True)]
               for each in (before, after)]  # fmt: skip
    assert min(heights[0]) >= 23, "2.0 to 1.96 is the top of a scale from 1e-5 to 2"
    assert heights[1] == sorted(heights[1], reverse=True)
    assert (heights[1][0], heights[1][-1]) == (24, 1)
    half = heights[1][len(heights[1]) // 2]
    assert 11 <= half <= 14, (
        "what falls by the same factor in each step is a straight line, for the scale is logarithmic"
    )


def plots(text):
    """The bars of each course: lines as wide as the widest."""
    found, run = [], []
    for line in [*text.splitlines(), ""]:
        if line.strip() and not line.strip("▁▂▃▄▅▆▇█ "):
            run.append(line[12:].ljust(68))
        elif run:
            found.append(run)
            run = []
    wide = max(len(line.rstrip()) for each in found for line in each)
    return [[line[:wide] for line in each] for each in found]


def test_an_end_that_is_no_number_is_said_in_words():
    assert "from 1 to ∞, after 3 steps" in text_of(BROKEN)
    assert "to nan, after 2 steps" in text_of(NEGATIVE)
    assert "from 1 to inf, after 3 steps" in text_of(BROKEN, encoding="ascii")


def test_further_places_are_counted_where_there_are_many():
    text = text_of(MANY)
    assert "layers.7.weight" in text
    assert "layers.8.weight" not in text
    assert "and 32 further places" in text


def test_nothing_wrong_is_said_with_what_was_examined():
    text = text_of(NONE)
    assert "Nothing is wrong: none of 3 faults was found." in text
    assert joined("Net with 2,193 parameters") in joined(text)
    assert "from 2 to" in text
    assert len(text.splitlines()) <= 5
    assert "Nothing is wrong" not in text_of(ALL["stopped"])
    assert "ShapeError: (2, 3) and (4,)" in text_of(ALL["stopped"])


def test_courses_that_cannot_be_compared_are_said_to_be_such():
    of_another = dataclasses.replace(PROOF, measured="the loss of the logits")
    assert joined("so that the loss of the logits is compared") in joined(text_of(of(proof=of_another)))
    assert "so that the loss of the logits is compared" in diagnosis_html.page(of(proof=of_another))
    assert "is compared" not in text_of(BOTH) + diagnosis_html.page(BOTH)


# -- scales and columns ------------------------------------------------------------------------------------------------


def test_scales():
    assert Scale.of((math.nan,), ()) is None
    straight = Scale.of((1.0, 5.0), (3.0,))
    assert [straight(v) for v in (1.0, 3.0, 5.0)] == [0, 0.5, 1]
    log = Scale.of((1.0, 1e-4))
    assert log(1e-2) == pytest.approx(0.5)
    assert Scale.of((2.0, 2.0))(2.0) == 0.5, "a course that stands still is in the middle"
    assert not Scale.of((0.0, 1000.0)).log, "0 has no logarithm"
    far = Scale.of((1.0, 1e30), (1.0, 0.1))
    assert (far.most, far(1e30), far.cut) == (1000.0, 1.0, True)
    ends = Scale(-1.7e308, 1.7e308, log=False)
    assert [ends(v) for v in (-1.7e308, 0.0, 1.7e308)] == [0, 0.5, 1]


def test_columns_are_means_of_finite_numbers():
    assert squeezed((1.0, 3.0, 5.0, 7.0), 2, 4) == [2, 6]
    assert squeezed((1.0, math.inf), 10, 2)[0] == 1
    assert math.isnan(squeezed((1.0, math.inf), 10, 2)[1])
    assert [math.isnan(v) for v in squeezed((1.0, 2.0), 2, 8)] == [False, True], "a short course ends early"


def test_long_courses_keep_their_peaks():
    course = [1.0] * 100_000
    course[54_321], course[777], course[99_999] = 9.0, math.nan, 0.5
    kept = thinned(course)
    assert len(kept) < 1300
    assert {(54_321, 9.0), (99_999, 0.5)} < set(kept)
    assert any(math.isnan(value) for _, value in kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)


def test_marks_of_a_scale_are_round_and_within():
    assert marks(Scale.of((0.3, 4.1))) == [1, 2, 3, 4]
    assert marks(Scale.of((20.0, 3e-4))) == [1e-3, 1e-2, 0.1, 1, 10]
    for low, high in ((-3.0, 1e6), (1e-12, 1e30), (2.0, 2.0), (5.0, 5.0000001)):
        found = marks(Scale(low, high, log=low > 0 and high > 20 * low))
        assert 1 <= len(found) <= 12
        assert all(low * (1 - 1e-9) - 1e-9 <= each <= high * (1 + 1e-9) for each in found)


# -- the page ----------------------------------------------------------------------------------------------------------


def tree(page):
    """The page as a tree: it is read as XML, so that every tag has to be closed."""
    return ET.fromstring(page.partition("<!doctype html>")[2].replace('lang="en">', 'lang="en" >'))


def words_of(element):
    return " ".join("".join(element.itertext()).split())


@every
def test_the_page_is_well_formed_and_asks_for_nothing(name, tmp_path):
    path = diagnosis_html.write(ALL[name], tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    root = tree(text)
    assert not re.search(r"https?:", text)
    assert not re.search(r"\b(?:src|href)\s*=\s*[\"'](?!#|data:,)", text)
    assert "default-src 'none'" in text
    assert "<script" not in text
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for link in root.iter("a"):
        assert link.get("href")[1:] in ids, "links lead somewhere"
    for each in root.iter():
        if each.get("aria-labelledby"):
            assert each.get("aria-labelledby") in ids


def test_every_part_of_a_finding_is_on_the_page():
    root = tree(diagnosis_html.page(BOTH))
    for finding, article in zip(BOTH.findings, root.iter("article"), strict=True):
        said = words_of(article)
        assert all(part in said for part in parts(finding))
        rows = [[words_of(cell) for cell in row] for row in article.iter("tr")]
        assert [name for name, _ in rows] == [name for name, _ in finding.evidence]
        assert [words_of(each) for each in article.iter("h2")] == [finding.fault]
    first = words_of(root.find(".//article"))
    assert "sigmoid[3, 5] of layers.7" in first
    assert "net.py:12 in forward" in first
    assert BOTH.sources[LINE] in first
    assert ["layers", "8"] in [[words_of(cell) for cell in row] for row in root.iter("tr")]
    assert [each for each in BOTH.looked_for if each not in words_of(root.find(".//section"))] == []


def test_the_chart_draws_what_was_measured():
    svg = ET.fromstring(curves([("as it was", FLAT), ("with the remedy", FALLING)], "two courses"))
    assert svg.get("aria-label") == "two courses"
    lines = [
        [tuple(map(float, point.split(","))) for point in each.get("points").split()] for each in svg.iter("polyline")
    ]
    assert [len(each) for each in lines] == [401, 401]
    steps = [x for x, _ in lines[1]]
    assert steps == sorted(steps)
    assert lines[0][0] == lines[1][0], "both begin with the same loss"
    (x0, y0), (x1, y1), (x2, y2) = lines[1][0], lines[1][200], lines[1][400]
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.2), "an exponential is straight on a logarithmic scale"
    assert y2 > y0, "down is lower"
    assert {"as it was", "with the remedy", "steps; logarithmic scale"} <= {words_of(each) for each in svg.iter("text")}


def test_lost_numbers_are_marked_in_the_chart():
    drawn = tree(diagnosis_html.page(BROKEN)).find(".//article//svg")
    assert "∞ after 3 steps" in [words_of(each) for each in drawn.iter("text")]
    assert len(list(drawn.iter("path"))) == 1, "a cross where the numbers end"
    assert [len(each.get("points").split()) for each in drawn.iter("polyline")] == [3, 5]
    assert "from 1 to ∞, after 3 steps" in drawn.get("aria-label")
    assert curves([("lost", (math.nan, math.inf))], "") == ""


@pytest.mark.parametrize(
    "pair", [(FLAT, FALLING), (FALLING, FALLING), ((1.0, 0.9), (1.0, math.inf)), ((1e-9,), (1e-9,))]
)
def test_labels_of_courses_do_not_meet(pair):
    svg = ET.fromstring(curves(list(zip(("one", "two"), pair, strict=True)), ""))
    heights = {words_of(each): float(each.get("y")) for each in svg.iter("text") if words_of(each) in ("one", "two")}
    assert abs(heights["one"] - heights["two"]) >= 30
    assert all(0 < y < 250 - 15 for y in heights.values())


def test_names_are_text():
    for made in (diagnosis_html.page(NAMES), diagnosis_html.glance(NAMES)):
        assert "<script" not in made
        assert "\x1b" not in made
        assert made.count("&lt;script&gt;alert(1)") > 8, "and yet nothing is lost"
    assert "\x1b" not in text_of(NAMES)
    assert HOSTILE in words_of(tree(diagnosis_html.page(NAMES)).find(".//h1"))


def test_further_places_can_be_unfolded():
    article = tree(diagnosis_html.page(MANY)).find(".//article")
    details = article.find(".//details")
    assert words_of(details.find("summary")) == "40 further places"
    assert [words_of(each) for each in details.iter("li")] == [f"layers.{k}.weight" for k in range(40)]
    assert details.get("open") is None


def test_the_empty_page_says_what_was_looked_for():
    root = tree(diagnosis_html.page(NONE))
    assert list(root.iter("article")) == []
    assert "Nothing is wrong" in words_of(root.find(".//header"))
    assert [words_of(each) for each in root.iter("li")] == list(NONE.looked_for)
    assert len(list(root.iter("svg"))) == 1, "the course of the loss"


def test_the_notebook_form_has_it_all_and_needs_no_style_sheet():
    made = diagnosis_html.glance(BOTH)
    root = ET.fromstring(f"<div>{made}</div>")
    said = words_of(root)
    assert all(part in said for finding in BOTH.findings for part in parts(finding) if part != finding.weight)
    assert "class=" not in made
    assert "<style" not in made
    assert [each.get("open") for each in root.findall("details")] == ["open", None]


# -- data --------------------------------------------------------------------------------------------------------------


@every
def test_json_and_back(name, tmp_path):
    path = view_json.write(ALL[name], tmp_path / "diagnosis.json")
    again = view_json.read(path)
    assert isinstance(again, Examination)
    assert repr(again) == repr(ALL[name]), "nan is not equal to itself, but written alike"
    assert not re.search(r"\b(?:NaN|Infinity)\b", path.read_text(encoding="utf-8"))
