"""The comparison with the official code, of which a tiny stand-in is written here."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
pytest.importorskip("orbax.checkpoint")
from goalward import cli
from goalward.bench.data.datasets import fingerprint
from goalward.bench.data.names import Unknown, parse
from goalward.bench.official import checkout as checkout_room
from goalward.bench.official import compare as room
from goalward.bench.official import reference as reference_room
from goalward.bench.official.checkout import commit
from goalward.bench.official.compare import Comparison, Row, race, stages, table
from goalward.bench.offline import presets
from goalward.bench.offline.evaluate import Arena
from goalward.bench.offline.presets import Options, learner
from goalward.bench.records.runs import by_method, load_runs
from goalward.bench.records.speeds import load_speeds

NAME = "pointmaze-medium-navigate-v0"

# What the driver uses of the official code, and a note of how it was used.
AGENTS = """
import json
from types import SimpleNamespace
import numpy as np

print("noise on standard output")

class Agent:
    def __init__(self, config, calls):
        self.config, self.calls = config, calls
        params = {"modules_actor": np.zeros((3, 4)), "modules_target_critic": np.zeros(99)}
        self.network = SimpleNamespace(params=params)

    @classmethod
    def create(cls, seed, observations, actions, config):
        assert observations.shape == actions.shape == (1, 2), observations.shape
        return cls(config, [seed])

    def update(self, batch):
        assert len(batch["observations"]) == self.config["batch_size"]
        if self.config["fails_at"] == len(self.calls):
            raise RuntimeError("the stand-in fails")
        after = Agent(self.config, [*self.calls, 1])
        told = {k: v for k, v in self.config.items() if k != "fails_at"}
        with open(self.config["notes"], "w") as file:
            json.dump({"calls": len(after.calls) - 1, "config": told}, file)
        return after, {"loss": np.float32(0)}

    def sample_actions(self, observations, goals, seed, temperature):
        assert temperature == 0 and observations.dtype == goals.dtype == np.float32
        return np.clip(goals - observations, -1, 1) * (len(self.calls) > 9)

agents = {"gcbc": Agent}
"""
SETTINGS = """
def get_config():
    return dict(
        batch_size=1, discount=0.5, actor_hidden_dims=(1,), actor_p_trajgoal=0.0, lr=0.0,
        notes={notes!r}, fails_at={fails_at}, dataset_class="HGCDataset",
    )
"""
DATASETS = """
import numpy as np

class Dataset(dict):
    @classmethod
    def create(cls, **fields):
        return cls(fields)

class HGCDataset:
    def __init__(self, dataset, config):
        self.dataset = dataset
        assert {{k: v.dtype for k, v in dataset.items()}} == dict.fromkeys(
            ("observations", "actions", "terminals", "valids"), np.float32
        )
        np.savez({seen!r}, **dataset)

    def sample(self, count):
        rows = np.random.randint(len(self.dataset["valids"]), size=count)
        return {{name: values[rows] for name, values in self.dataset.items()}}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return stand_in(tmp_path)


def stand_in(folder: Path, fails_at: int = -1) -> Path:
    """A folder laid out like the official repository."""
    impls = folder / "official" / "impls"
    notes, seen = str(folder / "notes.json"), str(folder / "seen.npz")
    for path, text in {
        "agents/__init__.py": AGENTS,
        "agents/gcbc.py": SETTINGS.format(notes=notes, fails_at=fails_at),
        "utils/__init__.py": "",
        "utils/datasets.py": DATASETS.format(seen=seen),
    }.items():
        (impls / path).parent.mkdir(parents=True, exist_ok=True)
        (impls / path).write_text(text)
    return folder / "official"


def command(file: Path, checkout: Path, **changes: object) -> list[str]:
    options = {
        "env": NAME,
        "data": file,
        "official": checkout,
        "python": sys.executable,
        "out": checkout.parent / "found" / "compare.json",
        "updates": 5,
        "warmup": 7,
        "batch": 16,
        "width": 8,
    } | changes
    method = str(options.pop("method", "gcbc"))
    return ["bench", "compare", method, *(f"--{k}={v}" for k, v in options.items())]


def test_side_by_side(
    data: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (presets, checkout_room):
        monkeypatch.setattr(module, "LAYERS", 1)  # less to compile
    assert cli.main(command(data, checkout)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"gcbc (official: gcbc) on {NAME}: batch 16, width 8, on cpu")
    forms = ["official", "ours, a dispatch an update", "ours, scanned"]
    assert [line[:30].strip() for line in lines[2:5]] == forms
    assert lines[2].endswith(" 1.00 times")

    found = json.loads((checkout.parent / "found" / "compare.json").read_text())
    sizes = {"updates": 5, "warmup": 7, "batch": 16, "width": 8, "seeds": 1, "transitions": 2000}
    assert found.items() >= sizes.items()
    assert found["data"] == fingerprint(data)
    assert found["commit"] == "unknown"
    assert found["device"].startswith("cpu")
    assert found["versions"]["official"] == found["versions"]["ours"]
    # A layer of 8 from state and goal of 2 numbers each, then a mean of 2; without the target.
    ours = (4 * 8 + 8) + (8 * 2 + 2)
    assert found["parameters"] == {"official": 12, "ours": ours}
    rows = found["updates_per_second"]
    assert [row["name"] for row in rows] == forms
    assert all(len(row["repeats"]) == 3 for row in rows)
    assert all(row["low"] <= row["median"] <= row["high"] for row in rows)
    (read,) = load_speeds(checkout.parent / "found", pytest.fail)
    assert (list(read.official), list(read.ours[1])) == (rows[0]["repeats"], rows[2]["repeats"])

    notes = json.loads((checkout.parent / "notes.json").read_text())
    assert notes["calls"] == 7 + 3 * 5  # each order on top of the one before
    told = notes["config"]
    assert told.pop("notes")
    assert told.pop("dataset_class") == "HGCDataset"  # the one that the agent asks for
    assert told == {
        "batch_size": 16,
        "discount": 0.99,
        "actor_hidden_dims": [8],
        "actor_p_trajgoal": 1.0,
        "lr": 3e-4,
    }
    with np.load(data) as file, np.load(checkout.parent / "seen.npz") as seen:
        for field in ("observations", "actions"):
            np.testing.assert_array_equal(seen[field], file[field])
        (ends,) = np.nonzero(file["terminals"])
        # The last row has no action and the one before is the last that does.
        np.testing.assert_array_equal(np.flatnonzero(seen["valids"] == 0), ends)
        np.testing.assert_array_equal(
            np.flatnonzero(seen["terminals"]), np.sort(np.append(ends, ends - 1))
        )


def test_all_take_turns_and_the_median_counts() -> None:
    clocks = {("a", 1): [1.0, 4.0, 2.0], ("b", 4): [8.0, 2.0, 1.0]}
    order = []

    def timer(name: str, times: list[float]):
        def run(updates: int) -> float:
            order.append((name, updates))
            return times.pop(0)

        return run

    ticks = []
    rows = race({k: timer(k[0], list(v)) for k, v in clocks.items()}, 8, 3, lambda: ticks.append(1))
    assert order == [("a", 8), ("b", 8)] * 3
    assert len(ticks) == 6
    assert rows == [Row("a", 1, [8.0, 2.0, 4.0]), Row("b", 4, [4.0, 16.0, 32.0])]
    assert [row.median for row in rows] == [4.0, 16.0]


def test_table_shows_median_and_range() -> None:
    row = {"name": "ours, scanned", "low": 1.0, "median": 20.04, "high": 30.0}
    found = {
        **{"method": "qrl", "official": "qrl", "env": NAME, "batch": 4, "width": 8, "updates": 5},
        "device": "cpu (cpu)",
        "repeats": 9,
        "parameters": {"official": 7, "ours": 9},
        "updates_per_second": [row | {"times_official": 2.5}],
    }
    _, what, line, sizes = table(found)
    assert what == "updates per second, median (lowest to highest) of 9 times 5"
    assert " ".join(line.split()) == "ours, scanned 20.0 (1.0 to 30.0) 2.50 times"
    assert sizes == "trained parameters: 7 official, 9 ours"


def test_seeds_count_together_and_the_bar_ends_full(
    data: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Timed:
        told = {"device": room.device_name(), "parameters": 1, "versions": {}}  # noqa: RUF012

        def __init__(self, *given: object) -> None:
            made.append(given[2:])

        def __call__(self, updates: int) -> float:
            asked.append(updates)
            return 1.0

        def __enter__(self) -> "Timed":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing ran."""

    for name in ("Official", "Stepwise", "Scanned"):
        monkeypatch.setattr(room, name, Timed)
    ticks: list[int] = []
    asked: list[int] = []
    made: list[tuple] = []
    for seeds in (1, 3):
        for told in (ticks, asked, made):
            told.clear()
        wanted = Comparison(
            "gcbc", NAME, updates=40, repeats=4, warmup=100, batch=4, width=8, seeds=seeds
        )
        out = tmp_path / "compare.json"
        room.compare(wanted, data, checkout, "python", out, lambda: ticks.append(1))
        assert len(ticks) == stages(wanted)
        warm = 2 + (seeds > 1)
        assert asked[:warm] == [120] * warm  # whole dispatches, 100 at the least
        assert asked[warm:] == [40] * 4 * (warm + 1)
        assert made[2:] == [(1, 40), (seeds, 40)][: warm - 1]  # scanned: seeds and dispatch
        rows = json.loads(out.read_text())["updates_per_second"]
        assert [row["median"] for row in rows] == [40, 40, 40, 40 * seeds][: warm + 1]


def test_official_runs_are_recorded_as_ours(
    data: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = Arena(parse(NAME), 1, max_steps=250)
    monkeypatch.setattr(reference_room, "Arena", lambda name, seeds: short)
    asked = command(data, checkout, out=checkout.parent / "runs")
    asked = [word for word in asked if not word.startswith(("--updates", "--warmup"))]
    asked[1] = "reference"
    asked += ["--steps=12", "--seeds=2", "--seed=3", "--eval-every=5", "--eval-episodes=1"]
    assert cli.main(asked) == 0
    assert "seed 4: success" in capsys.readouterr().out

    notes = json.loads((checkout.parent / "notes.json").read_text())
    assert (notes["calls"], notes["config"]["lr"]) == (12, 3e-4)
    assert sorted(run.config["seed"] for run in load_runs(checkout.parent / "runs")) == [3, 4]
    joined = by_method(load_runs(checkout.parent / "runs"))["official", "gcbc"][NAME]
    assert joined.steps.tolist() == [5, 10, 12]

    # The stand-in stands still in its first nine updates, then walks straight to the goal.
    def straight(observations: np.ndarray, goals: np.ndarray, step: int) -> np.ndarray:
        return np.clip(goals - observations, -1, 1)

    assert not joined.at(5).any()
    expected = [short.rates(straight, 1, (seed, 12))[0] for seed in (3, 4)]
    np.testing.assert_array_equal(joined.at(12), expected)
    assert joined.at(12)[:, 0].all()  # nothing stands in the way

    # What is done is not made again, nor if an older version did not record all that this one does;
    # other settings do not go into the same folder.
    (checkout.parent / "notes.json").unlink()
    path = checkout.parent / "runs" / "seed3" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in ("keep", "alpha")}))
    assert cli.main(asked) == 0
    assert not (checkout.parent / "notes.json").exists()
    capsys.readouterr()
    assert cli.main([*asked, "--learning-rate=0.1"]) == 1
    assert "seed3 holds another run (its learning_rate differ)" in capsys.readouterr().err


@pytest.mark.parametrize("method", room.OFFICIAL)
def test_settings_in_the_official_names(method: str) -> None:
    wanted = Comparison(method, "antmaze-giant-stitch-v0", width=16, batch=8)
    agent = learner(method, parse(wanted.env), Options(8, 16, 8))
    told = checkout_room.official_settings(agent, wanted.batch, wanted.width)
    stitch = (1.0, 0.0) if method == "gcbc" else (0.5, 0.5)
    assert (told["actor_p_trajgoal"], told["actor_p_randomgoal"]) == stitch
    assert told["discount"] == (0.999 if method == "sharsa" else 0.995)
    weights = {"gcivl": 10.0, "gciql": 0.3, "qrl": 0.003, "contrastive_rl": 0.1}
    weights |= dict.fromkeys(("temporal_distances", "tmd", "mqe"), 0.1)
    assert told.get("alpha") == weights.get(method)
    metrics = {
        "temporal_distances": {"mrn_components": 8},
        "tmd": {"components": 8, "zeta": 0.1, "t": 3.0, "diag_backup": 0.5,
                "stopgrad_psi_backup": False},
        "mqe": {"components": 8, "lambda_": 0.95, "next_state_sample": 0.2, "t": 5.0,
                "diag_backup": 0.5, "critic_batch_size": 8},
    }  # fmt: skip
    assert told.items() >= metrics.get(method, {}).items()
    sarsa = {"subgoal_steps": 25, "q_agg": "min", "num_samples": 32, "flow_steps": 10,
             "value_p_curgoal": 0.2, "value_p_trajgoal": 0.5, "value_p_randomgoal": 0.3,
             "value_geom_sample": False}  # fmt: skip
    assert method != "sharsa" or told.items() >= sarsa.items()
    levels = {"low_alpha": 3.0, "high_alpha": 3.0, "subgoal_steps": 25, "low_actor_rep_grad": False}
    if method != "sharsa":
        found = {name: told[name] for name in levels if name in told}
        assert found == (levels if method == "hiql" else {})


def test_extraction_in_the_official_names() -> None:
    for asked, loss in (("awr", "awr"), ("ddpg_bc", "ddpgbc")):
        wanted = Options(8, 16, 8, extraction=asked, alpha=0.75)
        for method in ("gciql", "qrl", "contrastive_rl"):
            agent = learner(method, parse(NAME), wanted)
            told = checkout_room.official_settings(agent, 8, 16)
            assert (told["actor_loss"], told["alpha"]) == (loss, 0.75)


def test_commit(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    file = stand_in(tmp_path).parent / "official" / "impls" / "agents" / "gcbc.py"
    git("add", "official")
    git("commit", "-q", "-m", "one")
    assert commit(tmp_path / "official") == "unknown"  # not a repository of its own
    (tmp_path / "impls").mkdir()
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    file.rename(tmp_path / "impls" / "changed.py")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + "+"


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"method": "sac"}, 2, "no method is called 'sac'"),
        ({"method": "td_infonce"}, 2, "the official code has no td_infonce"),
        ({"env": "powderworld-easy-play-v0"}, 2, "has images"),
        ({"extraction": "sac"}, 2, "no extraction is called 'sac'"),
        ({"env": "maze"}, 2, "called 'maze'"),
        ({"updates": 0}, 2, "--updates must be at least 1"),
        ({"updates": 750}, 2, "must be a multiple"),
        ({"method": "qrl", "width": 12}, 2, "--width that 8 divides"),
        ({"out": "."}, 2, "is a folder: name a file"),
        ({"official": "."}, 1, "(it has no impls/agents/__init__.py): clone"),
        ({"method": "qrl", "width": 16}, 1, "no impls/agents/qrl.py): clone its repository, seoho"),
        (
            {"method": "tmd", "width": 16},
            1,
            "(it has no impls/agents/tmd.py): clone its repository",
        ),
        ({"method": "mqe", "width": 16}, 1, "clone its repository, WJ2003B/mqe-release"),
        ({"data": "no.npz"}, 1, "there is no file no.npz"),
        ({"env": "antmaze-medium-navigate-v0"}, 1, "another environment's data"),
        ({"python": "no-such-python"}, 1, "no no-such-python to run"),
    ],
)
def test_a_wrong_call_is_one_line(
    changes: dict[str, object],
    status: int,
    told: str,
    data: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(checkout.parent)
    got, line = complaint(capsys, command(data, checkout, **changes))
    assert got == status
    assert told in line
    assert not (checkout.parent / "found" / "compare.json").exists()


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """Exit status and the one line of a command that fails."""
    status = cli.main(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("goalward: ")
    return status, line


def test_missing_packages_are_named(
    data: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agents = checkout / "impls" / "agents" / "__init__.py"
    agents.write_text("import not_there\n")
    monkeypatch.setattr(checkout_room, "NEEDS", ("jax", "not_there", "nor_this"))
    status, line = complaint(capsys, command(data, checkout))
    assert status == 1
    assert f"`{sys.executable} -m pip install not_there nor_this`" in line
    monkeypatch.setattr(checkout_room, "NEEDS", ("jax",))
    assert "pip install not_there`" in complaint(capsys, command(data, checkout))[1]


@pytest.mark.parametrize("fails_at", [3, 9])
def test_a_failure_of_theirs_is_one_line(
    fails_at: int,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for form in ("Stepwise", "Scanned"):
        monkeypatch.setattr(room, form, lambda *_: lambda updates: 1.0)
    checkout = stand_in(tmp_path, fails_at)
    status, line = complaint(capsys, command(data, checkout))
    assert status == 1
    assert "the official code fails (RuntimeError: the stand-in fails)" in line


def test_both_run_on_the_same_device(
    data: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "device_name", lambda: "gpu (other)")
    status, line = complaint(capsys, command(data, checkout))
    assert status == 1
    assert "official code runs on cpu (cpu), ours on gpu (other)" in line


def test_too_few_to_time() -> None:
    with pytest.raises(Unknown, match=r"--warmup must be at least 5, not 4: .* compiles"):
        Comparison("gcbc", NAME, warmup=4)
    for field in ("updates", "repeats", "batch", "width", "seeds"):
        with pytest.raises(Unknown, match=f"--{field} must be at least 1, not 0"):
            Comparison("gcbc", NAME, **{field: 0})
