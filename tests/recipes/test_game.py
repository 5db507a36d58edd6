"""The game recipe: rules, players and games, against what is known of games without any learning."""

import builtins
import functools
import signal

import numpy as np
import pytest
from typer.testing import CliRunner

import glassgrad as gg
from glassgrad.cli import app
from glassgrad.errors import ArgumentError
from glassgrad.recipes import game as recipe
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
