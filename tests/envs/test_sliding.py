"""The eight-tile puzzle against its known counts and a search of its own."""

from collections import deque

import numpy as np

from goalward.envs import sliding


def by_hand(board):
    """The boards one slide away, as tuples."""
    blank = board.index(0)
    row, column = divmod(blank, 3)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        y, x = row + down, column + right
        if 0 <= y < 3 and 0 <= x < 3:
            moved = list(board)
            moved[blank], moved[3 * y + x] = moved[3 * y + x], 0
            yield tuple(moved)
        else:
            yield None


def test_the_solved_board_is_first_and_half_of_all_orders_can_be_solved():
    boards = sliding.boards()
    assert len(boards) == 181_440
    np.testing.assert_array_equal(boards[0], np.arange(9))


def test_successors_slide_one_tile():
    boards, ways = sliding.boards(), sliding.successors()
    for number in np.random.default_rng(0).integers(len(boards), size=200):
        board = tuple(boards[number].tolist())
        after = [None if n < 0 else tuple(boards[n].tolist()) for n in ways[number]]
        assert after == list(by_hand(board))


def test_distances_are_those_of_a_search_by_hand_and_have_the_known_counts():
    boards, distances = sliding.boards(), sliding.distances()
    counts = np.bincount(distances)
    # The published counts of boards by moves from a solved board with its blank in a corner.
    np.testing.assert_array_equal(counts[:8], [1, 2, 4, 8, 16, 20, 39, 62])
    np.testing.assert_array_equal(counts[-2:], [221, 2])
    assert len(counts) == 32
    seen, queue = {tuple(range(9)): 0}, deque([tuple(range(9))])
    while queue and len(seen) < 3000:
        board = queue.popleft()
        for after in by_hand(board):
            if after is not None and after not in seen:
                seen[after] = seen[board] + 1
                queue.append(after)
    number = {tuple(b): i for i, b in enumerate(boards.tolist())}
    assert all(distances[number[board]] == d for board, d in seen.items())


def test_manhattan_counts_rows_and_columns_and_never_more_than_the_distance():
    boards, got = sliding.boards(), sliding.manhattan()
    for number in np.random.default_rng(1).integers(len(boards), size=200):
        total = 0
        for square, tile in enumerate(boards[number].tolist()):
            if tile:
                total += abs(square // 3 - tile // 3) + abs(square % 3 - tile % 3)
        assert got[number] == total
    assert (got <= sliding.distances()).all()


def test_boards_are_seen_as_one_tile_a_square():
    seen = sliding.observe(np.array([[0, 5], [7, 100]]))
    assert seen.shape == (2, 2, 81)
    tiles = seen.reshape(2, 2, 9, 9).argmax(-1)
    np.testing.assert_array_equal(tiles, sliding.boards()[[[0, 5], [7, 100]]])
    assert (seen.sum(-1) == 9).all()


def test_scrambles_end_solved_and_never_step_back():
    walks = sliding.scrambles(np.random.default_rng(2), 500, 20)
    assert walks.shape == (500, 21)
    assert (walks[:, -1] == 0).all()
    assert (walks[:, 0] != 0).all()
    ways, distances = sliding.successors(), sliding.distances()
    assert (ways[walks[:, :-1]] == walks[:, 1:, None]).any(-1).all()
    assert (walks[:, 2:] != walks[:, :-2]).all()
    assert (distances[walks] <= np.arange(20, -1, -1)).all()
    first = np.bincount(np.searchsorted(np.unique(walks[:, -2]), walks[:, -2]))
    np.testing.assert_allclose(first / 500, 0.5, atol=0.08)
