"""JaxGCRL's contrastive RL at work: `python -m` of this file in the Python that has its packages.

It is told in JSON what to do and answers in lines of JSON: one when it is ready, then one an
order. To train, its own `train_fn` runs, without evaluations; each order is an epoch of it, whose
seconds are its own count. `{"snapshot": file}` writes parameters, moments, a relabelled batch, the
losses, their gradients, what the step adds and the parameters after it to an npz file; for that
there is no environment, only streams of random numbers.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from goalward.bench.official.online.worlds import NEEDS, prepare, world

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "brax", "mujoco", "mujoco-mjx", "jaxgcrl")
EPOCHS = 100_000
"""More than anyone asks for: the process is ended from outside."""

Say = Callable[[dict[str, Any]], Any]


def serve(asked: dict[str, Any], say: Say, orders: Iterable[str]) -> None:
    """Make the agent, then do as each order says."""
    try:
        prepare(asked["official"])
        crl = import_module("jaxgcrl.agents.crl.crl")
    except ModuleNotFoundError as error:
        lacking = [name for name in NEEDS if find_spec(name) is None]
        say({"missing": lacking or [error.name]})
        return
    (_parity if asked["parity"] else _train)(asked, crl, say, iter(orders))


def about() -> dict[str, Any]:
    """The device and the versions of this process."""
    device = import_module("jax").devices()[0]
    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"device": f"{device.platform} ({device.device_kind})", "versions": versions}


def _train(asked: dict[str, Any], crl: Any, say: Say, orders: Iterator[str]) -> None:
    class NoEvaluation:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def run_evaluation(self, state: Any, metrics: Any) -> Any:
            return metrics

    crl.ActorEvaluator = NoEvaluation
    agent = crl.CRL(**asked["config"], unroll_length=asked["unroll"])
    per_epoch = asked["rounds"] * asked["envs"] * asked["unroll"]
    env, begun, warm = world(asked["env"]), time.perf_counter(), False

    def progress(step: int, metrics: dict[str, Any], *_: Any, **__: Any) -> None:
        nonlocal warm
        seconds = per_epoch / metrics["training/sps"]
        first = {**about(), "first": time.perf_counter() - begun}
        say({"seconds": seconds} if warm else first)
        warm = True
        if next(orders, None) is None:
            raise EOFError

    config = SimpleNamespace(
        seed=asked["seed"],
        num_envs=asked["envs"],
        num_eval_envs=1,
        episode_length=asked["episode"],
        action_repeat=1,
        num_evals=EPOCHS,
        total_env_steps=agent.min_replay_size * asked["envs"] + EPOCHS * per_epoch,
        visualization_interval=EPOCHS,
        checkpoint_logdir=None,
    )
    try:
        agent.train_fn(config=config, train_env=env, eval_env=env, progress_fn=progress)
    except EOFError:  # nobody orders any more
        return


def _parity(asked: dict[str, Any], crl: Any, say: Say, orders: Iterator[str]) -> None:
    jax, jnp, np = (import_module(name) for name in ("jax", "jax.numpy", "numpy"))
    optax = import_module("optax")
    losses, networks = (import_module(f"jaxgcrl.agents.crl.{m}") for m in ("losses", "networks"))
    agent, observed, action = crl.CRL(**asked["config"]), asked["observation"], asked["action"]
    entries = tuple(asked["goal_entries"])
    shared = {
        "network_width": agent.h_dim,
        "network_depth": agent.n_hidden,
        "skip_connections": agent.skip_connections,
        "use_relu": agent.use_relu,
    }
    tower = networks.Encoder(repr_dim=agent.repr_dim, use_ln=agent.use_ln, **shared)
    nets = {
        "actor": networks.Actor(action_size=action, **shared),
        "sa_encoder": tower,
        "g_encoder": tower,
    }
    told = vars(agent) | {
        "state_size": observed,
        "goal_indices": np.asarray(entries),
        "target_entropy": -0.5 * action,
    }
    keys = jax.random.split(jax.random.PRNGKey(asked["seed"]), 8)
    whole = observed + len(entries)
    params = {
        "actor": nets["actor"].init(keys[0], np.ones((1, whole))),
        "critic": {
            "sa_encoder": tower.init(keys[1], np.ones((1, observed + action))),
            "g_encoder": tower.init(keys[2], np.ones((1, len(entries)))),
        },
        "alpha": {"log_alpha": jnp.zeros(())},
    }

    adam = optax.adam(agent.policy_lr)
    parts = {
        f"{name}_state": crl.TrainState.create(apply_fn=None, params=part, tx=adam)
        for name, part in params.items()
    }
    state = crl.TrainingState(env_steps=jnp.zeros(()), gradient_steps=jnp.zeros(()), **parts)

    def step(state: Any, batch: Any, key: Any) -> Any:
        state, actor = losses.update_actor_and_alpha(told, nets, batch, state, key)
        state, critic = losses.update_critic(told, nets, batch, state, key)
        return state, (actor["actor_loss"], actor["alpha_loss"], critic["critic_loss"])

    # Streams of random numbers, two episodes in each, relabelled by their own table of pairs.
    length, streams = 101, -(-agent.batch_size * (asked["updates"] + 1) // 100)
    draws = jax.random.normal(keys[3], (streams, length, whole))
    episode = jnp.broadcast_to((jnp.arange(length) > length // 2).astype(float), (streams, length))
    none = jnp.zeros((streams, length))
    rows = jax.vmap(crl.flatten_batch, in_axes=(None, 0, 0))(
        (agent.discounting, observed, entries),
        crl.Transition(
            observation=draws,
            action=jnp.tanh(jax.random.normal(keys[4], (streams, length, action))),
            reward=none,
            discount=none,
            extras={"state_extras": {"truncation": none, "traj_id": episode}},
        ),
        jax.random.split(keys[5], streams),
    )
    mixed = jax.random.permutation(keys[6], streams * (length - 1))
    rows = jax.tree.map(lambda x: x.reshape((-1, *x.shape[2:]))[mixed], rows)

    def batch(number: int) -> Any:
        begin = number * agent.batch_size
        return jax.tree.map(lambda x: x[begin : begin + agent.batch_size], rows)

    jitted = jax.jit(step)
    for number in range(asked["updates"]):
        state, _ = jitted(state, batch(number), jax.random.fold_in(keys[7], number))
    say(about())
    names = ("actor", "critic", "alpha")
    params = {name: getattr(state, f"{name}_state").params for name in names}
    moments = {name: getattr(state, f"{name}_state").opt_state[0] for name in names}

    def noted(gradient: Any, before: Any, params: Any = None) -> Any:
        added, now = adam.update(gradient, before["adam"], params)
        return added, {"adam": now, "gradient": gradient, "added": added}

    watching = optax.GradientTransformation(adam.init, noted)
    for name in names:
        held = getattr(state, f"{name}_state")
        # Of the same form before and after.
        begin = {"adam": held.opt_state, "gradient": held.params, "added": held.params}
        state = state.replace(**{f"{name}_state": held.replace(tx=watching, opt_state=begin)})
    seen = batch(asked["updates"])
    key = jax.random.split(jax.random.PRNGKey(asked["seed"]))[1]
    after, told_losses = jitted(state, seen, key)
    ended = {name: getattr(after, f"{name}_state") for name in names}
    parts = {
        "params": params,
        "mu": {n: moments[n].mu for n in names},
        "nu": {n: moments[n].nu for n in names},
        "gradient": {n: ended[n].opt_state["gradient"] for n in names},
        "added": {n: ended[n].opt_state["added"] for n in names},
        "after": {n: ended[n].params for n in names},
        "batch": {
            "state": seen.observation[:, :observed],
            "action": seen.action,
            "goal": seen.observation[:, observed:],
        },
        "loss": sum(told_losses),
        "count": moments["actor"].count,
    }
    for line in orders:
        path = json.loads(line)["snapshot"]
        flat = jax.tree_util.tree_flatten_with_path(parts)[0]
        names_ = ["/".join(str(getattr(at, "key", at)) for at in where) for where, _ in flat]
        np.savez(path, **dict(zip(names_, (np.asarray(leaf) for _, leaf in flat), strict=True)))
        say({"written": path})


def main(serve: Callable[[dict[str, Any], Say, Iterable[str]], None]) -> None:
    """Serve on standard input and output; what others print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(
        json.loads(sys.argv[1]),
        lambda answer: print(json.dumps(answer), file=answers, flush=True),
        sys.stdin,
    )


if __name__ == "__main__":
    main(serve)
