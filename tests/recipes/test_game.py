"""The game recipe: rules, search, self-play and matches, against what is known of games without any learning."""

import builtins
import functools
import signal
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

import glassgrad as gg
from glassgrad.cli import app
from glassgrad.errors import ArgumentError
from glassgrad.recipes import game as recipe
from glassgrad.recipes import search as searching
from glassgrad.recipes.page import Page
from glassgrad.recipes.player import Player, play_in_terminal
from glassgrad.recipes.rules import Perfect, Rules, opponent, padded
from glassgrad.recipes.search import Search, match, self_play


def even(seen, moves):
    """A net that knows nothing: all legal moves alike, every position even."""
    legal = (moves >= 0).astype(np.float32)
    return legal / legal.sum(1, keepdims=True), np.zeros(len(moves), np.float32)


def noisy(seed):
    """A net that says anything."""
    random = np.random.default_rng(seed)

    def judge(seen, moves):
        chances = np.where(moves >= 0, random.random(moves.shape), 0).astype(np.float32)
        return chances / chances.sum(1, keepdims=True), random.uniform(-1, 1, len(moves)).astype(np.float32)

    return judge


def at(search, game, moves):
    """Play these moves of OpenSpiel's in a game of a search."""
    for move in moves:
        search.advance([game], [search.legal(game).index(move)])


def random_games(rules, count, left, random):
    """Move lists of unfinished games, of which at most so many moves are left."""
    lists = []
    while len(lists) < count:
        state = rules.game.new_initial_state()
        length = rules.game.max_game_length() - random.integers(2, left, endpoint=True)
        while not state.is_terminal() and state.move_number() < length:
            state.apply_action(int(random.choice(state.legal_actions())))
        if not state.is_terminal():
            lists.append(state.history())
    return lists


def state_after(rules, moves):
    state = rules.game.new_initial_state()
    for move in moves:
        state.apply_action(move)
    return state


# -- the perfect player -----------------------------------------------------------------------------------------------


def test_tic_tac_toe_is_a_draw_and_has_its_known_number_of_positions():
    perfect = Perfect(Rules("tic_tac_toe"), np.random.default_rng(0))
    assert perfect.value(perfect.rules.game.new_initial_state()) == 0
    assert len(perfect.known) == 5478 - 958  # all positions but those where the game is over


@pytest.mark.parametrize(("piles", "wins"), [("1;2;3", -1), ("1;2;4", 1), ("3;3", -1), ("2;3", 1), ("1;1;2;2", -1)])
def test_nim_is_won_by_the_first_player_unless_the_piles_nim_sum_is_zero(piles, wins):
    rules = Rules(f"nim(is_misere=False,pile_sizes={piles})")  # Bouton 1901
    assert Perfect(rules, np.random.default_rng(0)).value(rules.game.new_initial_state()) == wins
    search = Search(rules, even, 1)
    for _ in range(3000):
        search.simulate(np.arange(1))
    root = search.roots[0]
    assert np.sign(search.Q[root, search.N[root].argmax()]) == wins


def test_a_perfect_player_is_never_beaten_and_plays_different_games():
    rules = Rules("tic_tac_toe")
    name, perfect = opponent(rules, 0)
    assert name == "a perfect player"
    for judge in (even, noisy(1)):
        states, results = match(rules, judge, perfect, 60, 1)
        assert results.max() <= 0 and results.min() == -1
        assert len({tuple(state.history()) for state in states}) > 20


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


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("soup", "no game 'soup'"),
        ("", "no game ''"),
        ("catch", "number of players is 1"),
        ("backgammon", "chance mode is EXPLICIT_STOCHASTIC"),
        ("kuhn_poker", "chance mode"),
        ("dark_chess", "information is IMPERFECT_INFORMATION"),
        ("matrix_pd", "dynamics is SIMULTANEOUS"),
        ("matching_pennies_3p", "number of players is 3"),
        ("tiny_hanabi", "chance mode"),
        ("go(board_size=5", "refuses"),
        ("go(size=5)", "refuses"),
        ("chinese_checkers(players=3)", "number of players is 3"),
    ],
)
def test_what_is_no_such_game_is_refused_with_the_reason(name, says):
    with pytest.raises(ArgumentError) as caught:
        Rules(name)
    assert says in str(caught.value)
    assert "tic_tac_toe" in str(caught.value) or "refuses" in says


def test_the_command_refuses_it_as_well(tmp_path):
    told = CliRunner().invoke(app, ["recipe", "game", "soup", "--html", str(tmp_path / "page.html")])
    assert told.exit_code == 1
    assert "soup" in told.output and "connect_four" in told.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "count"),
    [("tic_tac_toe", 8), ("connect_four", 2), ("go(board_size=5)", 8), ("othello", 4), ("chess", 1),
     ("breakthrough", 1), ("nim", 1), ("connect_four(rows=7,columns=7)", 2)],
)  # fmt: skip
def test_symmetries_are_those_of_the_rules(name, count):
    rules = Rules(name)
    found = rules.symmetries(np.random.default_rng(0))
    assert len(found) == count
    marked = np.random.default_rng(1).random(rules.shape)
    assert len({turn(marked).tobytes() for turn, _ in found}) == count
    for _, to in found:
        assert to[-1] == -1 and sorted(to[:-1]) == list(range(rules.actions))


def test_connect_fours_symmetry_is_its_mirror():
    (_, same), (turn, to) = Rules("connect_four").symmetries(np.random.default_rng(0))
    assert same[:-1].tolist() == [0, 1, 2, 3, 4, 5, 6] and to[:-1].tolist() == [6, 5, 4, 3, 2, 1, 0]
    planes = np.arange(4 * 6 * 7).reshape(4, 6, 7)
    assert np.array_equal(turn(planes), planes[..., ::-1])


def test_an_observation_says_who_moves():
    rules = Rules("tic_tac_toe")
    seen = rules.observe([state_after(rules, [0]), state_after(rules, [0, 4])])
    assert seen.shape == (2, 4, 3, 3)
    assert seen[:, 3].mean((1, 2)).tolist() == [1, 0]
    flat = Rules("nim")
    assert flat.observe([state_after(flat, [0])]).shape == (1, *flat.shape)


def test_padded_rows():
    assert padded([[1, 2], []], 3, -1, int).tolist() == [[1, 2, -1], [-1, -1, -1]]
    assert padded([], 3, 0, int).shape == (0, 3)


@pytest.mark.parametrize(
    ("name", "played", "board", "square"),
    [
        ("tic_tac_toe", [0, 4], "x..|.o.|...", (2, 2)),
        ("connect_four", [3, 3], ".......|.......|.......|.......|...o...|...x...", (5, 6)),
        ("go(board_size=3)", [0, 4], "+++|+O+|X++", (0, 2)),
        ("othello", [], "--------|--------|--------|---ox---|---xo---|--------|--------|--------", (5, 4)),
        ("chess", [], "rnbqkbnr|pppppppp|........|........|........|........|PPPPPPPP|RNBQKBNR", (5, 7)),
    ],
)
def test_boards_are_read_from_what_openspiel_prints_and_show_where_moves_lead(name, played, board, square):
    rules = Rules(name)
    state = state_after(rules, played)
    assert ["".join(row) for row in rules.cells(state)] == board.split("|")
    moves = state.legal_actions()
    last = {"go(board_size=3)": -2, "chess": -3}.get(name, -1)  # beside the pass; a knight's move
    shares = np.eye(len(moves))[last]
    if name == "chess":
        last = [state.action_to_string(0, move) for move in moves].index("Nh3")
        shares = np.eye(len(moves))[last]
    assert np.argwhere(rules.squares(state, shares)).tolist() == [list(square)]


@pytest.mark.parametrize("name", ["go(board_size=9)", "go", "othello", "breakthrough", "checkers", "shogi", "xiangqi"])
def test_boards_have_their_size_whatever_is_written_around_them(name):
    rules = Rules(name)
    board = rules.cells(rules.game.new_initial_state())
    assert board is not None and board.shape == rules.shape[1:]


def test_what_is_no_grid_has_no_board():
    assert Rules("nim").cells(Rules("nim").game.new_initial_state()) is None
    rules = Rules("dots_and_boxes")
    assert rules.cells(rules.game.new_initial_state()) is None


# -- the player -------------------------------------------------------------------------------------------------------


@pytest.fixture
def player():
    gg.manual_seed(0)
    return Player(Rules("tic_tac_toe"), 8, 1)


def test_a_judgement_is_the_nets_and_is_remembered_until_it_learns(player):
    rules = player.rules
    states = [state_after(rules, moves) for moves in ([], [4], [4, 0], [4])]
    seen, legal = rules.observe(states), padded([state.legal_actions() for state in states], 9, -1, int)
    chances, values = player.judge(seen, legal)
    with gg.no_grad():
        logs, value = player.net(gg.from_numpy(seen), gg.from_numpy(legal))
    assert chances == pytest.approx(logs.exp().numpy(), abs=1e-5) and values == pytest.approx(value.numpy(), abs=1e-5)
    assert chances.sum(1) == pytest.approx(np.ones(4), abs=1e-5) and (chances[legal < 0] == 0).all()
    assert len(player.said) == 3
    samples = [(seen[0].astype(np.float16), list(range(9)), np.eye(9, dtype=np.float32)[4], 1.0)] * 32
    for _ in range(60):
        player.study(samples, (lambda planes: planes, np.roll(np.arange(-1, 9), -1)))
    assert not player.said and not player.net.training
    chances, values = player.judge(seen, legal)
    assert chances[0].argmax() == 4 and chances[0, 4] > 0.5 and values[0] > 0.5


def test_symmetric_positions_are_learned_together(player):
    """What is learned of one corner by all turns of the board is known of the others."""
    random = np.random.default_rng(0)
    symmetries = player.rules.symmetries(random)
    seen = player.rules.observe([state_after(player.rules, [0])])
    sample = (
        seen[0].astype(np.float16),
        [1, 2, 3, 4, 5, 6, 7, 8],
        np.eye(8, dtype=np.float32)[7],
        -1.0,
    )  # the far corner
    for _ in range(200):
        player.study([sample] * 8, symmetries[random.integers(8)])
    for near, far in ((0, 8), (2, 6), (6, 2), (8, 0)):
        state = state_after(player.rules, [near])
        chances, values = player.judge(player.rules.observe([state]), padded([state.legal_actions()], 9, -1, int))
        assert state.legal_actions()[chances[0].argmax()] == far and values[0] < -0.5


@pytest.mark.parametrize("name", ["nim", "connect_four", "go(board_size=5)", "chess"])
def test_a_net_fits_any_game(name):
    player = Player(Rules(name), 4, 1)
    plays, games = self_play(player.rules, player.judge, 4, 4, np.random.default_rng(0)), []
    for _ in range(30 if name == "chess" else 400):
        games += next(plays)
    assert games or name == "chess"
    samples = [sample for game in games for sample in game][:16]
    if samples:
        losses = player.study(samples, player.rules.symmetries(np.random.default_rng(0))[-1])
        assert np.isfinite(losses).all()


def test_weights_come_back_and_only_for_their_game(player, tmp_path):
    file = tmp_path / "weights.safetensors"
    player.save(file)
    other = Player(Rules("tic_tac_toe"), 8, 1)
    other.load(file)
    seen = player.rules.observe([state_after(player.rules, [4])])
    legal = padded([[0, 1, 2, 3, 5, 6, 7, 8]], 9, -1, int)
    assert np.array_equal(player.judge(seen, legal)[0], other.judge(seen, legal)[0])
    with pytest.raises(ArgumentError, match=r"got:  a net for tic_tac_toe\(\)"):
        Player(Rules("connect_four"), 8, 1).load(file)
    gg.save([1], file)
    with pytest.raises(ArgumentError, match="a net for no game"):
        player.load(file)


# -- the terminal, Ctrl-C ---------------------------------------------------------------------------------------------


def typed(monkeypatch, *lines):
    left = list(lines)

    def answer(prompt=""):
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(builtins, "input", answer)
    return left


def test_a_game_is_played_in_the_terminal(player, monkeypatch, capsys):
    typed(
        monkeypatch, "soup", "", "x(1,1)", "x(1,1)", *[f"({row},{column})" for row in range(3) for column in range(3)]
    )
    last = play_in_terminal(player, 50, True)
    told = capsys.readouterr().out
    assert last.is_terminal() and last.history()[0] == 4
    assert "'soup' is no move here. Legal: x(0,0), x(0,1)" in told and "'x(1,1)' is no move here. Legal: " in told
    assert "the net alone:   " in told and "with the search: " in told and "it plays o(" in told
    result = last.returns()[0]
    assert told.strip().endswith("You have won." if result > 0 else "You have lost." if result < 0 else "A draw.")


def test_a_game_that_is_left_ends_where_it_is(player, monkeypatch, capsys):
    typed(monkeypatch, "(0,0)", "quit")
    assert play_in_terminal(player, 5, True).move_number() == 2
    typed(monkeypatch)
    assert play_in_terminal(player, 5, False).move_number() == 1  # it has begun; then the input ends
    assert "it plays x(" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("piles", "first", "told"), [("1;1;1", True, "won"), ("1;1;1", False, "lost"), ("1;1", False, "won")]
)
def test_who_won_is_said_to_whoever_sits_there(piles, first, told, monkeypatch, capsys):
    player = Player(Rules(f"nim(is_misere=False,pile_sizes={piles})"), 4, 1)
    names = [f"pile:{pile}, take:1;" for pile in (1, 2, 3)]
    monkeypatch.setattr(builtins, "input", lambda prompt: names.pop())
    play_in_terminal(player, 2, first)
    assert f"You have {told}." in capsys.readouterr().out


def test_saved_weights_are_played_against_without_learning(monkeypatch, tmp_path):
    file, html = tmp_path / "weights.safetensors", tmp_path / "page.html"
    Player(Rules("tic_tac_toe"), *recipe.NET).save(file)
    written = file.read_bytes()
    run = CliRunner().invoke(
        app,
        ["recipe", "game", "--weights", str(file), "--play", "--simulations", "5", "--html", str(html)],
        input="(1,1)\nquit\n",
    )
    assert run.exit_code == 0 and "you play x(1,1)" in run.output
    assert "x(1,1) o(" in html.read_text() and file.read_bytes() == written


def test_ctrl_c_stops_the_learning_and_leaves_weights_and_what_was_measured(player, tmp_path, capsys):
    asked = []

    def rival(state):
        asked.append(state)
        if len(asked) == 5:
            signal.raise_signal(signal.SIGINT)
        return state.legal_actions()[0]

    file = tmp_path / "weights.safetensors"
    measure = functools.partial(match, player.rules, player.judge, rival, 4)
    with Page("A game", None) as page:
        history = recipe.train(player, measure, page, file, 60.0, 10, 0, True)
    assert file.exists() and len(history.results) == 1 and not history.losses
    assert "Ctrl-C stopped it" in capsys.readouterr().out


def test_what_was_learned_is_saved_and_measured_along_the_way(player, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "SMALL", (8, 24, 8, 3))
    file = tmp_path / "weights.safetensors"
    measure = functools.partial(match, player.rules, player.judge, opponent(player.rules, 0)[1], 2)
    with Page("A game", None) as page:
        history = recipe.train(player, measure, page, file, 60.0, 10, 0, True)
    assert len(history.losses) == 3 and history.positions >= 72 and history.games > 8
    other = Player(player.rules, 8, 1)
    other.load(file)
    assert all(gg.equal(a, b) for a, b in zip(player.net.parameters(), other.net.parameters(), strict=True))
    assert 0 < history.looking < history.seconds
