"""Runs the doctor on one program, in a process that is told nothing else.

It writes what was found as a line of JSON, reads the number of the finding that is to be mended (-1 for none), applies
its remedy, diagnoses the patient again, and writes what is found then.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from dataclasses import replace
from typing import Any


def told(diagnosis: Any) -> list[dict[str, Any]]:
    return [
        {
            "fault": each.fault, "weight": each.weight, "symptom": each.symptom, "op": each.where.op,
            "module": each.where.module, "line": each.where.line, "evidence": dict(each.evidence), "cause": each.cause,
            "remedy": each.remedy, "proof": each.proof.what if each.proof is not None and each.proof.holds else "",
        }
        for each in diagnosis.findings
    ]  # fmt: skip


def main() -> None:
    said = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the program's own words
    warnings.simplefilter("ignore")
    from glassgrad.doctor.check import diagnosis
    from glassgrad.doctor.script import examine

    def answer(work: Any) -> Any:
        began = time.process_time()
        made, found, error = None, [], ""
        try:
            made = work()
            found = told(made)
        except Exception:
            error = traceback.format_exc()
        json.dump({"findings": found, "error": error, "seconds": time.process_time() - began}, said, default=float)
        said.write("\n")
        said.flush()
        return made

    first = answer(lambda: examine(sys.argv[1]))
    number = int(sys.stdin.readline() or -1)
    if number >= 0:
        mended = first.apply(first.findings[number])
        answer(lambda: diagnosis(replace(mended, loop=None)))  # what was seen of the loop, the old patient did


if __name__ == "__main__":
    main()
