"""The benchmark of broken trainings is well made: always the same, a fault in several nets, marks that can be met."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from glassgrad.doctor import RULES
from glassgrad.op import REGISTRY

FOLDER = Path(__file__).parents[2] / "benchmarks" / "doctor"

FAULTS = {
    "vanishing gradients", "exploding gradients", "saturated activations", "dead rectifiers", "symmetric start",
    "zero start", "too small a start", "too large a start", "too low a rate", "too high a rate", "oscillating loss",
    "diverging loss", "flat place", "numbers that are not finite", "no gradient", "zero gradient", "unused parameters",
    "frozen parameters", "gradients never cleared", "parameters outside of the optimizer", "step before backward",
    "softmax before a loss that has one", "sigmoid before a loss that has one", "shapes that broadcast in the loss",
    "labels out of range", "a loss that is a sum", "evaluation mode", "batch norm of one row",
    "training mode in evaluation", "unscaled inputs", "constant features", "duplicate features", "shuffled labels",
    "leaking label", "class imbalance", "gradient noise", "underflow", "overflow", "weights that barely move",
    "weights that move wildly", "no overfitting of one batch", "no update",
}  # fmt: skip
FEWER = {}
"""Faults that are not in two kinds of nets at least, and why."""


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(FOLDER))
    try:
        import programs

        yield programs.programs()
    finally:
        sys.path.remove(str(FOLDER))
        for name in list(sys.modules):
            if name.partition(".")[0] in ("programs", "edits", "variants", "faults", "score", "sets"):
                sys.modules.pop(name)


def test_the_marks_are_those_of_the_programs(made):
    assert json.loads((FOLDER / "marks.json").read_text()) == {one.name: one.marks for one in made}


def test_there_are_enough_of_them_and_each_fault_is_in_several_nets(made):
    nets = defaultdict(set)
    for one in made:
        nets[one.marks["fault"]].add(one.marks["net"])
    assert sum(one.marks["fault"] is not None for one in made) >= 120
    assert sum(one.marks["fault"] is None for one in made) >= 60
    assert set(nets) - {None} == FAULTS
    assert {fault for fault in FAULTS if len(nets[fault]) < 2} == set(FEWER)
    assert set(RULES) <= FAULTS


def test_every_text_is_a_program_of_its_own(made):
    for one in made:
        compile(one.text, one.name, "exec")
        assert one.text != one.twin
        assert '"""' not in one.text
        assert "#" not in one.text
    assert len({one.text for one in made}) == len({one.name for one in made}) == len(made)


def test_marks_can_be_met(made):
    for one in made:
        marks = one.marks
        if marks["fault"] is None:
            assert set(marks["allowed"]) <= FAULTS
            continue
        assert set(marks["also"]) <= FAULTS - {marks["fault"]}
        lines = {line.strip() for line in one.text.splitlines()}
        assert set(marks["lines"]) <= lines
        assert not set(REGISTRY).isdisjoint(marks["ops"]) or marks["modules"] or marks["lines"] or marks["whole"]
        assert marks["shows"] in ("worse", "training", "error", "nan", "still", "swings", "text")


def test_the_set_that_is_kept_apart_has_every_fault_and_nets_of_its_own(made):
    kept = [one for one in made if one.marks["set"] == "fourth"]
    others = {one.marks["of"] for one in made} - {one.marks["of"] for one in kept}
    assert {one.marks["fault"] for one in kept} == {*FAULTS, None}
    assert others == {one.marks["of"] for one in made if one.marks["set"] != "fourth"}


def test_a_finding_is_judged_by_its_names_and_by_where_it_is(made):
    from score import Result

    one = next(each for each in made if each.marks["fault"] == "softmax before a loss that has one")
    finding = {"fault": one.marks["fault"], "weight": "fault", "op": "softmax", "module": "", "line": "", "proof": ""}
    other = finding | {"fault": "zero start", "op": "exp"}
    result = Result(one.name, one.text, one.marks, [finding])
    assert (result.found, result.first, result.placed, result.proven, result.mended) == (True, True, True, False, False)
    result.findings = [other, finding]
    assert (result.found, result.named, result.first) == (False, True, False)
    result.findings = [other | {"weight": "note"}, finding]
    assert result.found
    number = 1 + [line.strip() for line in one.text.splitlines()].index(one.marks["lines"][0])
    places = ((f"/a/{one.name}.py:{number} in forward", True), (f"{one.name}.py:1 in forward", False), ("", False))
    for line, right in places:
        result.findings = [finding | {"op": "exp", "line": line}]
        assert result.placed is right
    result.findings, result.again = [finding | {"proof": "it helps"}], []
    assert result.proven
    assert result.mended
    result.again = [finding]
    assert not result.mended
