"""OGBench's networks, goals and values in plain NumPy, double precision: a second opinion."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from goalward.data.goal_mixtures import ValueBatch


def random_batch(rows=9):
    """States of 3 entries and actions of 2, a third of them at their goal."""
    rng, at_goal = np.random.default_rng(0), np.arange(rows) % 3 == 0
    fields = {
        name: jnp.asarray(rng.normal(size=(rows, 2 if name == "action" else 3)), jnp.float32)
        for name in ("state", "action", "next_state", "next_goal", "goal", "actor_goal")
    }
    mask = jnp.asarray(~at_goal, jnp.float32)
    return ValueBatch(**fields, reward=-mask, mask=mask)


def random_state(agent, batch):
    """A state whose parameters and targets are all different; the step size is 1."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(agent.init, jax.random.key(0), batch)
    state = jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), x.dtype), shapes)
    return state.replace(step=jnp.array(0), learning_rate=jnp.array(1.0))


def plain_update(agent, state, batch):
    """One update by plain gradient descent: the metrics, the gradient, the state after it."""
    after, metrics = jax.jit(agent.update)(state, batch, jax.random.key(1))
    gradient = jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), state.params, after.params)
    return metrics, gradient, after


def double(params):
    """The same parameters as NumPy arrays of 64 bits."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


def member(params, k):
    """One network of an ensemble."""
    return jax.tree.map(lambda leaf: leaf[k], params)


def gelu(x):
    """Gaussian error linear unit, by the usual tanh approximation."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def dense(layer, x):
    """A linear layer."""
    return x @ layer["kernel"] + layer["bias"]


def normalized_mlp(params, *parts):
    """On the joined parts: dense, GELU, then layer normalisation; the last layer is linear."""
    x, layers = np.concatenate(parts, axis=-1), params["params"]
    count = sum(name.startswith("Dense") for name in layers)
    for i in range(count - 1):
        x = gelu(dense(layers[f"Dense_{i}"], x))
        norm = layers[f"LayerNorm_{i}"]
        centred = x - x.mean(axis=-1, keepdims=True)
        x = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6)
        x = x * norm["scale"] + norm["bias"]
    return dense(layers[f"Dense_{count - 1}"], x)


def goal_value(params, *parts):
    """A `GoalValue` of the joined parts."""
    return normalized_mlp({"params": params["params"]["NormalizedMLP_0"]}, *parts)[..., 0]


def policy_head(params, state, goal):
    """A plain policy's mean or logits."""
    x = np.concatenate([state, goal], axis=-1)
    layers = params["params"]["MLP_0"]
    for i in range(len(layers)):
        x = gelu(dense(layers[f"Dense_{i}"], x))
    return dense(params["params"]["Dense_0"], x)


def gaussian_log_prob(params, state, goal, action):
    """Log density of a Gaussian of deviation 1 about the policy's mean."""
    error = action - policy_head(params, state, goal)
    return np.sum(np.log(np.exp(-(error**2) / 2) / np.sqrt(2 * np.pi)), axis=-1)


def iqe_distance(x, y, components, mix):
    """The interval quasimetric of two vectors: lengths of unions, merged from left to right."""
    lengths = []
    for lows, highs in zip(np.split(x, components), np.split(y, components), strict=True):
        length, reached = 0.0, -np.inf
        for low, high in sorted(zip(lows, highs, strict=True)):
            length += max(0.0, high - max(low, reached))
            reached = max(reached, high)
        lengths.append(length)
    return mix * max(lengths) + (1 - mix) * np.mean(lengths)


def metric_distance(params, k, x, y, components, scaled=False):
    """The k-th copy of an `ActionMetric` from point to point, a tuple being state and action."""
    copy = member(params["critic"], k)["params"]

    def encode(point):
        parts, name = (point, "action") if isinstance(point, tuple) else ((point,), "state")
        return normalized_mlp({"params": copy[f"{name}_encoder"]}, *parts)

    a, b = encode(x), encode(y)
    total = 0.0
    for u, v in zip(np.split(a, components), np.split(b, components), strict=True):
        half = len(u) // 2
        total += max(0.0, (u - v)[:half].max()) + np.linalg.norm((u - v)[half:])
    return total / components / (np.sqrt(len(a)) if scaled else 1)


def linex_of(d, target, weight, beyond):
    """w e^(d - d') - d; d - d' itself where that is large."""
    return d - target if d - target > beyond else weight * np.exp(d - target) - d


def actor_by_hand(params, held, batch, bc, value):
    """DDPG+BC of `value(params, i, action)`, for the rows' mean actions under the policy."""
    n = len(batch.reward)
    q, size, cloning = 0.0, 0.0, 0.0
    for i in range(n):
        s, g = batch.state[i], batch.actor_goal[i]
        moving, fixed = (
            value(held, i, np.clip(policy_head(p["actor"], s, g), -1, 1)) for p in (params, held)
        )
        q, size = q + moving / n, size + abs(fixed) / n
        cloning += gaussian_log_prob(params["actor"], s, g, batch.action[i]) / n
    return -q / (size + 1e-6) - bc * cloning


def check_gradient(loss, params, gradient, names, rtol=1e-3):
    """Central differences of `loss(params, held)` in `params`, one group of parameters at a time.

    `held` stays what the parameters were: that is what stopping a gradient means.
    """
    held, rng = double(params), np.random.default_rng(0)
    for name in names:
        leaves, tree = jax.tree.flatten(held[name])
        direction = tree.unflatten([rng.normal(size=leaf.shape) for leaf in leaves])
        moved = [
            loss(
                held | {name: jax.tree.map(lambda x, v, h=h: x + h * v, held[name], direction)},
                held,
            )
            for h in (1e-6, -1e-6)
        ]
        slopes = jax.tree.map(lambda g, v: np.sum(g * v), double(gradient)[name], direction)
        slope = sum(jax.tree.leaves(slopes))
        np.testing.assert_allclose(slope, (moved[0] - moved[1]) / 2e-6, rtol=rtol, err_msg=name)


def check_target(before, after):
    """The target parameters came 0.005 of the way to the new parameters."""
    old, new, expected = map(double, (before.target_params, after.params, after.target_params))
    slow = jax.tree.map(lambda t, p: 0.995 * t + 0.005 * p, old, new)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), expected, slow)


def goal_table(terminals, mixture, gamma):
    """P(goal row | present row) of a goal mixture, from its definition."""
    ends, anchors = np.flatnonzero(terminals), np.flatnonzero(~terminals)
    table = np.zeros((len(terminals), len(terminals)))
    for now in anchors:
        end = ends[now < ends][0] - 1  # the last row of the trajectory that has an action
        table[now, now] += mixture.current
        table[now, anchors] += mixture.random / len(anchors)
        if mixture.geometric:
            for k in range(1, end - now):
                table[now, now + k] += mixture.trajectory * (1 - gamma) * gamma ** (k - 1)
            table[now, end] += mixture.trajectory * gamma ** max(end - now - 1, 0)
        else:
            low = min(now + 1, end)
            for row in range(low, end + 1):
                # the share of [low, end] that rounds to this row
                inside = min(row + 0.5, end) - max(row - 0.5, low)
                table[now, row] += mixture.trajectory * (inside / (end - low) if low < end else 1)
    return table


def expectile_of(x, weights, kappa):
    """The weighted expectile of some numbers, by repeating its weighted mean."""
    v = np.average(x, weights=weights)
    for _ in range(100):
        v = np.average(x, weights=weights * np.where(x >= v, kappa, 1 - kappa))
    return v


def implicit_values(states, actions, terminals, mixture, gamma, kappa, luck):
    """Where implicit V-learning (`luck`) or Q-learning ends up on recorded rows: V[s, g].

    Every present row with every goal row weighs by its probability. With luck, V is an expectile
    over what followed; without, over actions, of the mean over what followed each.
    """
    n = states.max() + 1
    table = goal_table(terminals, mixture, gamma)
    now, goal = np.nonzero(table)
    weight, success = table[now, goal], now == goal
    s, a, g, after = states[now], actions[now], states[goal], states[now + 1]
    V = np.zeros((n, n))
    while True:
        x = np.where(success, 0, gamma * V[after, g] - 1)
        if not luck:
            key = np.ravel_multi_index((s, a, g), (n, actions.max() + 1, n))
            x = (np.bincount(key, weight * x) / np.maximum(np.bincount(key, weight), 1e-12))[key]
        new = np.full((n, n), np.nan)
        for i, j in np.ndindex(n, n):
            rows = (s == i) & (g == j)
            if rows.any():
                new[i, j] = expectile_of(x[rows], weight[rows], kappa)
        if np.nanmax(np.abs(new - V)) < 1e-6:
            return new
        V = new
