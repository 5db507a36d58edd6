"""What holds for all tests of the doctor."""

import sys

import pytest

import glassgrad.doctor  # noqa: F401 - so that the module below is there


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """An error of the doctor's own code fails a test: outside of tests the rule that it is in is left out."""
    monkeypatch.setattr(sys.modules["glassgrad.doctor.check"], "STRICT", True)
