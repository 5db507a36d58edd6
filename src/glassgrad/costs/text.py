"""A `Cost` as text that fits into 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..view.lines import Page, page_on
from .report import Cost, Row, Times, Trial, Work

WIDTH = 80
MANY = 16
"""Rows of a table, at most: modules are then told by the modules that they are in."""
FEW = 3
"""Modules that say too little: then the largest of those in them are told."""
NONE = Work()
NAME = 34
"""Cells for a name."""
LITTLE = 0.95
"""Of the memory without it: above that, computing again is not worth it."""


def lines(cost: Cost) -> list[str]:
    """Plain text."""
    made: list[str] = []
    _tell(cost, Page(WIDTH, False, lambda line: made.append(line.plain.rstrip())))
    return made


def show(cost: Cost, console: Any = None) -> None:
    """Print it on a console of rich."""
    if console is None:
        from rich.console import Console

        console = Console(highlight=False)
    _tell(cost, page_on(console))


def _tell(cost: Cost, page: Page) -> None:
    page.put((cost.title or "What a gradient costs", "bold"))
    tensors = f"{cost.parameters:,} tensor" + "s" * (cost.parameters != 1)
    page.put(f"{cost.entries:,} parameters in {tensors}, {size(cost.bytes)}")
    for note in cost.notes:
        page.put(note, first="  ▸ ", rest="    ", style="yellow")
    _work(cost, page)
    _rows(page, "By kind of operation", _shortened(cost.kinds))
    _rows(page, "By module", _grouped(cost.modules))
    _time(cost, page)
    _differences(cost, page)
    _memory(cost, page)
    _recomputation(cost, page)


def _work(cost: Cost, page: Page) -> None:
    page.blank()
    page.rule("Work: floating-point operations (a multiply-add is two) and bytes")
    table = [["", "operations", "read", "written"]]
    for name, work in (("forward", cost.forward), ("backward", cost.backward), ("update", cost.update)):
        if work != NONE:
            table.append([name, count(work.operations), size(work.read), size(work.written)])
    _table(page, table)
    page.put(
        f"Forward and backward take {cost.ratio:.2f} times the operations of forward alone. Matrix products by "
        "themselves take 3 times; in theory nothing takes much more than 5 times (Baur and Strassen 1983).",
    )  # fmt: skip


def _rows(page: Page, title: str, rows: Sequence[Row]) -> None:
    page.blank()
    page.rule(title)
    updates = any(row.update != NONE for row in rows)
    table = [["", "forward", "share", "backward", "share", *(["update"] if updates else [])]]
    totals = [sum(getattr(row, phase).operations for row in rows) for phase in ("forward", "backward")]
    for row in rows:
        if not row.work.operations:
            continue
        both = (row.forward.operations, row.backward.operations)
        cells = [word for each, total in zip(both, totals, strict=True) for word in (count(each), _share(each, total))]
        kind = f" {row.kind}" if row.kind and row.kind != row.name else ""
        table.append(
            [short(row.name, NAME - len(kind)) + kind, *cells, *([count(row.update.operations)] if updates else [])]
        )
    _table(page, table)


def _time(cost: Cost, page: Page) -> None:
    page.blank()
    page.rule("Time: best of several runs")
    steps = any(each is not None and each.step is not None for each in (cost.eager, cost.compiled))
    table = [["", "forward", "with backward", "times as long", *(["with update"] if steps else [])]]

    def row(name: str, found: Times) -> None:
        cells = [seconds(found.forward), seconds(found.gradient), f"{found.ratio:.2f}"]
        table.append([name, *cells, *([seconds(found.step) if found.step is not None else ""] if steps else [])])

    row("op after op", cost.eager)
    if cost.compiled is not None:
        row(f"compiled, {_threads(cost.threads)}", cost.compiled)
    _table(page, table)


def _threads(count: int) -> str:
    return f"{count} thread" + "s" * (count > 1)


def _differences(cost: Cost, page: Page) -> None:
    found = cost.differences
    if found is None:
        return
    times = cost.compiled if cost.compiled is not None else cost.eager
    page.blank()
    page.rule("The same gradient by central differences")
    how = "compiled" if found.compiled else "op after op"
    some = f"Measured for {found.sampled} entries" if found.sampled < found.entries else "Measured"
    page.put(
        f"Two evaluations of the loss for each entry: {2 * found.entries:,}. {some} ({how}, "
        f"{seconds(found.evaluation)} an evaluation)",
        ", extrapolated to all: " if found.sampled < found.entries else ": ",
        (seconds(found.seconds), "bold"),
        f", {_times(found.seconds / times.gradient)} as long as by backpropagation.",
    )
    page.put(
        f"Against backpropagation {'these' if found.sampled < found.entries else 'the'} entries are off by "
        f"{found.error:.2g} of their size (median), by {found.worst:.2g} of the largest at most, in {found.dtype}."
    )


def _memory(cost: Cost, page: Page) -> None:
    found = cost.memory
    page.blank()
    page.rule("Memory at its peak, beyond parameters and data")
    table = [["op after op", ""], ["  forward", size(found.forward)], ["  kept for backward", size(found.held)]]
    table.append(["  backward", size(found.backward)])
    if found.update is not None:
        table.append(["  update", size(found.update)])
    if found.arena is not None:
        table += [["compiled", ""], ["  forward and backward", size(found.arena)]]
    if found.step_arena is not None:
        table.append(["  with update", size(found.step_arena)])
    _table(page, table)


def _recomputation(cost: Cost, page: Page) -> None:
    found = cost.recomputation
    if found is None:
        return
    page.blank()
    page.rule("Values computed again instead of kept (utils.checkpoint)")
    table = [["parts", "", "more work", "peak", "saved"]]
    whole = cost.forward.operations + cost.backward.operations
    for trial in found.trials:
        saved = 1 - trial.peak / max(1, cost.memory.peak)
        mark = "▸ " if trial is found.best or trial == found.best else "  "
        more = f"+{100 * trial.operations / max(1, whole):.0f} %"
        table.append([f"{mark}{trial.parts}", _cut(trial), more, size(trial.peak), f"{100 * saved:.0f} %"])
    _table(page, table, left=2)
    words = [f"Measured for ▸: forward and backward {_change(seconds, found.gradient)} op after op"]
    if found.compiled is not None and found.arena is not None:
        words.append(f"{_change(seconds, found.compiled)} compiled")
        words.append(f"whose memory goes from {size(found.arena[0])} to {size(found.arena[1])}")
    page.put(", ".join(words) + ".")
    if found.best.peak > LITTLE * cost.memory.peak:
        page.put("That saves nothing here: what takes the memory is something else than values that are kept.")


def _change(told: Callable[[float], str], pair: tuple[float, float]) -> str:
    return f"{told(pair[0])} → {told(pair[1])}"


def _cut(trial: Trial) -> str:
    """Where a trial cuts."""
    if not (trial.first or trial.last):
        return f"every {trial.together} operations"
    each = [short(name, NAME // 3) for name in dict.fromkeys((trial.first, trial.last))]
    return " … ".join(each) + (f", {trial.together} together" if trial.together > 1 else "")


# -- rows -------------------------------------------------------------------------------------------------------------


def _shortened(rows: Sequence[Row]) -> list[Row]:
    """The rows with the most work, in their order, and the others together."""
    if len(rows) <= MANY:
        return list(rows)
    most = sorted(rows, key=lambda row: -row.work.operations)[: MANY - 1]
    shown = [row for row in rows if row in most]
    return [*shown, _sum(f"{len(rows) - len(shown)} others", [row for row in rows if row not in most])]


def _grouped(rows: Sequence[Row]) -> list[Row]:
    """Modules, or the modules that they are in, as deep as there is room for."""
    made: list[Row] = []
    for depth in range(1, max((row.name.count(".") for row in rows), default=0) + 2):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(".".join(row.name.split(".")[:depth]), []).append(row)
        if len(groups) > MANY and len(made) > FEW:
            break
        made = [_sum(name or "outside of modules", group) for name, group in groups.items()]
    return _shortened(made)


def _sum(name: str, rows: Sequence[Row]) -> Row:
    parts = [sum((getattr(row, phase) for row in rows), NONE) for phase in ("forward", "backward", "update")]
    return Row(name, rows[0].kind if len(rows) == 1 else "", *parts)


def _table(page: Page, rows: list[list[str]], left: int = 1) -> None:
    """Columns: the first ones to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for place, row in enumerate(rows):
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        head = (place == 0 and not row[0]) or row[0] == "parts"
        page.put(("   ".join(cells).rstrip(), "dim" if head else ""), first="  ", rest="      ")


def short(name: str, room: int) -> str:
    """A name, or the end of it where there is no room for all."""
    return name if len(name) <= room else "…" + name[len(name) + 1 - max(room, 2) :]


# -- numbers ----------------------------------------------------------------------------------------------------------


def count(number: int) -> str:
    """A count in units of thousands, millions, ...; nothing for none."""
    return "" if not number else _scaled(number, ("", "k", "M", "G", "T"))


def size(number: int) -> str:
    """Bytes."""
    return _scaled(number, ("B", "kB", "MB", "GB", "TB"))


def _scaled(number: float, units: tuple[str, ...]) -> str:
    for unit in units:
        if abs(number) < 999.5 or unit == units[-1]:
            return f"{number:.3g} {unit}".rstrip()
        number /= 1000
    raise AssertionError


def seconds(value: float) -> str:
    """A time in words that fit it."""
    for unit, name in ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s")):
        if value < 999.5 * unit and not (unit == 1.0 and value >= 120):
            return f"{value / unit:.3g} {name}"
    if value < 7200:
        return f"{value / 60:.3g} minutes"
    return f"{value / 3600:.3g} hours" if value < 48 * 3600 else f"{value / 86400:,.0f} days"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def _share(part: int, whole: int) -> str:
    if not part:
        return ""
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 1 else "< 1 %"
