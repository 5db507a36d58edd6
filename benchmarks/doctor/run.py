"""The doctor before the benchmark's programs: what it finds, where, with which proof, and what its remedies mend.

python benchmarks/doctor/run.py                      # the sets that may be looked at
python benchmarks/doctor/run.py --set second third --jobs 2 --json results.json
python benchmarks/doctor/run.py --only p3fa2c --words
python benchmarks/doctor/run.py --fault "zero start"
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from programs import MARKS, Program, programs
from score import Result, summary, table
from sets import KEPT, SETS

WORKER = Path(__file__).parent / "worker.py"
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


def examined(one: Program, folder: Path, limit: float) -> Result:
    """The doctor's words on a program, from a process of its own."""
    home = folder / one.name
    home.mkdir()
    path = home / f"{one.name}.py"
    path.write_text(one.text)
    result = Result(one.name, one.text, one.marks)
    with (home / "stderr").open("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, str(WORKER), path.name], cwd=home, env=os.environ | ONE_THREAD, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
        )  # fmt: skip
        clock = threading.Timer(limit, process.kill)
        clock.start()
        assert process.stdin is not None and process.stdout is not None
        try:
            answer = json.loads(process.stdout.readline())
            result.findings, result.error, result.seconds = answer["findings"], answer["error"], answer["seconds"]
            number = result.right
            able = number is not None and one.marks.get("mendable") and result.findings[number]["remedy"]
            print(number if able else -1, file=process.stdin, flush=True)
            if able:
                answer = json.loads(process.stdout.readline())
                result.again, result.error = None if answer["error"] else answer["findings"], answer["error"]
        except (json.JSONDecodeError, BrokenPipeError):
            complaints.seek(0)
            late = f"no answer within {limit:g} s" if not clock.is_alive() else "the process ended"
            result.error = f"{late}\n{complaints.read()[-2000:]}"
        finally:
            clock.cancel()
            process.stdin.close()
            process.stdout.close()
            process.wait()
    return result


def line(result: Result, words: bool) -> str:
    """How it went, in a line; with all words if they are asked for, or if something is not right."""
    marks = result.marks
    if marks["fault"] is None:
        good = "silent" if not result.wrong and not result.error else "ALARM" if result.wrong else "ERROR"
    else:
        good = "ERROR" if result.error else "found" if result.found else "named" if result.named else "MISSED"
        good += "" if not result.named else " here" if result.placed else " elsewhere"
        good += "" if result.again is None else ", mended" if result.mended else ", not mended"
    said = "; ".join(each["fault"] + (" (note)" if each["weight"] != "fault" else "") for each in result.findings)
    what = f"{marks['of']:16} {marks['fault'] or 'healthy':36}"
    made = f"{result.name}  {what} {good}: {said or '-'}  [{result.seconds:.1f} s]"
    if result.error:
        made += "\n    " + result.error.strip().splitlines()[-1]
    if words:
        made += "".join(f"\n    {key}: {value}" for each in result.findings for key, value in each.items() if value)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    looked = [name for name in SETS if name != KEPT]
    parser.add_argument("--set", nargs="+", choices=SETS, default=looked, help=f"{' '.join(looked)} by default")
    parser.add_argument("--only", nargs="*", help="these programs, of any set")
    parser.add_argument("--fault", help='programs with this fault; "healthy" for those without')
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=float, default=180.0, help="seconds for one program")
    parser.add_argument("--words", action="store_true", help="all that the doctor says")
    parser.add_argument("--json", type=Path, help="write all results as data")
    given = parser.parse_args()
    found = programs()
    assert {one.name: one.marks for one in found} == json.loads(MARKS.read_text()), "run programs.py: marks.json is old"
    if given.only:
        found = [one for one in found if one.name in given.only]
    else:
        found = [one for one in found if one.marks["set"] in given.set]
    if given.fault:
        found = [one for one in found if (one.marks["fault"] or "healthy") == given.fault]
    results = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        try:
            for result in pool.map(lambda one: examined(one, Path(folder), given.limit), found):
                results.append(result)
                print(line(result, given.words), flush=True)
        except KeyboardInterrupt:  # what is there is scored
            pool.shutdown(cancel_futures=True)
    print(f"\n{table(results)}\n\n{summary(results)}")
    if given.json is not None:
        data = [asdict(each) | {"found": each.found, "placed": each.placed, "mended": each.mended} for each in results]
        given.json.write_text(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
