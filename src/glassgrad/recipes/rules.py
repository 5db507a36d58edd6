"""OpenSpiel's games: their rules as arrays, their symmetries, opponents to measure against, and boards to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..view import needed
from .pictures import BLANK

LONGEST = 500
"""Moves, after which a game is called a draw."""
Turn = Callable[[np.ndarray], np.ndarray]
Symmetry = tuple[Turn, np.ndarray]
"""How planes are turned, and the new number of each move; -1, of no move, stays what it is."""
Opponent = Callable[[Any], int]
"""A state of OpenSpiel to the move that is played."""


class Rules:
    """A game of two players, turn by turn, without chance and secrets, where one wins what the other loses.

    Args:
        name: as OpenSpiel has it, with parameters if need be: ``"go(board_size=5)"``.
    """

    def __init__(self, name: str) -> None:
        spiel = needed("pyspiel", "a game")
        if name.partition("(")[0] not in spiel.registered_names():
            games = ", ".join(kind.short_name for kind in spiel.registered_games() if not _refused(kind, 2))
            raise ArgumentError(f"OpenSpiel has no game {name!r}", fix=f"one of {games}")
        try:
            self.game = spiel.load_game(name)
        except spiel.SpielError as error:
            raise ArgumentError(f"OpenSpiel refuses {name!r}", got=str(error)) from error
        if why := _refused(self.game.get_type(), self.game.num_players()):
            raise ArgumentError(f"{name} is not for this search", got=why, fix="try tic_tac_toe or connect_four")
        self.actions: int = self.game.num_distinct_actions()
        shape = tuple(self.game.observation_tensor_shape())
        self.size = int(np.prod(shape))
        self.shape: tuple[int, ...] = (shape[0] + 1, *shape[1:]) if len(shape) == 3 else (self.size + 1,)
        """Of an observation: OpenSpiel's tensor, and a plane (or an entry) that says who moves."""
        self.observer = needed("open_spiel.python.observation", "a game").make_observation(self.game)

    def observe(self, states: Sequence[Any]) -> np.ndarray:
        """What player 0 sees, and who is to move."""
        seen = np.empty((len(states), int(np.prod(self.shape))), np.float32)
        for row, state in zip(seen, states, strict=True):
            self.observer.set_from(state, 0)
            row[: self.size] = self.observer.tensor
            row[self.size :] = state.current_player()
        return seen.reshape(-1, *self.shape)

    def columns(self, moves: int) -> int:
        """The width of arrays that have room for so many legal moves: few widths, for each is compiled."""
        return min(self.actions, -(-moves // 32) * 32)

    def over(self, state: Any) -> bool:
        """Whether a game has ended, or is called a draw for its length."""
        return bool(state.is_terminal() or state.move_number() >= LONGEST)

    def outcome(self, state: Any) -> float:
        """Of a game that is over, for player 0: from -1 to 1."""
        return float(state.returns()[0] / self.game.max_utility()) if state.is_terminal() else 0.0

    def symmetries(self, random: np.random.Generator, games: int = 8) -> list[Symmetry]:
        """Turns and mirrors of the board that change nothing: those under which random games go the same way.

        Tried are the eight of a square, for moves that are cells (besides others, such as a pass) or columns.
        """
        found: list[Symmetry] = []
        for quarters, mirrored in [(q, m) for q in range(4) for m in (False, True)] if len(self.shape) == 3 else []:
            turn = partial(_turned, quarters, mirrored)

            rows, columns = self.shape[1:]
            board = np.arange(rows * columns).reshape(rows, columns)
            came = turn(board)[0] % columns if self.actions == columns else turn(board).ravel()
            to = np.arange(-1, self.actions)
            if turn(board).shape == board.shape and len(came) <= self.actions:
                to[1 + came] = np.arange(len(came))
                symmetry = turn, np.roll(to, -1)  # so that an index of -1 finds the -1
                if all(self._same(symmetry, random) for _ in range(games)):
                    found.append(symmetry)
        return found or [(partial(_turned, 0, False), np.roll(np.arange(-1, self.actions), -1))]

    def cells(self, state: Any) -> np.ndarray | None:
        """The board's squares, a character each, if OpenSpiel prints it as a grid of the observation's size."""
        text = str(state)
        if re.fullmatch(r"[\w/]+ [wb] .*", text):  # chess's notation counts empty squares
            text = re.sub(r"\d", lambda empty: "." * int(empty[0]), text.partition(" ")[0]).replace("/", "\n")
        lines = [list(re.sub(r"^\s*\d*|\s|\d*\s*$", "", line)) for line in text.splitlines()]  # no numbers of rows
        lines = [
            line for line in lines if line and not ("".join(line).isalpha() and line == sorted(set(line)))
        ]  # A to E
        lines = [line for line in lines if len(line) == self.shape[-1]]
        return np.array(lines) if self.shape[1:2] == (len(lines),) else None

    def squares(self, state: Any, chances: np.ndarray) -> np.ndarray:
        """How likely a move to each of the squares is."""
        now = self.cells(state)
        found = np.zeros(self.shape[1:])
        for move, chance in zip(state.legal_actions(), chances, strict=True):
            then = self.cells(state.child(move))
            assert now is not None and then is not None
            changed = (then != now) & ~np.isin(then, BLANK)
            placed = changed & np.isin(now, BLANK)  # a capture in chess has none
            found[placed if placed.any() else changed] += chance
        return found

    def _same(self, symmetry: Symmetry, random: np.random.Generator) -> bool:
        """Whether a random game, and the same with every move turned, look the same to the end."""
        (turn, to), one, other = symmetry, self.game.new_initial_state(), self.game.new_initial_state()
        while not self.over(one):
            moves = one.legal_actions()
            if other.is_terminal() or sorted(to[moves].tolist()) != other.legal_actions():
                return False
            if not np.array_equal(turn(self.observe([one])), self.observe([other])):
                return False
            move = int(random.choice(moves))
            one.apply_action(move)
            other.apply_action(int(to[move]))
        return self.over(other) and bool(one.returns() == other.returns())


def _turned(quarters: int, mirrored: bool, planes: np.ndarray) -> np.ndarray:
    turned = np.rot90(planes, quarters, (-2, -1)) if quarters else planes
    return turned[..., ::-1] if mirrored else turned


def _refused(kind: Any, players: int) -> str:
    """Why a game is none for this search."""
    if not kind.min_num_players <= 2 <= kind.max_num_players or players != 2:
        return f"its number of players is {players}, not 2"
    wanted = {"dynamics": "SEQUENTIAL", "chance_mode": "DETERMINISTIC", "information": "PERFECT_INFORMATION"}
    for field, value in {**wanted, "utility": "ZERO_SUM"}.items():
        if getattr(kind, field).name != value:
            return f"its {field.replace('_', ' ')} is {getattr(kind, field).name}, not {value}"
    return "" if kind.provides_observation_tensor else "it does not say what a player sees as a tensor"


def padded(rows: Sequence[Sequence[float]], width: int, empty: float, dtype: Any) -> np.ndarray:
    """Rows of several lengths as one array."""
    return np.array([[*row, *[empty] * (width - len(row))] for row in rows], dtype).reshape(len(rows), width)


def chance(seed: int) -> Opponent:
    """Plays whatever is legal."""
    random = np.random.default_rng(seed)
    return lambda state: int(random.choice(state.legal_actions()))


class Perfect:
    """Plays at random among the best moves, by minimax through the whole game. For small games."""

    def __init__(self, rules: Rules, random: np.random.Generator) -> None:
        self.rules, self.random = rules, random
        self.known: dict[str, float] = {}

    def value(self, state: Any) -> float:
        """The outcome for player 0 if both play perfectly."""
        if state.is_terminal():
            return self.rules.outcome(state)
        key = f"{state.current_player()} {state}"
        if key not in self.known:
            best = max if state.current_player() == 0 else min
            self.known[key] = best(self.value(state.child(move)) for move in state.legal_actions())
        return self.known[key]

    def __call__(self, state: Any) -> int:
        moves = state.legal_actions()
        values = [self.value(state.child(move)) for move in moves]
        best = (max if state.current_player() == 0 else min)(values)
        return int(self.random.choice([move for move, value in zip(moves, values, strict=True) if value == best]))


def opponent(rules: Rules, seed: int) -> tuple[str, Opponent]:
    """Whom to measure against: a perfect player in games of up to 9 moves, else OpenSpiel's own tree search."""
    if rules.game.max_game_length() <= 9:
        return "a perfect player", Perfect(rules, np.random.default_rng(seed))
    spiel = needed("pyspiel", "a game")
    rollouts = spiel.RandomRolloutEvaluator(1, seed)
    c, megabytes, solve = 2.0, 1000, True  # as in OpenSpiel's own example
    bot = spiel.MCTSBot(rules.game, rollouts, c, 200, megabytes, solve, seed, False)
    return "OpenSpiel's MCTS with 200 rollouts", bot.step
