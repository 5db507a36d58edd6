"""The page of a diagnosis in a browser: without a script, by keyboard, in both colours, in narrow windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.view.test_diagnosis import ALL
from tests.view.test_page import CONTRAST, Page, browser, keys, pytestmark  # noqa: F401 - pytest finds them by name
from tests.view.visits import check_quiet

from glassgrad.view import diagnosis_html

every = pytest.mark.parametrize("name", ALL)
WORDS = "p, li, th, td, h1, h2, h3, code, .line span, summary, figcaption, .weight,"
SEEN = CONTRAST.replace('"#step p,', f'"{WORDS}')


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:  # noqa: F811
    def opened(name: str, **options: Any) -> Page:
        return Page(browser, diagnosis_html.write(ALL[name], tmp_path / "page.html").as_uri(), **options)

    yield opened
    check_quiet(browser)


@every
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_can_be_read_in_both_colours(visit: Any, name: str, colours: str) -> None:
    page = visit(name, colours=colours)
    found = page.js("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (sum(found[:3]) / 3 < 80) is (colours == "dark")
    assert page.js(SEEN) == []


@every
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_fits_its_window(visit: Any, name: str, width: int) -> None:
    page = visit(name, width=width)
    assert page.js("document.documentElement.scrollWidth") <= width, "nothing sticks out at the side"


def test_labels_of_the_chart_are_within_it(visit: Any) -> None:
    for name in ("both", "broken", "negative", "alone"):
        page = visit(name)
        outside = """Array.from(document.querySelectorAll("svg text")).filter((text) => {
          const [a, b] = [text, text.ownerSVGElement].map((e) => e.getBoundingClientRect());
          return a.left < b.left || a.right > b.right || a.top < b.top - 1 || a.bottom > b.bottom + 1;
        }).map((text) => text.textContent)"""
        assert page.js(outside) == []


def test_it_is_read_by_keyboard_and_without_a_script(visit: Any) -> None:
    page = visit("both")
    assert page.js("document.scripts.length") == 0
    page.press(keys().TAB, keys().TAB)
    assert page.js("document.activeElement.getAttribute('href')") == "#finding-2"
    page.press(keys().ENTER)
    assert page.js("location.hash") == "#finding-2"
    page = visit("many")
    page.js("document.querySelector('article summary').focus()")
    page.press(keys().ENTER)
    assert page.find("article details").get_attribute("open") is not None


def test_hostile_names_make_nothing(visit: Any) -> None:
    page = visit("names")
    assert page.js("document.scripts.length") == 0
    assert page.all("img") == []
    assert "<script>alert(1)</script>" in page.text("article .symptom")
