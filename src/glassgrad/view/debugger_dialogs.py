"""The dialogs of the step debugger: a question, a choice, a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from ..errors import GlassgradError
from .lines import clean

CSS = """
Ask, Pick, Show { align: center middle; }
.box { width: 90%; max-width: 100; height: auto; max-height: 90%; border: round $primary; padding: 0 1; }
.box Input { margin: 0; }
.box OptionList { height: auto; max-height: 14; border: none; }
.wrong { color: $error; }
"""


class Ask(ModalScreen[str | None]):
    """One line of text; what `check` raises is shown and can be mended."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "cancel")]

    def __init__(self, title: str, check: Callable[[str], object]) -> None:
        super().__init__()
        self.title_text, self.check = title, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text(self.title_text))
            yield Input()
            yield Static("", id="wrong", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self.check(event.value)
        except GlassgradError as error:
            self.query_one("#wrong", Static).update(Text(f"{clean(error.asked)}; {clean(error.fix)}"))
        else:
            self.dismiss(event.value)


class Pick(ModalScreen[str | None]):
    """One of several names; typing narrows them down."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss(None)", "cancel"), ("down", "move(1)", "next"), ("up", "move(-1)", "previous"),
    ]  # fmt: skip

    def __init__(self, title: str, names: Sequence[str]) -> None:
        super().__init__()
        self.title_text, self.names = title, list(names)
        self.shown = self.names

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text(self.title_text))
            yield Input(placeholder="type to narrow down")
            yield OptionList()

    def on_mount(self) -> None:
        self._fill("")

    def _fill(self, typed: str) -> None:
        self.shown = [name for name in self.names if typed.lower() in name.lower()]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Text(clean(name)) for name in self.shown])
        options.highlighted = 0 if self.shown else None

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value.strip())

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self.shown:
            options.highlighted = ((options.highlighted or 0) + by) % len(self.shown)

    def on_input_submitted(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and self.shown:
            self.dismiss(self.shown[place])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.shown[event.option_index])


class Show(ModalScreen[None]):
    """A text that can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter,space,question_mark,w", "dismiss(None)", "close")]

    def __init__(self, make: Callable[[int], Text]) -> None:
        super().__init__()
        self.make = make

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(id="text")

    def on_mount(self) -> None:
        self._fill()
        self.query_one(VerticalScroll).focus()  # so that the arrows scroll

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        width = min(100, self.app.size.width * 9 // 10) - 6
        self.query_one("#text", Static).update(self.make(width))
