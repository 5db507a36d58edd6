"""The page of a landscape in a browser: sliders by keyboard and pointer, both colours, narrow windows, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.view.surfaces import ALL, circles
from tests.view.test_page import CONTRAST, Page, browser, keys, pytestmark  # noqa: F401 - pytest finds them by name
from tests.view.visits import check_quiet

from glassgrad.view import surface_html

every = pytest.mark.parametrize("name", ALL)
SEEN = CONTRAST.replace('"#step p,', '"p, th, td, h1, h2, summary, figcaption, legend, label, output,')
OUTSIDE = """Array.from(document.querySelectorAll("svg text")).filter((text) => {
  const [a, b] = [text, text.ownerSVGElement].map((e) => e.getBoundingClientRect());
  return a.left < b.left || a.right > b.right || a.top < b.top - 1 || a.bottom > b.bottom + 1;
}).map((text) => text.textContent)"""


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:  # noqa: F811
    def opened(name: str, **options: Any) -> Page:
        return Page(browser, surface_html.write(ALL[name], tmp_path / "page.html").as_uri(), **options)

    yield opened
    check_quiet(browser)


@every
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_can_be_read_in_both_colours(visit: Any, name: str, colours: str) -> None:
    page = visit(name, colours=colours)
    page.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = page.js("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (sum(found[:3]) / 3 < 80) is (colours == "dark")
    assert page.js(SEEN) == []
    assert page.js(OUTSIDE) == []


@every
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_fits_its_window(visit: Any, name: str, width: int) -> None:
    page = visit(name, width=width)
    page.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.js("document.documentElement.scrollWidth") <= width, "nothing sticks out at the side"
    assert page.js(OUTSIDE) == [], "and no letters of a picture"


def place(page: Page, selector: str) -> tuple[float, float]:
    box = page.js("document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_sliders_go_by_keyboard(visit: Any) -> None:
    page, key = visit("bowl"), keys()
    assert page.text("#at-step") == "after 50 steps: loss 0.01; 0 beside the plane"
    assert place(page, "#here") == pytest.approx(place(page, ".end"), abs=1)
    page.js("document.getElementById('step').focus()")
    page.press(key.HOME)
    assert page.text("#at-step") == "after 0 steps: loss 0.51; 0.05 beside the plane"
    assert place(page, "#here") == pytest.approx(place(page, ".start"), abs=1)
    assert page.find("#step").get_attribute("aria-valuetext") == "after 0 steps"
    page.press(key.TAB, key.END)
    page.press(key.TAB, key.HOME)
    assert page.text("#at-point") == "at 1, −1: loss 1.01"
    assert page.js("document.activeElement.id") == "up"


def test_a_click_asks_for_a_point(visit: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    page = visit("bowl", height=900)
    ActionChains(page.driver).move_to_element(page.find(".end")).click().perform()
    assert page.text("#at-point") == "at 0, 0: loss 0.01"
    ActionChains(page.driver).move_to_element(page.find(".start")).click().perform()
    assert page.text("#at-point") == f"at 0.8, 0.6: loss {circles(0.8, 0.6):.4g}"


def test_losses_that_are_not_finite_are_told(visit: Any) -> None:
    page, key = visit("half"), keys()
    page.js("document.getElementById('across').focus()")
    page.press(key.END)
    assert page.text("#at-point").endswith("loss nan")
    page.press(*[key.ARROW_LEFT] * 5)
    assert page.text("#at-point").endswith("loss ∞")
    assert page.text(".warning").startswith("At 110 of 441 points")


def test_a_line_has_one_slider(visit: Any) -> None:
    page, key = visit("line"), keys()
    assert page.all("#across") == []
    page.js("document.getElementById('step').focus()")
    page.press(key.HOME)
    assert page.text("#at-step").startswith("after 0 steps: loss 4")
    assert place(page, "#here") == pytest.approx(place(page, ".stop"), abs=1)


def test_the_colours_change_by_the_button(visit: Any) -> None:
    page = visit("bowl", colours="light")
    shade = "getComputedStyle(document.querySelector('.band')).fill"
    before = page.js(shade)
    page.find("#theme").click()
    assert page.js("document.documentElement.dataset.theme") == "dark"
    assert page.js(shade) != before


def test_hostile_names_make_nothing(visit: Any) -> None:
    page = visit("names")
    assert page.js("document.scripts.length") == 2
    assert "<script>alert(1)</script>" in page.text("h1")
