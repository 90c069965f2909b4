"""The visible checks accept right answers in several styles and name what is wrong in others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.course.checks import horizon_generalization as checks
from goalward.tabular import paths


def relax_in_jax(d):
    return jnp.min(jnp.asarray(d)[:, :, None] + jnp.asarray(d)[None], axis=1)


def success_in_numpy(policy, next_state, horizon):
    value = np.eye(len(next_state))
    for _ in range(horizon):
        value = np.einsum("sga,sag->sg", policy, value[next_state])
        np.fill_diagonal(value, 1)
    return value


def success_in_jax(policy, next_state, horizon):
    eye = jnp.eye(len(next_state))

    def step(value, _):
        value = jnp.einsum("sga,sag->sg", policy, value[next_state])
        return jnp.maximum(value, eye), None

    return jax.lax.scan(step, eye, None, length=horizon)[0]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.path_relax, lambda d: paths.min_plus(d, d)),
        (checks.path_relax, relax_in_jax),
        (checks.exact_success, paths.success_within),
        (checks.exact_success, success_in_numpy),
        (checks.exact_success, success_in_jax),
        (checks.reach, lambda eta: 1 + eta / (1 - 2 * eta) if eta < 0.5 else np.inf),
        (checks.reach, lambda eta: jnp.where(eta < 0.5, 1 + eta / jnp.abs(1 - 2 * eta), jnp.inf)),
        (checks.hitting_times, lambda states, n: paths.mc_hitting_times(states, n)[0]),
    ],
)
def test_right_answers_pass(check, answer):
    with np.errstate(all="ignore"):
        check(answer)


def no_absorption(policy, next_state, horizon):
    value = np.eye(len(next_state))
    for _ in range(horizon):
        value = np.einsum("sga,sag->sg", policy, value[next_state])
    np.fill_diagonal(value, 1)
    return value


def in_place(d):
    d[:] = np.min(d[:, :, None] + d[None], axis=1)
    return d


def counted(states, n, first=True, every_start=True, forwards=True):
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for walk in states if forwards else states[:, ::-1]:
        for t, s in enumerate(walk):
            if not every_start and s in walk[:t]:
                continue
            for g in range(n):
                later = [u for u in range(t, len(walk)) if walk[u] == g]
                for u in later[:1] if first else later:
                    total[s, g] += u - t
                    count[s, g] += 1
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / count, np.inf)
    np.fill_diagonal(mean, 0)
    return mean


@pytest.mark.parametrize(
    ("check", "answer", "says"),
    [
        (checks.path_relax, paths.floyd_warshall, "more than once"),
        (checks.path_relax, lambda d: d, "minimum over waypoints"),
        (checks.path_relax, lambda d: paths.min_plus(d, d.T), "got longer|minimum over waypoints"),
        (checks.path_relax, lambda d: paths.min_plus(d, d).T, "got longer|minimum over waypoints"),
        (checks.path_relax, lambda d: d @ d, "NaN|got longer"),
        (checks.path_relax, in_place, "copy"),
        (checks.path_relax, lambda d: d[0], "shape"),
        (checks.exact_success, no_absorption, "having been there"),
        (checks.exact_success, lambda p, f, h: success_in_numpy(p, f, h).T, "swapped"),
        (checks.exact_success, lambda p, f, h: success_in_numpy(p, f, h + 1), "differs"),
        (checks.exact_success, lambda p, f, h: np.zeros((5, 5)), "success is 1"),
        (checks.reach, lambda eta: 1 + eta / (1 - 2 * eta) if eta != 0.5 else np.inf, "infinite"),
        (checks.reach, lambda eta: 1 / (1 - 2 * eta) if eta < 0.5 else np.inf, "from k = 1"),
        (checks.hitting_times, lambda s, n: counted(s, n, first=False), "first later visit"),
        (checks.hitting_times, lambda s, n: counted(s, n, every_start=False), "every visit"),
        (checks.hitting_times, lambda s, n: counted(s, n, forwards=False), "forwards"),
        (checks.hitting_times, lambda s, n: counted(s, n) + np.eye(n), "diagonal"),
        (checks.hitting_times, lambda s, n: np.nan_to_num(counted(s, n), posinf=0), "forwards"),
    ],
)
def test_wrong_answers_are_named(check, answer, says):
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=says):
        check(answer)
