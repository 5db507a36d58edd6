"""The page in a browser: stepping, boxes, why, names that are text, colours, and that nothing is loaded."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.view import nets

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
THERE = bool(CHROMIUM and DRIVER)
pytestmark = pytest.mark.skipif(
    not THERE and not os.environ.get("CI"), reason="chromium and chromedriver are not installed"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    assert THERE, "CI has to install chromium and chromedriver"
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    folder = tmp_path_factory.mktemp("profile")
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--window-size=1280,800"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@functools.cache
def written(make: Callable[[], Any], folder: Path) -> str:
    return make().html(folder / f"{make.__name__}.html", title=f"The {make.__name__} net").as_uri()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


class Page:
    """A report in the browser, and the few things that the tests ask it."""

    def __init__(self, driver: Any, address: str, width: int = 1280, height: int = 800, colours: str = "light") -> None:
        self.driver = driver
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wanted = [
            {"name": "prefers-color-scheme", "value": colours},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
        driver.get_log("browser")
        driver.get(address)

    def js(self, code: str, *given: Any) -> Any:
        return self.driver.execute_script(f"return {code}", *given)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def find(self, selector: str) -> Any:
        from selenium.webdriver.common.by import By

        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        from selenium.webdriver.common.by import By

        return self.driver.find_elements(By.CSS_SELECTOR, selector)  # type: ignore[no-any-return]

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    @property
    def place(self) -> str:
        return self.text("#place")

    def node(self, name: str) -> str:
        """A selector for a node by its name."""
        number = self.js("data.nodes.findIndex((node) => node.name === arguments[0])", name)
        assert number >= 0, f"no node {name}"
        return f'#graph [data-node="{number}"]'

    def classes(self, name: str) -> set[str]:
        return set(self.find(self.node(name)).get_attribute("class").split())

    def shown(self, name: str, what: str) -> str:
        return str(self.js("document.querySelector(arguments[0]).textContent", f"{self.node(name)} .{what}"))


@pytest.fixture
def open_page(browser: Any, folder: Path) -> Iterator[Callable[..., Page]]:
    def visit(make: Callable[[], Any], **options: Any) -> Page:
        return Page(browser, written(make, folder), **options)

    yield visit
    told = [entry["message"] for entry in browser.get_log("browser")]
    assert told == [], "the console has to stay empty"
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in fetched if not name.startswith("data:")] == [], "nothing may be loaded"


def keys() -> Any:
    from selenium.webdriver.common.keys import Keys

    return Keys


def test_keys_step_through_all_phases(open_page: Any) -> None:
    page, key = open_page(nets.formula), keys()
    assert page.place.split()[:3] == ["1", "/", "23"]
    page.press(key.ARROW_RIGHT, key.ARROW_RIGHT)
    assert page.place.split() == ["3", "/", "23", "forward"]
    assert page.text("#step .kind b") == "sigmoid"
    page.press(key.ARROW_LEFT)
    assert page.place.startswith("2 ")
    found = []
    for _ in range(4):
        page.press("p")
        found.append(page.place.split()[-1])
    assert found == ["loss", "backward", "update", "forward"]
    page.press(key.END)
    assert page.place.startswith("23 ")
    page.press(key.ARROW_RIGHT)
    assert page.place.startswith("23 "), "there is nothing after the last step"
    page.press(key.HOME)
    assert page.place.startswith("1 ")


def test_space_plays_and_pauses(open_page: Any) -> None:
    page = open_page(nets.formula)
    page.press(" ")
    assert page.text("#play") == "Pause"
    deadline = time.monotonic() + 10
    while page.place.startswith("1 ") and time.monotonic() < deadline:
        time.sleep(0.05)
    page.press(" ")
    held = page.place
    assert not held.startswith("1 ")
    assert page.text("#play") == "Play"


def test_slider_goes_to_any_step(open_page: Any) -> None:
    page, key = open_page(nets.formula), keys()
    slider = page.find("#slider")
    slider.send_keys(key.ARROW_RIGHT, key.ARROW_RIGHT, key.ARROW_RIGHT)
    assert page.place.startswith("4 ")
    page.js("(() => { const s = arguments[0]; s.value = 12; s.dispatchEvent(new Event('input')); })()", slider)
    assert page.place.split() == ["13", "/", "23", "backward"]
    assert slider.get_attribute("aria-valuetext").startswith("13, backward: ∂L/∂b2")


def test_numbers_appear_as_they_flow(open_page: Any) -> None:
    page, key = open_page(nets.formula), keys()
    assert page.shown("x", "number") == "2", "data is known from the first"
    assert page.shown("z1", "number") == ""
    page.press(key.ARROW_RIGHT)
    assert (page.shown("z1", "number"), page.classes("z1") & {"current", "done"}) == ("1.1", {"current", "done"})
    flowing = page.js("[...document.querySelectorAll('#graph .forward-now .flowing')].map((each) => each.textContent)")
    assert sorted(flowing) == ["0.1", "1"]
    assert page.shown("w1", "gradient") == ""
    page.js("go(18)")  # ∂L/∂w1
    assert page.shown("w1", "gradient") == "∂ −0.02125"
    assert "target" in page.classes("w1")
    assert page.js("[...document.querySelectorAll('#graph .back-now .returning')].map((each) => each.textContent)") == [
        "−0.02125"
    ]
    page.press(key.END)
    assert page.shown("w1", "number") == "→ 0.5002"
    page.press(key.HOME)
    assert page.shown("w1", "gradient") == "", "going back takes it away again"


def test_backward_goes_from_right_to_left(open_page: Any) -> None:
    page = open_page(nets.formula)
    boxes = page.js(
        "data.steps.filter((step) => step.phase !== 3).map((step) => [step.phase, step.node, step.operand])"
        ".map(([phase, node, operand]) => [phase, `#graph [data-node='${phase < 2 ? node : operand}']`])"
        ".map(([phase, node]) => [phase, document.querySelector(node).getBoundingClientRect().left])"
    )
    forward = [left for phase, left in boxes if phase < 2]
    backward = [left for phase, left in boxes if phase == 2]
    assert forward == sorted(forward)
    assert backward[0] == max(backward)
    assert backward[-1] == min(backward)


def test_a_step_shows_formula_numbers_line_and_sentence(open_page: Any) -> None:
    page = open_page(nets.formula)
    page.js("go(10)")
    assert page.all("#step .formula mfrac"), "formulas are MathML"
    assert page.js("document.querySelector('#step .formula math').namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    step = page.text("#step")
    for words in ("sigmoid", "y = gg.sigmoid(z2)", "nets.py:", "24 % of the error gets through", "float64"):
        assert words in step
    assert page.text("#step .plugged b").endswith("−0.189")
    assert "−0.7906" in page.js("document.querySelector('#step .plugged math:nth-of-type(2)').textContent")


def test_boxes_open_and_close(open_page: Any) -> None:
    page, key = open_page(nets.large), keys()
    shown = len(page.all("#graph .node"))
    number = page.js("data.boxes.findIndex((box) => box.path === 'features.1')")
    box = f'#graph [data-box="{number}"]'
    assert page.find(box).get_attribute("aria-expanded") == "false", "batch norm is closed at first"
    page.js("document.querySelector(arguments[0]).focus()", box)
    page.press(key.ENTER)
    assert page.find(box).get_attribute("aria-expanded") == "true"
    assert len(page.all("#graph .node")) > shown
    assert page.js("document.activeElement.dataset.box") == str(number), "the focus stays"
    page.find(box).click()
    assert len(page.all("#graph .node")) == shown
    page.find("#boxes").click()
    assert len(page.all("#graph .node")) == page.js("data.nodes.length")
    page.find("#boxes").click()
    assert len(page.all("#graph .node")) < shown


def test_a_closed_box_is_lit_when_a_step_is_inside(open_page: Any) -> None:
    page = open_page(nets.large)
    page.js("go(data.steps.findIndex((step) => step.module === 'features.1'))")
    number = page.js("data.boxes.findIndex((box) => box.path === 'features.1')")
    assert "current" in page.find(f'#graph [data-box="{number}"]').get_attribute("class")


def test_nothing_overlaps(open_page: Any) -> None:
    page = open_page(nets.large)
    page.js("setAll(true)")
    crossing = page.js(
        "(() => {"
        "const at = [...document.querySelectorAll('#graph .node > rect')].map((r) => r.getBoundingClientRect());"
        "let n = 0; at.forEach((a, i) => at.slice(i + 1).forEach((b) => {"
        "if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) n += 1; }));"
        "return [at.length, n]; })()"
    )
    assert crossing == [page.js("data.nodes.length"), 0]


@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_why_by_parameter_and_entry(open_page: Any, how: str) -> None:
    page, key = open_page(nets.small), keys()
    if how == "click":
        page.find(page.node("W1")).click()
    else:
        page.js("document.querySelector(arguments[0]).focus()", page.node("W1"))
        page.press(key.ENTER)
    entries = page.all("#tab-panel .entries button")
    assert len(entries) == 8, "the gradient of W1 as a matrix"
    if how == "click":
        entries[1].click()
    else:
        page.js("arguments[0].focus()", entries[1])
        page.press(key.ENTER)
    why = page.js("data.whys[asked.why]")
    assert why["index"] == [0, 1]
    assert page.js("document.activeElement.dataset.why") == str(page.js("asked.why")), "the focus stays"
    paths = page.all("#tab-panel .path")
    assert len(paths) == len(why["paths"]) == 2
    assert len(page.all("#tab-panel .factors li")) == len(why["paths"][0][1])
    assert page.all("#tab-panel .factors math mfrac")
    assert {"W1", "v1", "L"} <= {
        page.js("data.nodes[arguments[0]].name", n) for n in page.js("[...pathInGraph().nodes]")
    }
    assert "lit" in page.classes("W1")
    assert "lit" not in page.classes("W2")
    edges = page.js("[...pathInGraph().edges].length")
    assert edges == page.js("pathInGraph().nodes.size") - 1, "a path is a chain of edges"
    product = 1.0
    for number in page.js("data.whys[asked.why].paths[0][1].map((f) => data.factors[f].value)"):
        product *= number
    assert product == pytest.approx(why["paths"][0][0], rel=1e-6)


def test_paths_that_are_not_listed_are_counted(open_page: Any) -> None:
    page = open_page(nets.large)
    page.js("askWhy(data.nodes.findIndex((node) => node.name === 'W3'))")
    assert page.all("#tab-panel .entry-list button")
    assert "paths add up to" in page.text("#tab-panel .rest")


def test_updates_and_shares(open_page: Any) -> None:
    page = open_page(nets.small)
    page.find("#tab-update").click()
    assert len(page.all(".updates details")) == 17
    page.find(".updates summary").click()
    assert "exp_avg" in page.text(".updates details")
    page.find("#tab-shares").click()
    assert [row.text.split()[0] for row in page.all("#tab-panel tbody tr")] == ["0", "2"]
    page.find("#tab-legend").click()
    assert "0.weight" in page.text("#tab-panel .legend")


def test_tabs_by_keyboard(open_page: Any) -> None:
    page, key = open_page(nets.small), keys()
    page.js("document.getElementById('tab-why').focus()")
    before = page.place
    page.press(key.ARROW_RIGHT)
    assert page.js("document.activeElement.id") == "tab-update"
    assert page.find("#tab-update").get_attribute("aria-selected") == "true"
    assert page.place == before, "arrows on the tabs do not step"


def test_everything_can_be_reached_by_tab_and_the_focus_is_seen(open_page: Any) -> None:
    page, key = open_page(nets.formula), keys()
    seen = []
    for _ in range(60):
        page.press(key.TAB)
        name, outline, stroke = page.js(
            "(() => { const e = document.activeElement; const r = e.querySelector(':scope > rect');"
            "return [e.id || e.dataset.node || e.tagName, getComputedStyle(e).outlineStyle,"
            " r ? getComputedStyle(r).strokeWidth : '']; })()"
        )
        if name == "BODY" or name in seen[:1]:
            break
        seen.append(name)
        assert outline != "none" or stroke == "3px", f"the focus on {name} is not seen"
    assert {"theme", "play", "slider", "zoom-fit", "tab-why"} <= set(seen)
    assert {page.node(name).split('"')[1] for name in ("w1", "b2", "z1")} <= set(seen)


def test_names_are_text(open_page: Any) -> None:
    page = open_page(nets.hostile)
    for k in range(page.js("data.steps.length")):
        page.js("go(arguments[0])", k)
    for name in ("W1", "b2"):
        page.js("askWhy(data.nodes.findIndex((node) => node.name === arguments[0]))", name)
    for tab in ("update", "shares", "legend"):
        page.find(f"#tab-{tab}").click()
    page.js("setAll(false)")
    page.js("setAll(true)")
    assert page.js("document.scripts.length") == 2, "the page's own"
    assert page.all("img") == []
    assert nets.HOSTILE in page.text("#tab-panel")
    page.find("#tab-why").click()


def test_a_hostile_title_is_text(browser: Any, tmp_path: Path, open_page: Any) -> None:
    title = '</title><script>document.body.innerHTML = "gone"</script>'
    path = nets.formula().html(tmp_path / "page.html", title=title)
    page = Page(browser, path.as_uri())
    assert page.text("h1") == title
    assert page.js("document.title") == title


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_colours_follow_the_system_and_the_button(open_page: Any, colours: str) -> None:
    page = open_page(nets.formula, colours=colours)

    def brightness() -> float:
        found = page.js("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
        return float(sum(found[:3]) / 3)

    dark = colours == "dark"
    assert (brightness() < 80) is dark
    page.find("#theme").click()
    assert (brightness() < 80) is not dark
    page.find("#theme").click()
    assert (brightness() < 80) is dark


CONTRAST = """(() => {
  const rgb = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const part = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, k) => sum + weight * part(c[k] / 255), 0.05);
  const found = [];
  const words = "#step p, #step dd, #step dt, .chip, button, .module, .note, #place, footer p";
  for (const e of document.querySelectorAll(words)) {
    if (!e.textContent.trim() || !e.offsetParent) continue;
    let back = e;
    while (back.parentElement && rgb(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
    const [a, b] = [getComputedStyle(e).color, getComputedStyle(back).backgroundColor].map((text) => light(rgb(text)));
    const ratio = Math.max(a, b) / Math.min(a, b);
    if (ratio < 4.5) found.push([e.textContent.slice(0, 20), ratio]);
  }
  return found;
})()"""
"""What can be read with less contrast than 4.5 to 1."""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_can_be_read(open_page: Any, colours: str) -> None:
    page = open_page(nets.small, colours=colours)
    page.press(keys().END)
    assert page.js(CONTRAST) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (400, 800)])
def test_the_page_fits_its_window(open_page: Any, width: int, height: int) -> None:
    page = open_page(nets.small, width=width, height=height)
    for k in (0, 20, 40):
        page.js("go(arguments[0])", k)
        assert page.js("document.documentElement.scrollWidth") <= width, "nothing sticks out at the side"
        current = page.js("document.querySelector('#graph .current').getBoundingClientRect().toJSON()")
        stage = page.js("document.getElementById('graph').getBoundingClientRect().toJSON()")
        assert stage["left"] <= current["left"] + 1, "the step at hand is in sight"
        assert current["right"] - 1 <= stage["right"]
        assert stage["height"] >= 150


@pytest.mark.parametrize("make", [nets.chain, nets.update_alone, nets.masked])
def test_unusual_steps_are_shown(open_page: Any, make: Any) -> None:
    page, key = open_page(make), keys()
    page.press(key.END, "p", "p", "0", "+", "-")
    for tab in ("why", "update", "shares", "legend"):
        page.find(f"#tab-{tab}").click()
    assert page.text("#step")


def test_nan_is_shown_where_it_begins(open_page: Any) -> None:
    page = open_page(nets.broken)
    assert page.find("#notes").get_attribute("open") is not None
    assert "appear first in step 1" in page.text("#notes")
    assert page.text("#step .lost") == "not finite"
    page.press(keys().ARROW_RIGHT)
    assert page.all("#step .lost") == [], "only where it begins"
