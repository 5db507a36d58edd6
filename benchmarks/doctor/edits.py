"""Small edits of a program's text, and what is known of a broken program."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Edit = Callable[[str], str]


def swap(old: str, new: str, times: int = 1) -> Edit:
    """Other text in its place; it must occur just so often, so that an edit never does nothing."""

    def edit(text: str) -> str:
        found = text.count(old)
        assert found == times, f"{old!r} occurs {found} times"
        return text.replace(old, new)

    return edit


def drop(*lines: str) -> Edit:
    """Without these lines, wherever they stand."""

    def edit(text: str) -> str:
        for line in lines:
            left = re.sub(rf"^ *{re.escape(line)}\n", "", text, flags=re.M)
            assert left != text, f"there is no line {line!r}"
            text = left
        return text

    return edit


def after(line: str, *new: str) -> Edit:
    """New lines after the first that begins with ``line``, as far in as that one."""

    def edit(text: str) -> str:
        found = re.search(rf"^( *){re.escape(line)}.*\n", text, re.M)
        assert found, f"there is no line {line!r}"
        made = "".join(f"{found[1]}{each}\n" for each in new)
        return text[: found.end()] + made + text[found.end() :]

    return edit


def moved(line: str, before: str) -> Edit:
    """A line, moved to stand before another one."""

    def edit(text: str) -> str:
        text = drop(line)(text)
        found = re.search(rf"^( *){re.escape(before)}", text, re.M)
        assert found, f"there is no line {before!r}"
        return text[: found.start()] + f"{found[1]}{line}\n" + text[found.start() :]

    return edit


def seed(number: int) -> Edit:
    """Other random numbers."""
    return swap("manual_seed(0)", f"manual_seed({number})")


def slower(factor: float) -> Edit:
    """All rates of optimizers times a factor."""

    def edit(text: str) -> str:
        pattern = r"(\blr=|\"lr\": )([\d.e-]+)"
        assert re.search(pattern, text), "there is no rate"
        return re.sub(pattern, lambda found: f"{found[1]}{float(found[2]) * factor:.3g}", text)

    return edit


OPTIMIZER = re.compile(r"^(optimizer|opt) = .*\n", re.M)


def net_of(text: str) -> str:
    """The name that the model has."""
    return "net" if re.search(r"^net = ", text, re.M) else "model"


def start(*lines: str) -> Edit:
    """Lines before the optimizer is made; NET in them is the model."""

    def edit(text: str) -> str:
        found = OPTIMIZER.search(text)
        assert found
        made = "".join(f"{line}\n" for line in lines).replace("NET", net_of(text))
        return text[: found.start()] + made + text[found.start() :]

    return edit


def drawn(call: str, least: int = 2) -> Edit:
    """All parameters of at least so many axes drawn anew: "normal_(p, std=3.0)"."""
    return start("for p in NET.parameters():", f"    if p.ndim >= {least}:", f"        nn.init.{call}")


def optimizer(new: str) -> Edit:
    """Another optimizer: "optim.SGD(NET.parameters(), lr=0.1)"."""

    def edit(text: str) -> str:
        found = OPTIMIZER.search(text)
        assert found
        made = f"{found[1]} = gg.{new}\n".replace("NET", net_of(text))
        return text[: found.start()] + made + text[found.end() :]

    return edit


@dataclass(frozen=True)
class Healthy:
    """A program with nothing wrong."""

    template: str
    edits: tuple[Edit, ...] = ()
    allowed: tuple[str, ...] = ()
    """What is rightly said of it nonetheless."""


@dataclass(frozen=True)
class Broken:
    """A program with one fault."""

    fault: str
    template: str
    edits: tuple[Edit, ...]
    base: tuple[Edit, ...] = ()
    """Edits that its healthy twin has, too."""
    also: tuple[str, ...] = ()
    """Other faults that are as right to name."""
    ops: tuple[str, ...] = ()
    """Where it begins: right are these ops,"""
    modules: tuple[str, ...] = ()
    """or these modules, parameters and what is in them ("*": any),"""
    lines: tuple[str, ...] = ()
    """or lines with these texts, besides all that were edited,"""
    whole: bool = False
    """or nothing in particular: the training as a whole."""
    mendable: bool = False
    """Whether a change of settings (rate, start, order, mode, loss, batches) mends it, and no other code is needed."""
    shows: str = "worse"
    """What running it shows: "worse" than its twin on held-out rows, or worse in "training"; an "error"; "nan", for a
    loss or weights that are not finite; "still", for weights that don't move; "swings"; or "text": what is wrong stands
    there, whatever the numbers are."""


def broken(fault: str, template: str, *edits: Edit, **known: object) -> Broken:
    return Broken(fault, template, edits, **known)  # type: ignore[arg-type]
