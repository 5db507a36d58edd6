"""Monte-Carlo tree search guided by a net, in many games at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .rules import Opponent, Rules, padded

EXPLORE = 2.0
"""How much a simulation trusts the net's policy against the values found so far: c of PUCT."""
Judge = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""What looks at positions: observations (n, ...) and legal moves (n, k), padded with -1, to chances of these moves
(n, k) and values (n,), from -1 to 1, for player 0."""

FULL, QUICK = 0.25, 0.2
"""Playout cap randomisation (Wu: Accelerating self-play learning in Go, 2019, section 3.1): the share of moves that
are searched in full, with noise, and learned from; the others get this part of the simulations, for more games."""
Sample = tuple[np.ndarray, list[int], np.ndarray, float]
"""A position, its legal moves, how often the search tried each, and how the game ended for player 0."""
EMPTY = {"visits": 0, "value": 0, "sign": 0, "P": 0, "N": 0, "Q": -np.inf, "moves": -1, "child": -1}
"""The arrays of a search, and what is where nothing is."""


class Search:
    """The trees of many games, which grow by a node each in every simulation; the net judges all new nodes at once.

    A node is a row of the arrays, its legal moves are the columns. Silver et al.: A general reinforcement learning
    algorithm that masters chess, shogi and Go through self-play (Science 2018), methods. A move that was not yet tried
    counts as what the net says of the position itself.
    """

    def __init__(self, rules: Rules, judge: Judge, games: int) -> None:
        self.rules, self.judge = rules, judge
        self.states: list[Any] = []
        """Of OpenSpiel, one for each node."""
        self.visits, self.value, self.sign = (np.zeros(0, np.float32) for _ in range(3))
        """Simulations through a node; its value for player 0; 1 where player 0 moves, -1 where 1 does, 0 at the end."""
        self.P, self.N, self.Q = (np.zeros((0, 0), np.float32) for _ in range(3))
        """Of each move: the net's policy, how often it was tried, and its mean value for the player who moves."""
        self.moves, self.child = (np.zeros((0, 0), int) for _ in range(2))
        """OpenSpiel's number of each move, and the node it leads to; -1 where there is none."""
        self.roots = np.zeros(games, int)
        self.start(range(games))

    def start(self, games: Sequence[int]) -> None:
        """New games, from the beginning."""
        self.roots[games] = self._add([self.rules.game.new_initial_state() for _ in games])

    def simulate(self, games: np.ndarray) -> None:
        """One simulation in each of these games: down along the best moves to a new node, and its value back up."""
        if len(self.states) + len(games) > len(self.visits):
            self._forget()
        lane, at, path = np.arange(len(games)), self.roots[games], []
        while len(at):
            push = EXPLORE * np.sqrt(self.visits.take(at))[:, None] / (1 + self.N.take(at, 0))  # (n, k)
            column = (self.Q.take(at, 0) + self.P.take(at, 0) * push).argmax(1)  # (n,)
            path.append((lane, at, column))
            below = self.child[at, column]
            inner = (below >= 0) & (self.sign[below] != 0)
            lane, at = lane[inner], below[inner]
        lane, node, column = (np.concatenate(parts) for parts in zip(*path, strict=True))
        last = np.empty(len(games), int)
        last[lane] = np.arange(len(lane))  # the deepest step of each game is written last
        value = self.value[self._reach(node[last], column[last])][lane]
        self.visits[node] += 1
        self.N[node, column] += 1
        self.Q[node, column] += (value * self.sign[node] - self.Q[node, column]) / self.N[node, column]

    def advance(self, games: Sequence[int] | np.ndarray, columns: Sequence[int] | np.ndarray) -> None:
        """Play a move in each of these games; what was found below it stays."""
        self.roots[games] = self._reach(self.roots[games], np.asarray(columns, int))

    def legal(self, game: int) -> list[int]:
        """The legal moves at a root: the first columns."""
        moves = self.moves[self.roots[game]]
        return list(moves[moves >= 0].tolist())

    def stir(self, game: int, random: np.random.Generator, share: float = 0.25) -> None:
        """Noise for the policy at a root, by Dirichlet's distribution; its parameters add up to 10 for all moves."""
        root = self.roots[game]
        legal = self.moves[root] >= 0
        noise = random.dirichlet(np.full(legal.sum(), 10 / legal.sum()))
        self.P[root, legal] = (1 - share) * self.P[root, legal] + share * noise

    def _reach(self, nodes: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The nodes that moves lead to, made where they are missing."""
        new = self.child[nodes, columns] < 0
        above, by = nodes[new], columns[new]
        played = zip(above.tolist(), self.moves[above, by].tolist(), strict=True)
        added = self._add([self.states[node].child(move) for node, move in played])  # may make the arrays anew
        self.child[above, by] = added
        found: np.ndarray = self.child[nodes, columns]
        return found

    def _add(self, states: list[Any]) -> np.ndarray:
        """A node for each state; the net is asked about those where the game goes on."""
        nodes = np.arange(len(self.states), len(self.states) + len(states))
        moves = [state.legal_actions() for state in states]  # of a game that is over: none
        self._room(len(self.states) + len(states), max(map(len, moves), default=0))
        self.states += states
        legal = padded(moves, self.moves.shape[1], -1, int)
        going = legal[:, 0] >= 0
        self.moves[nodes], self.child[nodes], self.N[nodes], self.visits[nodes], self.sign[nodes] = legal, -1, 0, 1, 0
        self.value[nodes[~going]] = [self.rules.outcome(states[i]) for i in np.flatnonzero(~going)]
        if going.any():
            nodes, legal, open_ = nodes[going], legal[going], [states[i] for i in np.flatnonzero(going)]
            chances, values = self.judge(self.rules.observe(open_), legal)
            self.sign[nodes] = [1 - 2 * state.current_player() for state in open_]
            self.value[nodes], self.P[nodes] = values, chances
            self.Q[nodes] = np.where(legal >= 0, (values * self.sign[nodes])[:, None], -np.inf)
        return np.arange(len(self.states) - len(states), len(self.states))

    def _room(self, rows: int, columns: int) -> None:
        """Larger arrays, where so many nodes of so many moves do not fit."""
        have = self.moves.shape
        columns = have[1] if columns <= have[1] else self.rules.columns(columns)
        rows = have[0] if rows <= have[0] else 2 * rows
        if (rows, columns) != have:
            for name, empty in EMPTY.items():
                old = getattr(self, name)
                more = ((0, rows - have[0]), (0, columns - have[1]))[: old.ndim]
                setattr(self, name, np.pad(old, more, constant_values=empty))

    def _forget(self) -> None:
        """Drop the nodes that no root leads to any more."""
        kept, level = np.zeros(len(self.states), bool), self.roots
        while len(level):
            kept[level] = True
            level = self.child[level]
            level = level[level >= 0]
        rows, number = np.flatnonzero(kept), np.cumsum(kept) - 1
        for name in EMPTY:
            array = getattr(self, name)
            array[: len(rows)] = array[rows]
        self.states = [self.states[row] for row in rows.tolist()]
        self.child[: len(rows)] = np.where(self.child[: len(rows)] >= 0, number[self.child[: len(rows)]], -1)
        self.roots = number[self.roots]
        self._room(2 * len(rows), 0)


def self_play(
    rules: Rules, judge: Judge, games: int, simulations: int, random: np.random.Generator
) -> Iterator[list[list[Sample]]]:
    """Plays for ever: after each simulation in all games, those that are over, each as positions to learn from."""
    search = Search(rules, judge, games)
    every, full = np.arange(games), random.random(games) < FULL
    told: list[list[tuple[np.ndarray, list[int], np.ndarray]]] = [[] for _ in every]
    varied = min(30, rules.game.max_game_length() // 3)  # first moves are drawn, for many different games
    while True:
        search.simulate(every)
        ended = []
        enough = np.where(full, simulations, QUICK * simulations)
        for game in np.flatnonzero(search.visits[search.roots] > enough).tolist():
            state, moves = search.states[search.roots[game]], search.legal(game)
            shares = search.N[search.roots[game], : len(moves)] / search.N[search.roots[game]].sum()
            if full[game]:
                seen = rules.observe([state])[0].astype(np.float16)
                told[game].append((seen, moves, shares))
            drawn = state.move_number() < varied
            search.advance([game], [int(random.choice(len(moves), p=shares) if drawn else shares.argmax())])
            state = search.states[search.roots[game]]
            if rules.over(state):
                ended.append([(*position, rules.outcome(state)) for position in told[game]])
                told[game] = []
                search.start([game])
            full[game] = random.random() < FULL
            if full[game]:
                search.stir(game, random)
        yield ended


def match(rules: Rules, judge: Judge, rival: Opponent, games: int, simulations: int) -> tuple[list[Any], np.ndarray]:
    """Games against a rival, each begins half of them: how they end, and from -1 to 1 how well for the search."""
    search = Search(rules, judge, games)
    own = np.arange(games) % 2  # the search's side in each game
    while True:
        states = [search.states[root] for root in search.roots]
        turns = np.array([-1 if rules.over(state) else state.current_player() for state in states])
        if (turns < 0).all():
            return states, np.array([rules.outcome(state) for state in states]) * (1 - 2 * own)
        ours, theirs = np.flatnonzero(turns == own), np.flatnonzero(turns == 1 - own)
        for _ in range(simulations if len(ours) else 0):
            search.simulate(ours)
        search.advance(ours, search.N[search.roots[ours]].argmax(1))
        search.advance(theirs, [search.legal(game).index(rival(states[game])) for game in theirs.tolist()])
