"""What holds for all tests of the doctor."""

import sys

import pytest

import glassgrad as gg
import glassgrad.doctor


@pytest.fixture(autouse=True)
def seeded():
    gg.manual_seed(0)


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """An error of the doctor's own code fails a test: outside of tests the rule that it is in is left out."""
    monkeypatch.setattr(sys.modules["glassgrad.doctor.check"], "STRICT", True)
