"""Environments by name and from a user's file, and what their physics may do."""

import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("orbax.checkpoint")
pytest.importorskip("tensorboard")

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.online import environments, presets
from goalward.bench.online.settings import OnlineSettings
from goalward.bench.online.train import Run
from goalward.nets.swish_policy import SwishGaussianPolicy
from goalward.protocol import GoalEnvironment
from goalward.training.online import Rounds, fresh_states

GUIDE = Path(__file__).parents[3] / "notebooks" / "5_scale_and_benchmarks" / "online.md"
EXAMPLE = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)[1]
TINY = {"envs": 2, "unroll": 10, "updates": 1, "batch": 4, "width": 4, "depth": 1, "capacity": 40}


@pytest.fixture
def slider(tmp_path: Path) -> Path:
    path = tmp_path / "slider.py"
    path.write_text(EXAMPLE)
    return path


class Bar:
    """In place of tqdm's."""

    n = initial = 0

    def reset(self, total: int) -> None:
        """Begin."""

    def update(self, n: int) -> None:
        """Go on."""

    def set_postfix(self, told: dict[str, str]) -> None:
        """Say something."""


def test_the_point_maze_is_the_chapters() -> None:
    maze = environments.make("point-maze")
    assert isinstance(maze, GoalEnvironment)
    assert maze.grid.states == 22
    assert maze == environments.make("point-maze")
    starts = jax.vmap(maze.reset)(jax.random.split(jax.random.key(0), 50)).observation
    assert np.array_equal(np.round(starts), np.tile([4, 0], (50, 1)))


def test_the_guides_example_runs(slider: Path, tmp_path: Path) -> None:
    assert len(EXAMPLE.splitlines()) < 50
    settings = OnlineSettings("contrastive_rl", f"{slider}:Slider", 40, eval_episodes=2, **TINY)
    run = Run(settings, tmp_path / "run", print)
    run.go(Bar())
    assert run.measured["success_any"].shape == (1,)
    # The same file again is the same run; another one is not.
    Run(settings, tmp_path / "run", print).go(Bar())
    slider.write_text(EXAMPLE.replace("0.05", "0.06"))
    with pytest.raises(Mendable, match="holds another run"):
        Run(settings, tmp_path / "run", print).go(Bar())


def test_an_environment_that_is_made_already(slider: Path) -> None:
    slider.write_text(EXAMPLE + "\n\nmine = Slider()\n")
    assert environments.make(f"{slider}:mine").horizon == 50


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    goal_entries = (0,)\n", "", "lacks goal_entries: it has no goal"),
        ("goal_entries = (0,)", "goal_entries = ()", "has no goal: its goal_entries ()"),
        ("goal_entries = (0,)", "goal_entries = (2,)", "must name some of the 2 entries"),
        ("    reach = 0.1\n", "", "lacks reach"),
        ("def reset", "def restart", "lacks reset"),
        ("(frozen=True)", "", "is not hashable: make it a frozen dataclass"),
        ("    truncated: jax.Array\n", "", "cannot be traced by JAX"),
        ("success: jax.Array", "reached: jax.Array", "the states of .* lack success"),
        ("(1,), minval", "(2,), minval", "goal has the shape (2,), not (1,)"),
        ("observation_size = 2", "observation_size = 3", "observation has the shape (2,), not"),
        ("state.time + 1)", "state.time + 1.0)", "other shapes or types after a step"),
    ],
)
def test_what_a_file_lacks_is_one_line(old: str, new: str, told: str, slider: Path) -> None:
    assert old in EXAMPLE
    slider.write_text(EXAMPLE.replace(old, new))
    with pytest.raises(Unknown) as error:
        environments.make(f"{slider}:Slider")
    assert re.search(told if ".*" in told else re.escape(told), str(error.value))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_fails(slider: Path, tmp_path: Path) -> None:
    with pytest.raises(Mendable, match="there is no file"):
        environments.make(f"{tmp_path / 'no.py'}:Slider")
    with pytest.raises(Unknown, match="nothing called 'Slidr': did you mean Slider"):
        environments.make(f"{slider}:Slidr")
    slider.write_text("import nothing_of_this_name")
    with pytest.raises(Mendable, match="cannot be run: ModuleNotFoundError: No module named"):
        environments.make(f"{slider}:Slider")


def test_unknown_names_offer_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco.mjx")
    with pytest.raises(Unknown, match="did you mean reacher"):
        environments.make("reachr")
    with pytest.raises(Unknown, match="did you mean point-maze"):
        environments.make("point_maze")
    with pytest.raises(Unknown, match="did you mean 'native'"):
        environments.make("reacher", "nativ")
    asked = OnlineSettings("contrastive_rl", "point-maze", 100)
    for field, wrong, near in (
        ("method", "contrastive-rl", "contrastive_rl"),
        ("energy", "dott", "dot"),
        ("loss", "foward", "forward"),
    ):
        with pytest.raises(Unknown, match=f"no {field} is called .* did you mean {near}"):
            presets.check(OnlineSettings(**{**vars(asked), field: wrong}))
    with pytest.raises(Unknown, match="sac_her has no energy: leave out --energy"):
        presets.check(OnlineSettings("sac_her", "point-maze", 100, energy="dot"))
    with pytest.raises(Unknown, match="--batch is at least 2"):
        presets.check(OnlineSettings("contrastive_rl", "point-maze", 100, batch=1))


def test_without_mujoco_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("goalward.envs.bodies", raising=False)
    monkeypatch.setitem(sys.modules, "goalward.envs.bodies", None)
    with pytest.raises(Mendable, match="run `make setup-online`"):
        environments.make("reacher")
    environments.make("point-maze")


BREAKING = """
    def step(self, state, action, key):
        place, speed = state.observation
        place = jnp.where({when}, jnp.nan, place)
"""


@pytest.mark.parametrize("often", [True, False])
def test_physics_that_fail_are_counted_and_stop_a_run(
    often: bool, slider: Path, tmp_path: Path
) -> None:
    before = EXAMPLE[EXAMPLE.index("\n    def step") : EXAMPLE.index("        speed = 0.9")]
    when = "state.time > 1" if often else "state.goal[0] > 0.85"
    slider.write_text(EXAMPLE.replace(before, BREAKING.format(when=when)))
    said: list[str] = []
    settings = OnlineSettings("contrastive_rl", f"{slider}:Slider", 80, eval_episodes=2, **TINY)
    run = Run(settings, tmp_path / "run", said.append)
    if often:
        with pytest.raises(Mendable) as error:
            run.go(Bar())
        assert re.search(
            r"the physics failed \(NaN\) in \d+ of \d+ steps up to step \d+, more than 0.1%; "
            r"environment [01] of seed 0 was one",
            str(error.value),
        )
    else:
        run.go(Bar())
    told = [
        float(n)
        for n in re.findall(r'"broken": \[(\d+)\]', (run.out / "metrics.jsonl").read_text())
    ]
    assert told == sorted(told)
    assert (told[-1] > 10) == often


@pytest.mark.parametrize("method", presets.METHODS)
@pytest.mark.parametrize("depth", [1, 3])
def test_every_method_has_networks_of_the_asked_size(method: str, depth: int) -> None:
    maze = environments.make("point-maze")
    settings = OnlineSettings(method, "point-maze", 100, width=24, depth=depth)
    agent = presets.agent(settings, maze)
    assert agent == presets.agent(settings, maze)
    assert hash(agent) == hash(presets.agent(settings, maze))
    assert isinstance(agent.actor, SwishGaussianPolicy)
    deviations = np.exp(agent.actor.log_std_range)
    np.testing.assert_allclose(deviations, 0.2 if method == "td3_her" else np.exp([-5, 2]))
    sizes = Rounds(envs=2, unroll=4, updates=1, capacity=16)
    learner = jax.eval_shape(
        lambda key: fresh_states(agent, maze, sizes, key).learner, jax.random.key(0)
    )
    for part in ("actor", "critic"):
        leaves = jax.tree.leaves(learner.params[part])
        hidden = [leaf for leaf in leaves if leaf.shape[-2:] == (24, 24)]
        assert len(hidden) % (depth - 1 or 1) == 0
        assert (len(hidden) > 0) == (depth > 1)
