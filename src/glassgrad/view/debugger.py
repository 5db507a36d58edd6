"""The step debugger: a training step, forwards and backwards, in the terminal.

The graph is on the left with the current node lit, the step on the right.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static, Tree
from textual.widgets.tree import TreeNode

from ..errors import ArgumentError
from ..report import PHASES, GraphNode, StepReport, Summary, TapeReport
from . import debugger_dialogs as dialogs
from .debugger_detail import detail, weights
from .debugger_stops import FORMS, Stop, around, hits, layers, parse
from .lines import clean, number, shape
from .text import COLOURS

LARGE = 150
"""Nodes above which the graph's modules are opened only where the walk comes by."""
KEYS = "→ ← step  p P phase  l layer  g number  : stop  c run  w weights  ? help  q quit"
HELP = """\
→  n       the next step
←  b       the step before
p  P       the next phase, the phase before
home end   the first step, the last
l          to a layer
g          to a step by its number
:          stop where something happens:
             norm < 1e-6   the gradient's norm falls below
             norm > 100    it rises above
             nan           nan or infinity appears
             op NAME       an op, such as tanh
             module PATH   a layer is entered
             clear         no stops; clear 2: not the second
c          run on to the next stop
w          the weights before and after the update
↑  ↓       scroll
q          quit

The graph: ▶ here, ● computed, · data and weights,
∇ gradient (of arrays its norm), ′ updated."""


def debug(report: TapeReport) -> None:
    """Open the debugger; returns when the user quits."""
    Debugger(report).run()


class Debugger(App[None]):
    """Shows one step of a report at a time."""

    TITLE = "glassgrad step"
    ENABLE_COMMAND_PALETTE = False
    CSS = (
        """
    #top, #status, #keys { height: 1; }
    #top { text-style: reverse; }
    #keys { color: $text-muted; }
    #graph { width: 38%; max-width: 60; border-right: solid $primary; overflow-x: hidden; scrollbar-size: 1 1; }
    #right { padding: 0 1; scrollbar-size: 1 1; scrollbar-gutter: stable; }
    """
        + dialogs.CSS
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,n,space", "go(1)", "next"),
        Binding("left,b", "go(-1)", "back"),
        Binding("p", "phase(1)", "next phase"),
        Binding("P,upper_p", "phase(-1)", "phase before"),
        Binding("home", "first", "first"),
        Binding("end", "last", "last"),
        Binding("l", "layer", "layer"),
        Binding("g", "number", "step number"),
        Binding("colon", "stops", "stops"),
        Binding("c", "run_on", "go on"),
        Binding("w", "weights", "weights"),
        Binding("question_mark", "help", "help"),
        Binding("down", "scroll(2)", "down"),
        Binding("up", "scroll(-2)", "up"),
        Binding("q,ctrl+c", "quit", "quit"),
    ]

    def __init__(self, report: TapeReport) -> None:
        if not report.steps:
            raise ArgumentError("the report has no steps to walk through", fix="record a forward pass")
        super().__init__()
        self.report = report
        self.place = 0
        self.stops: list[Stop] = []
        self.leaves: dict[int, TreeNode[int | None]] = {}
        self.labels: dict[int, Text] = {}
        self.moments = _moments(report)

    # -- what is on the screen ----------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Static(id="top")
        with Horizontal():
            tree: Tree[int | None] = Tree("", id="graph")
            tree.show_root = False
            tree.guide_depth = 2
            tree.can_focus = False
            yield tree
            with VerticalScroll(id="right", can_focus=False):
                yield Static(id="detail")
        yield Static(id="status")
        yield Static(Text(KEYS), id="keys")

    def on_mount(self) -> None:
        self._plant()
        self._show()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _plant(self) -> None:
        """The graph as a tree: values within the modules that computed them, in the order of the forward pass."""
        graph = self.report.graph
        small = len(graph.nodes) <= LARGE
        first: dict[str, int] = {}
        children: dict[str, list[tuple[int, str, GraphNode | None]]] = {"": []}
        paths = {node.id: "" if node.module in graph.roots else node.module for node in graph.nodes}
        for node in sorted(graph.nodes, key=lambda n: (not n.op, n.id)):  # a module stands where it first computes
            for path in around(paths[node.id]):
                if path not in first:
                    first[path] = node.id
                    children[path] = []
                    children[path.rpartition(".")[0]].append((node.id, path, None))
            children[paths[node.id]].append((node.id, "", node))
        tree = self.query_one(Tree)
        stack = [("", tree.root)]
        while stack:
            path, holder = stack.pop()
            for _, inner, leaf in sorted(children[path], key=lambda each: each[:2]):
                if leaf is None:
                    name = Text(clean(inner.rpartition(".")[2]), style="bold")
                    stack.append((inner, holder.add(name, data=None, expand=small)))
                else:
                    self.leaves[leaf.id] = holder.add_leaf("", data=leaf.id)
        tree.root.expand()

    def _show(self) -> None:
        step = self.report.steps[self.place]
        count = len(self.report.steps)
        head = f" {step.phase.upper():<8}  step {step.number} of {count}   {self.report.loss}   {self.report.title}"
        head = clean(head).ljust(self.size.width)
        top = Text(head, no_wrap=True, overflow="ellipsis", style=COLOURS.get(step.phase, ""))
        self.query_one("#top", Static).update(top)
        right = self.query_one("#right", VerticalScroll)
        width = max(20, right.scrollable_content_region.width or self.size.width * 6 // 10 - 4)
        self.query_one("#detail", Static).update(detail(self.report, self.place, width))
        right.scroll_home(animate=False)
        self._light(step)

    def _light(self, step: StepReport) -> None:
        """Mark what has been computed, what has got its gradient, and where the step is."""
        current = at(step)
        for node in self.report.graph.nodes:
            label = self._label(node, step.number, node.id == current)
            if self.labels.get(node.id) != label:
                self.labels[node.id] = label
                self.leaves[node.id].set_label(label)
        lit = self.leaves.get(current)
        if lit is None:
            return
        holder = lit.parent
        while holder is not None:
            holder.expand()
            holder = holder.parent
        self.call_after_refresh(self._scroll_to, lit)

    def _label(self, node: GraphNode, number: int, current: bool) -> Text:
        """A value with its marks: where the step is, what has been computed, which gradient has arrived, the update."""
        made, gradient, updated = self.moments.get(node.id, (0, 0, 0))
        there = not made or number >= made
        mark = "▶" if current else "·" if not made else "●" if there else " "
        label = Text(f"{mark} {clean(node.name)}", style="bold reverse" if current else "" if there else "dim")
        arrived = gradient and number >= gradient and node.gradient is not None
        words = shape(node.value.shape) if arrived and node.value.largest else clean(node.value.text)
        label.append(f" {words}" if there else "", style="not bold not reverse")
        if arrived and node.gradient is not None:
            label.append(f" ∇ {_size(node.gradient)}", style="not bold not reverse magenta")
        if updated and number >= updated:
            label.append(" ′", style="bold not reverse cyan")
        return label

    def _scroll_to(self, leaf: TreeNode[int | None]) -> None:
        tree = self.query_one(Tree)
        tree.move_cursor(leaf)
        tree.scroll_to_node(leaf, animate=False)

    def _say(self, words: str = "") -> None:
        self.query_one("#status", Static).update(Text(clean(words), style="bold", no_wrap=True, overflow="ellipsis"))

    # -- moving about -------------------------------------------------------------------------------------------------

    def _to(self, place: int, words: str = "") -> None:
        self.place = min(max(place, 0), len(self.report.steps) - 1)
        self._show()
        self._say(words)

    def action_go(self, by: int) -> None:
        end = "This is the last step." if by > 0 else "This is the first step."
        there = 0 <= self.place + by < len(self.report.steps)
        self._to(self.place + by, "" if there else end)

    def action_first(self) -> None:
        self._to(0)

    def action_last(self) -> None:
        self._to(len(self.report.steps) - 1)

    def action_phase(self, by: int) -> None:
        steps = self.report.steps
        order = [phase for phase in PHASES if any(s.phase == phase for s in steps)]
        wanted = order.index(steps[self.place].phase) + by
        if not 0 <= wanted < len(order):
            self._say("There is no phase after this one." if by > 0 else "There is no phase before this one.")
            return
        self._to(next(k for k, s in enumerate(steps) if s.phase == order[wanted]))

    def action_layer(self) -> None:
        names = layers(self.report)
        if not names:
            self._say("Nothing was computed in a layer.")
            return

        def go(name: str | None) -> None:
            if name is not None:
                self._to(self._place_of(name), f"at {name}")

        self.push_screen(dialogs.Pick("To which layer?", names), go)

    def _place_of(self, layer: str) -> int:
        """The first step of a layer, in the phase that is shown if it has one there."""
        steps = self.report.steps
        inside = [k for k, s in enumerate(steps) if s.module == layer or s.module.startswith(f"{layer}.")]
        return next((k for k in inside if steps[k].phase == steps[self.place].phase), inside[0])

    def action_number(self) -> None:
        count = len(self.report.steps)

        def check(text: str) -> None:
            if not text.strip().isdecimal() or not 1 <= int(text) <= count:
                raise ArgumentError(f"{text.strip()!r} is no step", fix=f"there are steps 1 to {count}")

        def go(text: str | None) -> None:
            if text is not None:
                self._to(int(text) - 1)

        self.push_screen(dialogs.Ask(f"To which step? 1 to {count}", check), go)

    def on_tree_node_selected(self, event: Tree.NodeSelected[int | None]) -> None:
        """A click on a value leads to the step that made it, in the backward pass to one that brought its gradient."""
        node = event.node.data
        steps = self.report.steps
        found = [k for k, s in enumerate(steps) if at(s) == node]
        if node is not None and found:
            self._to(next((k for k in found if steps[k].phase == steps[self.place].phase), found[0]))

    def action_scroll(self, by: int) -> None:
        self.query_one("#right", VerticalScroll).scroll_relative(y=by, animate=False)

    # -- stops --------------------------------------------------------------------------------------------------------

    def action_stops(self) -> None:
        held = "".join(f"\n  {k}. {stop}" for k, stop in enumerate(self.stops, 1))
        title = f"Stop where? {', '.join(FORMS)}" + (f"\nStops now:{held}" if held else "")

        def check(text: str) -> None:
            if self._cleared(text) is None:
                parse(text, self.report)

        def add(text: str | None) -> None:
            if text is None:
                return
            left = self._cleared(text)
            if left is not None:
                self.stops = left
                self._say("No stops." if not left else f"{len(left)} stops left.")
                return
            stop = parse(text, self.report)
            if stop not in self.stops:
                self.stops.append(stop)
            self._say(f"Stop {self.stops.index(stop) + 1}: {stop}. c goes on to it.")

        self.push_screen(dialogs.Ask(title, check), add)

    def _cleared(self, text: str) -> list[Stop] | None:
        """The stops that are left after "clear" or "clear 2"; None for other words."""
        words = text.split()
        if not words or words[0] != "clear":
            return None
        if len(words) == 1:
            return []
        if not words[1].isdecimal() or not 1 <= int(words[1]) <= len(self.stops):
            raise ArgumentError(f"there is no stop {words[1]}", fix=f"there are {len(self.stops)}")
        return [stop for k, stop in enumerate(self.stops, 1) if k != int(words[1])]

    def action_run_on(self) -> None:
        if not self.stops:
            self._say("No stops are set: press : to set one.")
            return
        steps = self.report.steps
        norms = {n.id: n.gradient.norm for n in self.report.graph.nodes if n.gradient is not None}
        for place in range(self.place + 1, len(steps)):
            step = steps[place]
            came = norms.get(step.node) if step.operand is not None else None
            for stop in self.stops:
                if hits(stop, step, steps[place - 1], came):
                    self._to(place, f"Stopped: {stop}.")
                    return
        self._to(len(steps) - 1, "No stop lies ahead; this is the last step.")

    # -- texts --------------------------------------------------------------------------------------------------------

    def action_weights(self) -> None:
        node = at(self.report.steps[self.place])
        self.push_screen(dialogs.Show(lambda width: weights(self.report, node, width)))

    def action_help(self) -> None:
        self.push_screen(dialogs.Show(lambda _: Text(HELP)))


def at(step: StepReport) -> int:
    """The node that a step is at: in the backward pass the one that the gradient goes to."""
    return step.node if step.operand is None else step.operand


def _size(gradient: Summary) -> str:
    """A gradient in few characters: the number, or the norm of an array."""
    return number(gradient.norm) if gradient.largest and gradient.norm is not None else gradient.text


def _moments(report: TapeReport) -> dict[int, tuple[int, int, int]]:
    """For each node the number of the step that made it, brought the last of its gradient, updated it; 0 for none."""
    found: dict[int, tuple[int, int, int]] = {}
    for step in report.steps:
        made, gradient, updated = found.get(at(step), (0, 0, 0))
        if step.phase in ("forward", "loss"):
            made = made or step.number
        elif step.phase == "backward":
            gradient = step.number
        else:
            updated = step.number
        found[at(step)] = made, gradient, updated
    return found
