"""Right actions, on a corridor where every answer is known."""

import numpy as np

from goalward.evaluation.actions import strictly_right
from goalward.tabular.grid import Grid


def test_an_action_is_right_if_it_alone_looks_best_and_leads_on():
    corridor = Grid.open(1, 4)
    D, after = corridor.distances, corridor.next_state
    exact = strictly_right(D, after, D)
    assert exact[~np.eye(4, dtype=bool)].all()
    assert not exact.diagonal().any()  # staying ties with the walls above and below
    assert not strictly_right(np.zeros((4, 4)), after, D).any()
    assert not strictly_right(-D, after, D).any()
    lured = D.copy()
    lured[1, 3] = 5.0  # from 0 the way on looks long, so that staying wins, and ties
    lured[0, 3] = 6.0
    assert strictly_right(lured, after, D)[0, 3]
    lured[0, 3] = 4.0
    assert not strictly_right(lured, after, D)[0, 3]
