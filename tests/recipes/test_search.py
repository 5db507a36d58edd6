"""The game recipe's search, self-play and matches, against what is known of games without any learning."""

from collections import Counter

import numpy as np
import pytest
from tests.recipes.test_game import at, even, noisy, random_games, state_after

from glassgrad.recipes import search as searching
from glassgrad.recipes.rules import Perfect, Rules
from glassgrad.recipes.search import Search, match, self_play

# -- the search -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "left", "count"), [("tic_tac_toe", 6, 60), ("connect_four", 6, 25)])
def test_the_search_finds_the_only_good_move_that_minimax_proves(name, left, count):
    rules, random = Rules(name), np.random.default_rng(0)
    perfect, only = Perfect(rules, random), []
    for moves in random_games(rules, 200, left, random):
        state = state_after(rules, moves)
        values = {move: perfect.value(state.child(move)) for move in state.legal_actions()}
        best = (max if state.current_player() == 0 else min)(values.values())
        good = [move for move, value in values.items() if value == best]
        if len(good) == 1 < len(values):
            only.append((moves, good[0], best * (1 - 2 * state.current_player())))
    assert {1, 0} <= {value for _, _, value in only[:count]}  # forced wins and only defences, for
    assert {len(moves) % 2 for moves, _, _ in only[:count]} == {0, 1}  # either player
    search = Search(rules, even, count)
    for game, (moves, _, _) in enumerate(only[:count]):
        at(search, game, moves)
    for _ in range(1000):
        search.simulate(np.arange(count))
    for game, (_, good, value) in enumerate(only[:count]):
        root = search.roots[game]
        column = search.N[root].argmax()
        assert search.moves[root, column] == good
        assert search.Q[root, column] == pytest.approx(value, abs=0.3)


@pytest.mark.parametrize("name", ["tic_tac_toe", "dots_and_boxes(num_rows=2,num_cols=2)", "go(board_size=3)", "oware"])
def test_counts_and_values_of_a_tree_add_up_for_whoever_moves(name):
    """In dots and boxes, and in oware's likes, a player may move twice: signs go by who moves, not by depth."""
    rules = Rules(name)
    search = Search(rules, noisy(0), 3)
    for step in range(200):
        search.simulate(np.arange(3))
        if step == 120:
            search.advance([0, 1, 2], search.N[search.roots].argmax(1))
            search._forget()
    twice = 0
    for root in search.roots:
        stack = [root]
        while stack:
            node = stack.pop()
            children = search.child[node][search.child[node] >= 0]
            state = search.states[node]
            assert search.sign[node] == (0 if state.is_terminal() else 1 - 2 * state.current_player())
            assert search.moves[node][search.moves[node] >= 0].tolist() == state.legal_actions()
            if state.is_terminal():
                assert search.value[node] == state.returns()[0]
            else:
                assert search.visits[node] == 1 + search.N[node].sum()
                untried = (search.N[node] == 0) & (search.moves[node] >= 0)
                assert (search.Q[node, untried] == search.sign[node] * search.value[node]).all()
            for column in np.flatnonzero(search.child[node] >= 0):
                below = search.child[node, column]
                if search.sign[below] != 0:
                    assert search.N[node, column] == search.visits[below]
                    tried = search.N[below] > 0
                    found = (search.N[below, tried] * search.Q[below, tried]).sum()
                    total = search.value[below] + search.sign[below] * found
                    mean = search.sign[node] * total / search.visits[below]
                else:
                    mean = search.sign[node] * search.value[below]
                assert search.Q[node, column] == pytest.approx(mean, abs=1e-4)
                twice += search.sign[below] == search.sign[node]
            stack.extend(children.tolist())
    assert (twice > 0) == name.startswith("dots")


def test_games_in_one_search_are_those_of_searches_of_their_own():
    """With a net that depends on the position alone, no game knows of the others."""

    def judge(seen, moves):
        flat = seen.reshape(len(seen), -1)
        values = np.sin(flat @ np.arange(flat.shape[1], dtype=np.float32))
        chances = np.where(moves >= 0, 2 + np.cos(moves + values[:, None]), 0)
        return (chances / chances.sum(1, keepdims=True)).astype(np.float32), values.astype(np.float32)

    rules = Rules("connect_four")
    openings = [[], [3], [3, 3, 2], [0, 1, 0, 1]]
    together = Search(rules, judge, 4)
    for game, moves in enumerate(openings):
        at(together, game, moves)
    for _ in range(100):
        together.simulate(np.arange(4))
    for game, moves in enumerate(openings):
        alone = Search(rules, judge, 1)
        at(alone, 0, moves)
        for _ in range(100):
            alone.simulate(np.arange(1))
        assert together.N[together.roots[game]].tolist() == alone.N[alone.roots[0]].tolist()


def test_what_was_found_below_the_move_that_is_played_is_kept_and_the_rest_forgotten():
    search = Search(Rules("connect_four"), noisy(0), 2)
    for _ in range(150):
        search.simulate(np.arange(2))
    column = int(search.N[search.roots[1]].argmax())
    below = search.child[search.roots[1], column]
    before = [search.N[below].copy(), search.Q[below].copy(), search.P[below].copy()]
    search.advance([1], [column])
    count = len(search.states)
    search._forget()
    root = search.roots[1]
    assert all(np.array_equal(a, b[root]) for a, b in zip(before, (search.N, search.Q, search.P), strict=True))
    assert len(search.states) < count
    assert search.states[root].history() == [column]


def test_the_net_is_never_asked_about_a_game_that_is_over_and_a_won_one_counts_fully():
    asked = []

    def judge(seen, moves):
        asked.append((moves >= 0).any(1))
        return even(seen, moves)

    rules = Rules("tic_tac_toe")
    search = Search(rules, judge, 1)
    at(search, 0, [0, 3, 1, 4])  # xx. / oo. : 2 wins at once
    for _ in range(60):
        search.simulate(np.arange(1))
    root = search.roots[0]
    column = search.legal(0).index(2)
    assert search.Q[root, column] == 1 and search.N[root].argmax() == column
    assert np.concatenate(asked).all()


def test_noise_at_a_root_leaves_a_policy_over_legal_moves():
    search = Search(Rules("tic_tac_toe"), even, 2)
    at(search, 1, [4, 0])
    before = search.P[search.roots].copy()
    search.stir(1, np.random.default_rng(0))
    after = search.P[search.roots]
    assert np.array_equal(after[0], before[0]) and not np.allclose(after[1], before[1])
    assert after.sum(1) == pytest.approx([1, 1], abs=1e-6)
    assert (after[search.moves[search.roots] < 0] == 0).all()


def test_arrays_widen_where_a_position_has_more_moves():
    rules = Rules("chess")
    search = Search(rules, noisy(0), 1)
    for name in ("e4", "e5", "Qh5", "Nc6", "Bc4", "g6", "Qf3", "Nf6", "d4", "d5"):
        state = search.states[search.roots[0]]
        names = [state.action_to_string(state.current_player(), move) for move in search.legal(0)]
        search.advance([0], [names.index(name)])
        for _ in range(5):
            search.simulate(np.arange(1))
    legal = search.states[search.roots[0]].legal_actions()
    assert len(legal) > 32 and search.legal(0) == legal and search.moves.shape[1] == 64
    assert np.isneginf(search.Q[search.roots[0], len(legal) :]).all()


# -- self-play and matches --------------------------------------------------------------------------------------------


def test_self_play_tells_each_position_who_won(monkeypatch):
    monkeypatch.setattr(searching, "FULL", 1.0)
    rules = Rules("tic_tac_toe")
    plays, games = self_play(rules, even, 16, 20, np.random.default_rng(0)), []
    while len(games) < 100:
        games += next(plays)
    ends = Counter()
    for game in games:
        assert 5 <= len(game) <= 9
        for number, (seen, moves, shares, outcome) in enumerate(game):
            assert (seen[-1] == number % 2).all()  # who is to move
            assert seen[0].sum() == len(moves) == 9 - number == len(shares)  # as many moves as empty squares
            assert np.isclose(shares.sum(), 1) and (shares >= 0).all()
            assert outcome == game[-1][3]
        stones = game[-1][0][2 - (len(game) - 1) % 2]  # of who moves last
        lines = [*stones, *stones.T, stones.diagonal(), stones[::-1].diagonal()]
        could = any(line.sum() == 2 for line in lines)
        who = 1 if len(game) % 2 else -1
        assert game[-1][3] == who if game[-1][3] else len(game) == 9
        assert could or not game[-1][3]
        ends[game[-1][3]] += 1
    assert set(ends) == {-1.0, 0.0, 1.0}


def test_only_moves_that_were_searched_in_full_are_learned_from(monkeypatch):
    rules = Rules("connect_four")
    counts = {}
    for full in (0.25, 1.0):
        monkeypatch.setattr(searching, "FULL", full)
        plays, games = self_play(rules, even, 32, 10, np.random.default_rng(0)), []
        while len(games) < 60:
            games += next(plays)
        counts[full] = np.mean([len(game) for game in games])
    assert 7 <= counts[1.0] <= 42
    assert 0.15 < counts[0.25] / counts[1.0] < 0.35


def test_go_is_played_with_passes_to_its_end():
    rules = Rules("go(board_size=3)")
    search = Search(rules, even, 1)
    assert search.legal(0)[-1] == 9  # the pass
    at(search, 0, [9])
    for _ in range(50):
        search.simulate(np.arange(1))
    won = search.legal(0).index(9)  # White has komi on an empty board: a second pass wins
    assert search.Q[search.roots[0], won] == 1
    at(search, 0, [9])
    assert rules.over(search.states[search.roots[0]]) and rules.outcome(search.states[search.roots[0]]) == -1
    _, results = match(rules, even, lambda state: state.legal_actions()[-1], 4, 30)
    assert set(np.abs(results)) == {1.0}
    plays, games = self_play(rules, even, 8, 10, np.random.default_rng(0)), []
    while len(games) < 8:
        games += next(plays)
    assert {sample[3] for game in games for sample in game} <= {-1.0, 1.0}


def test_a_match_counts_wins_for_the_right_side():
    """Who is asked last about a lost position loses: the search, which sees one move ahead, beats who never looks."""
    states, results = match(Rules("tic_tac_toe"), even, lambda state: state.legal_actions()[0], 10, 200)
    firsts = [state.returns()[0] for state in states]
    assert results.tolist() == [first if game % 2 == 0 else -first for game, first in enumerate(firsts)]
    assert results.min() == 1


def test_a_game_without_end_is_called_a_draw(monkeypatch):
    monkeypatch.setattr("glassgrad.recipes.rules.LONGEST", 6)
    states, results = match(Rules("connect_four"), even, lambda state: state.legal_actions()[0], 2, 2)
    assert [state.move_number() for state in states] == [6, 6] and results.tolist() == [0, 0]
