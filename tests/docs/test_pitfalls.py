"""docs/pitfalls.md knows every fault that the doctor knows: with a case, the doctor's words, and a way out.

`python -m tools.pitfalls` writes the doctor's words anew.
"""

from __future__ import annotations

import re

import pytest
from tests.docs.document import ROOT
from tests.docs.markdown import blocks

from glassgrad.doctor import RULES

PAGE = (ROOT / "docs" / "pitfalls.md").read_text()
SECTIONS = {title.lower(): text for title, text in re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)}


def test_there_is_a_section_for_each_fault_and_none_beside() -> None:
    assert sorted(SECTIONS) == sorted(RULES)


@pytest.mark.parametrize("fault", RULES)
def test_a_section_has_a_case_the_doctors_words_and_a_way_out(fault: str) -> None:
    text = SECTIONS[fault]
    case, words = list(blocks(text))[-2:]
    assert (case.language, words.marker) == ("python", "output")
    assert words.code.startswith(f"{fault} ("), "what is found first"
    assert len(re.findall(r"^[a-z][^\n]* \((?:fault|note)\) at ", words.code, re.M)) == 1, "and nothing else"
    assert re.search(r"^What helps: ", text, re.M)


def test_the_table_leads_to_each_section_in_order() -> None:
    table = [(name.lower(), anchor) for name, anchor in re.findall(r"^\| \[(.+?)\]\(#(.+?)\) \|", PAGE, re.M)]
    assert [name for name, _ in table] == list(SECTIONS)
    assert [anchor for _, anchor in table] == [re.sub(r"[^\w -]", "", name).replace(" ", "-") for name, _ in table]
