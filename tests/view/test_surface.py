"""What is drawn and told of the loss around a training: lines where the heights are, words, axes, tables."""

import html
import io
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rich.console import Console
from tests.view.surfaces import ALL, circles, plane, spectrum, stops, surface

from glassgrad.view import surface_html, surface_map, surface_text
from glassgrad.view.axes import Axis, decades, ticks

every = pytest.mark.parametrize("name", ALL)


def told(report, width=100):
    out = io.StringIO()
    surface_text.show(report, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def flat(text):
    return re.sub(r"\s+", " ", text)


def rings(drawn):
    """By shade, the corners of what is drawn in it, in the numbers of the axes."""
    found = {}
    for band in ET.fromstring(drawn).iter("path"):
        if band.get("class") == "band":
            numbers = np.array(re.findall(r"-?[\d.]+", band.get("d")), float).reshape(-1, 2)
            x = (numbers[:, 0] - surface_map.LEFT) / surface_map.SIDE * 2 - 1
            y = 1 - (numbers[:, 1] - surface_map.TOP) / surface_map.SIDE * 2
            found[int(re.search(r"\d+", band.get("fill"))[0])] = x, y
    return found


def test_the_lines_of_a_bowl_are_circles():
    report = surface(plane=plane(circles, 61))
    heights, log = surface_map.levels(report.plane, [stop.loss for stop in report.path])
    assert log and len(heights) >= 6
    drawn, count = surface_map.plane_map(report)
    assert count == len(heights) + 1
    found = rings(drawn)
    assert len(found) == count
    for shade, height in enumerate(heights, 1):
        radius = math.sqrt(2 * (height - 0.01))
        x, y = found[shade]
        inside = (abs(x) < 0.999) & (abs(y) < 0.999)  # the rest is the edge of the map
        assert inside.sum() > 8
        np.testing.assert_allclose(np.hypot(x, y)[inside], radius, atol=0.02)


def test_the_path_is_where_the_axes_have_it():
    drawn = ET.fromstring(surface_map.plane_map(surface())[0])
    (path,) = (each for each in drawn.iter("path") if each.get("class") == "path")
    places = np.array(re.findall(r"[\d.]+", path.get("d")), float).reshape(-1, 2)
    labels = {each.text: (float(each.get("x")), float(each.get("y"))) for each in drawn.iter("text")}
    zero, one = labels["0"], labels["1"]  # the vertical axis was written last
    height = (zero[1] - one[1]) / 1
    for (x, y), stop in zip(places, stops(circles), strict=True):
        assert (zero[1] - 4 - y) / height == pytest.approx(stop.up, abs=0.002)
        assert (x - surface_map.LEFT) / height - 1 == pytest.approx(stop.across, abs=0.002)


def test_what_is_not_finite_is_left_hatched():
    drawn, _ = surface_map.plane_map(ALL["half"])
    for x, _ in rings(drawn).values():
        assert x.max() < 0.5
    assert 'fill="url(#lost)"' in drawn and 'id="lost"' in drawn


def test_a_level_plane_has_one_shade():
    drawn, count = surface_map.plane_map(ALL["level"])
    assert count == 2 and rings(drawn)


def test_the_density_has_its_hills_at_the_eigenvalues():
    drawn = ET.fromstring(surface_map.density(spectrum((-1.0, 0.0, 0.5, 4.0), outliers=(4.0,), zero=0.01)))
    x = Axis(-1 - 0.3, 4 + 0.3, surface_map.LEFT, surface_map.LEFT + surface_map.SIDE + 60)
    hills = {}
    for area in drawn.iter("path"):
        if (area.get("class") or "").startswith("area"):
            places = np.array(re.findall(r"-?[\d.]+", area.get("d")), float).reshape(-1, 2)
            top = places[places[:, 1] <= places[:, 1].min() + 0.3][:, 0]
            hills[area.get("class").split()[1]] = top
    for kind, values in {"minus": (-1.0,), "flat": (0.0,), "plus": (0.5, 4.0)}.items():
        expected = [x(each) for each in values]
        assert {min(expected, key=lambda e: abs(e - top)) for top in hills[kind]} == set(expected)
        assert all(min(abs(e - top) for e in expected) < 2 for top in hills[kind])
    marks = [float(each.get("x1")) for each in drawn.iter("line") if each.get("class") == "outlier"]
    assert marks == pytest.approx([x(4.0)], abs=0.1)


@pytest.mark.parametrize(
    ("low", "high", "most"), [(0, 1, 7), (-0.31, 0.47, 7), (1e-9, 3e-9, 5), (-5e6, 1e7, 12), (0.999, 1.001, 7)]
)
def test_ticks_are_round_and_inside(low, high, most):
    found = ticks(low, high, most)
    assert 2 <= len(found) <= most + 1
    assert all(low - 1e-12 <= each <= high + 1e-12 for each in found)
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0])
    assert re.fullmatch(r"[125]e[+-]\d+", f"{steps[0]:.0e}")


@pytest.mark.parametrize(("low", "high"), [(1e-4, 1), (0.03, 2), (1e-12, 1e7), (0.5, 0.9)])
def test_decades_are_round_and_inside(low, high):
    found = decades(low, high)
    assert 3 <= len(found) <= 14 and found == sorted(found)
    assert all(low <= each <= high for each in found)


@every
def test_words_fit_and_are_whole(name):
    for width in (40, 100):
        text = told(ALL[name], width)
        assert max(map(len, text.splitlines())) <= width
        assert "nan" not in text.replace("finance", "") and "\x1b" not in text


def test_the_ends_the_shares_and_the_ground_are_told():
    text = flat(told(ALL["bowl"]))
    assert "The loss went from 0.51 to 0.01 in 50 steps." in text
    assert (
        "98 % of the path's movement lies in the plane: 90 % along its first direction, 8 % along its second." in text
    )
    assert "5 eigenvalues (all are known), from −0.5 to 3." in text
    assert "Negative curvature: 20 % of the directions." in text and "1 outlier" in text
    assert "It ended at a saddle: along the direction" in text
    assert "shadow" in flat(told(ALL["random"])) and "lies in the line" in flat(told(ALL["line"]))


@every
def test_the_page_holds_itself_together(name):
    page = surface_html.page(ALL[name])
    assert page.count("<script>") == 1 and "<script>alert" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search(r"<!--[A-Z]+-->", page)
    assert "NaN" not in page and "Infinity" not in page
    for drawn in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawn)
        assert "nan" not in re.sub(r'aria-label="[^"]*"', "", drawn)


def test_the_tables_have_the_numbers():
    page = html.unescape(surface_html.page(ALL["bowl"]))
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", page)
    for stop in stops(circles):
        assert surface_text.number(stop.loss) in cells
    assert "−1" in cells and "1.01" in cells, "the corners of the plane"
