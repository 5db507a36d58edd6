"""A net learns a board game by playing against itself: AlphaZero, for any such game of OpenSpiel's, by its name.

Silver et al.: A general reinforcement learning algorithm that masters chess, shogi and Go through self-play (Science
2018). A net says of a position how good each move is and who will win (player.py). A tree search makes better moves of
that (search.py). The net learns those moves, and who wins the games that are played with them, and so on.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from shlex import quote
from textwrap import fill
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer

from ..functions import manual_seed
from ..train.interrupt import Interrupt
from .options import Html, Seed, Short
from .page import Page
from .pictures import boards, curves
from .player import RATE, Player, opinion, play_in_terminal
from .rules import Opponent, Rules, chance, opponent
from .search import Sample, Search, match, self_play

WINDOW, REUSE = 100_000, 6
"""The most positions that are kept, and how often each is learned from, on average."""
SIZES, SMALL = (128, 2048, 64, 10**9), (32, 192, 16, 11)
"""Games at once, new positions between lessons, positions of an update, lessons at most; of a short run."""
NET, SMALL_NET = (32, 3), (32, 1)
"""Channels, and residual blocks."""
MORE = 4
"""In a match for the record the search is longer than in training, by this factor."""
ASKED = {"connect_four": {"won": "80 %"}, "tic_tac_toe": {"lost": "none"}}
"""Of a match for the record."""
Measure = Callable[[int], tuple[list[Any], np.ndarray]]
"""A match with so many simulations a move."""


class History:
    """What was measured while the net learned; times are in minutes."""

    def __init__(self) -> None:
        self.losses: list[tuple[float, ...]] = []
        """After each lesson: the time, the mean loss of the policy, that of the value."""
        self.results: list[tuple[float, ...]] = []
        """The time, and the shares of games that are won and lost by the net alone, and with the search."""
        self.games = self.positions = self.simulations = 0
        self.seconds = self.looking = 0.0
        """Of self-play, and the net's part of it."""


def train(
    player: Player, measure: Measure, page: Page, file: Path, minutes: float, simulations: int, seed: int, short: bool
) -> History:
    """Play and learn in turn, until the time is over, without that of measuring, or Ctrl-C is pressed."""
    games, fresh, batch, lessons = SMALL if short else SIZES
    rules, random, memory, history = player.rules, np.random.default_rng(seed), deque[Sample](maxlen=WINDOW), History()
    symmetries, plays = rules.symmetries(random), self_play(rules, player.judge, games, simulations, random)
    taught, passed, done, measuring, began = 0, 0.0, 0.0, 0.0, perf_counter()
    with Interrupt() as interrupt, page.console.status("it plays") as status:
        while done < 1 and not interrupt.asked:
            if done >= len(history.results) / 10 and measuring <= passed / 5:
                before = perf_counter()
                measured = [measure(searched)[1] for searched in (1, simulations)]
                shares = [float(share.mean()) for result in measured for share in (result > 0, result < 0)]
                history.results.append((passed, *shares))
                told = "{:.1f} minutes: the net alone wins {:.0%} and loses {:.0%}, with the search {:.0%} and {:.0%}"
                page.console.print(told.format(*history.results[-1]))
                player.save(file)
                measuring += (perf_counter() - before) / 60
            before, looked = perf_counter(), player.looked
            ended = next(plays)
            history.seconds += perf_counter() - before
            history.looking += player.looked - looked
            history.simulations += games
            history.games += len(ended)
            history.positions += sum(map(len, ended))
            memory.extend(sample for game in ended for sample in game)
            if history.positions >= fresh * (taught + 1):
                taught += 1
                recent = min(len(memory), max(8 * fresh, history.positions // 2))  # it once played worse than now
                player.optimizer.param_groups[0]["lr"] = RATE * (1.02 - done)
                lesson = []
                for _ in range(REUSE * fresh // batch):
                    samples = [memory[-1 - int(i)] for i in random.integers(recent, size=batch)]
                    lesson.append(player.study(samples, symmetries[random.integers(len(symmetries))]))
                history.losses.append((passed, *np.mean(lesson, 0).tolist()))
                status.update("{:.1f} minutes, losses {:.2f} and {:.2f}".format(*history.losses[-1]))
            passed = (perf_counter() - began) / 60 - measuring
            done = max(passed / minutes, taught / lessons)
    player.save(file)
    if interrupt.asked:
        page.say(f"Ctrl-C stopped it after {passed:.1f} minutes.")
    return history


def tell(
    page: Page, player: Player, rival: Opponent, games: int, simulations: int, name: str, asked: Mapping[str, str] = {}
) -> list[Any]:
    """How games against a rival end, in figures; their last states."""
    states, results = match(player.rules, player.judge, rival, games, simulations)
    for word, share in (("won", results > 0), ("drawn", results == 0), ("lost", results < 0)):
        page.figure(word + name, share.mean(), "{:.1%}", asked=asked.get(word, ""))
    return states


def show_learning(page: Page, history: History) -> None:
    """What it took, how the losses fell and the results rose."""
    page.figure("games against itself", history.games, "{:,.0f}")
    page.figure("positions learned from", history.positions, "{:,.0f}")
    page.figure("simulations a second", history.simulations / history.seconds, "{:,.0f}")
    page.figure("share of that time for the net", history.looking / history.seconds, "{:.0%}")
    if not history.losses:
        page.say("The time was too short for a lesson: the net is as it was.")
    else:
        losses, results = np.array(history.losses), np.array(history.results)
        lines = {name: losses[:, [0, column]].T for column, name in enumerate(("policy", "value"), 1)}
        page.picture(curves(lines, xlabel="minutes", ylabel="loss"), "The mean losses of each lesson's updates.")
        names = ("won by the net alone", "lost by the net alone", "won with the search", "lost with the search")
        lines = {name: results[:, [0, column]].T for column, name in enumerate(names, 1)}
        page.picture(curves(lines, style="o-", xlabel="minutes"), "Shares of the games against the opponent.")


def show_game(page: Page, player: Player, last: Any) -> None:
    """A game's moves, and what the net alone thinks of some of its positions."""
    rules, search, record, seen = player.rules, Search(player.rules, player.judge, 1), [], []
    for move in last.history():
        root, moves = search.roots[0], search.legal(0)
        state, chances = search.states[root], search.P[root, : len(moves)].copy()
        names = [state.action_to_string(state.current_player(), each) for each in moves]
        record.append(names[moves.index(move)])
        seen.append((state, chances, opinion(names, chances, search.value[root] * search.sign[root])))
        search.advance([0], [moves.index(move)])
    page.text(f"{fill(' '.join(record), 100)}\n\n{last}", "The moves of a game, and its end.")
    some = [seen[i] for i in sorted({round(i) for i in np.linspace(0, len(seen) - 1, 8).tolist()}) if seen]
    if some and rules.cells(last) is None:
        page.text("\n\n".join(f"{state}\n{thought}" for state, _, thought in some), "What the net alone thinks of it.")
    elif some:
        marks = np.array([rules.cells(state) for state, _, _ in some])  # (n, rows, columns)
        squares = np.array([rules.squares(state, chances) for state, chances, _ in some])  # (n, rows, columns)
        drawn = boards(marks, squares, [thought.partition("%")[0] + "%" for _, _, thought in some])
        page.picture(drawn, "What the net alone thinks: the value for who moves, and, in green, where to move.")


def game(
    name: Annotated[str, typer.Argument(metavar="GAME", help="As OpenSpiel calls it.")] = "tic_tac_toe",
    minutes: Annotated[float | None, typer.Option(min=0, help="Of learning: 2, or 0 if there are weights.")] = None,
    simulations: Annotated[int, typer.Option(min=2, help="Of the search, for a move.")] = 100,
    weights: Annotated[Path | None, typer.Option(help="Where the weights go, and come from if it is there.")] = None,
    play: Annotated[bool, typer.Option("--play", help="Play against it, here in the terminal.")] = False,
    second: Annotated[bool, typer.Option("--second", help="Let it begin when you play.")] = False,
    short: Short = False,
    seed: Seed = 0,
    html: Html = Path("game.html"),
) -> Page:
    """Learn tic_tac_toe, connect_four, "go(board_size=5)", chess or another board game by playing against itself."""
    manual_seed(seed)
    player = Player(Rules(name), *(SMALL_NET if short else NET))
    file, known = weights or html.with_suffix(".safetensors"), weights is not None and weights.exists()
    if known:
        player.load(file)
    elif weights is not None:
        print(f"{weights} is not there: the net begins with random weights", file=sys.stderr)
    minutes = (0.0 if known else 2.0) if minutes is None else minutes
    length, simulations = player.rules.game.max_game_length(), 40 if short else simulations
    matches = 60 if short else 200 if length < 10 else 100 if length <= 100 else 4
    how = {"minutes": minutes, "simulations": simulations, "seed": seed}
    with Page(f"Learning {name}", html, command=f"glassgrad recipe game {quote(name)}", **how) as page:
        against, rival = opponent(player.rules, seed)
        if minutes:
            page.say(
                f"A net of {sum(p.numel() for p in player.net.parameters()):,} parameters plays against itself, by a "
                f"search of {simulations} simulations a move, and learns from that. In matches each side begins half "
                f"of the games. Before it learns, without a search, {matches} games against random moves:"
            )
            tell(page, player, chance(seed), matches, 1, ", untrained, against random moves")
            measure = partial(match, player.rules, player.judge, rival, max(2, matches // 5))
            history = train(player, measure, page, file, minutes, simulations, seed, short)
            page.console.print(f"The weights are in {file}", markup=False)
            show_learning(page, history)
        if minutes or not play:
            page.say(f"The net alone, without a search, in {matches} games each against random moves and {against}:")
            tell(page, player, chance(seed), matches, 1, ", net alone, against random moves")
            tell(page, player, rival, matches, 1, ", net alone")
            page.say(f"{matches} games against {against}, with a search of {MORE * simulations} simulations a move:")
            asked = ASKED.get(player.rules.game.get_type().short_name, {})
            states = tell(page, player, rival, matches, MORE * simulations, "", asked)
            show_game(page, player, states[0])
        if play:
            show_game(page, player, play_in_terminal(player, MORE * simulations, not second))
    return page
