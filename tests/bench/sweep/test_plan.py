"""The sweep file: its trials and their names, and each way to get it wrong, told in one line."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goalward.bench.data.names import Unknown
from goalward.bench.sweep.plan import Plan, Resources, name, read

FILE = """
out = "runs"
command = "bench train"
[fixed]
env = "pointmaze-medium-navigate-v0"
steps = 1e6
data = "data/maze.npz"
[grid]
method = ["gcbc", "hiql"]
learning-rate = [3e-4, 1e-3]
seed = [0, 4]
[resources]
cpus = 4
gpus = 0.5
"""
MAZE = "pointmaze-medium-navigate-v0"
ONLINE = """
out = "runs"
command = "bench online"
[fixed]
steps = 1e6
energy = "dot"
loss = "symmetric"
physics = "jax"
env = "reacher"
[grid]
method = ["contrastive_rl"]
seed = [0, 4]
"""
TEXTS = st.text("ab,=/.é ", max_size=6)
SETTINGS = st.dictionaries(
    st.sampled_from(["a", "b", "long-key"]), TEXTS | st.integers(), max_size=3
)


def plan(text: str, tmp_path: Path) -> Plan:
    path = tmp_path / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def test_every_combination_the_last_key_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan(FILE, tmp_path)
    assert made.out == tmp_path / "runs"
    assert made.resources == Resources(cpus=4, gpus=0.5, retries=3)
    assert [trial.name for trial in made.trials] == [
        f"{method},{MAZE},learning-rate={rate},seed={seed}"
        for method in ("gcbc", "hiql")
        for rate in ("0.0003", "0.001")
        for seed in (0, 4)
    ]
    first = made.trials[0]
    assert first.command == [
        *("bench", "train", "gcbc", f"--env={MAZE}", "--steps=1000000"),
        f"--data={tmp_path / 'data/maze.npz'}",
        *("--learning-rate=0.0003", "--seed=0"),
        f"--out={tmp_path / 'runs' / first.name}",
    ]
    assert (first.kind, first.steps) == (("gcbc", MAZE), 1_000_000)


def names(text: str, tmp_path: Path) -> set[str]:
    return {trial.name for trial in plan(text, tmp_path).trials}


def test_a_longer_grid_keeps_the_names_it_had(tmp_path: Path) -> None:
    before = names(FILE, tmp_path)
    assert before < names(FILE.replace("[0, 4]", "[4, 8, 0]"), tmp_path)
    # A fixed setting may become a list; what only makes a run longer names nothing.
    wide = FILE.replace("[grid]", "width = 64\n[grid]")
    swept = FILE.replace("[grid]", "[grid]\nwidth = [64, 128]")
    assert names(wide, tmp_path) < names(swept, tmp_path)
    longer = FILE.replace("1e6", "2e6").replace("[grid]", "log-every = 7\n[grid]")
    assert names(longer, tmp_path) == before
    ordered = FILE.replace("seed = [0, 4]\n", "").replace("[grid]", "[grid]\nseed = [0, 4]")
    assert names(ordered, tmp_path) == before
    assert names(FILE.replace("3e-4", "0.00030"), tmp_path) == before


def test_numbers_are_what_the_command_makes_of_them(tmp_path: Path) -> None:
    whole = FILE.replace("[3e-4, 1e-3]", "[1, 0.5]")
    assert any("learning-rate=1.0," in one for one in names(whole, tmp_path))


@given(SETTINGS, SETTINGS)
@example({"a": "1,b=2"}, {"a": "1", "b": "2"})
def test_names_tell_settings_apart(one: dict, other: dict) -> None:
    one, other = ({"method": "m", "env": "e", **settings} for settings in (one, other))
    same = {k: str(v) for k, v in one.items()} == {k: str(v) for k, v in other.items()}
    assert (name(one) == name(other)) == same
    assert name(dict(reversed(one.items()))) == name(one)
    assert len(name(one).encode()) < 200
    assert not set(name(one)) & set("/ []\\")


def test_a_long_name_is_cut_and_still_its_own() -> None:
    long = [{"method": "m" * 300, "env": tail} for tail in ("a", "b")]
    assert name(long[0]) != name(long[1])
    assert len(name(long[0])) < 200


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[grid]", "[grid", "(at line 8, column 6)"),
        ('out = "runs"', "", 'out = "runs/NAME"'),
        ('out = "runs"', 'outt = "runs"', "the file has no 'outt': did you mean out?"),
        ("bench train", "show", 'command is "bench train" or "bench online", not "show"'),
        ("seed = [0, 4]", "seeed = [0, 4]", "has no 'seeed': did you mean seed?"),
        ("seed = [0, 4]", "xyz = [0, 4]", "has no 'xyz': there are method, env, "),
        ("learning-rate", "learning_rate", "did you mean learning-rate?"),
        ("seed = [0, 4]", "seed = []", "seed in [grid] is empty"),
        ("seed = [0, 4]", "seed = [0, 4, 0]", "seed in [grid] has 0 twice"),
        ("[3e-4, 1e-3]", "[1, 0.5, 1.0]", "learning-rate in [grid] has 1.0 twice"),
        ("seed = [0, 4]", "seed = 4", "seed in [grid] is no list: seed = [4]"),
        ("seed = [0, 4]", "seed = [[0], 4]", "seed is a list: move it to [grid]"),
        ("seed = [0, 4]", "seed = [0.5]", "seed in [grid] cannot be 0.5"),
        ("seed = [0, 4]", 'seed = ["x"]', 'seed in [grid] cannot be "x"'),
        ("seed = [0, 4]", "seed = [true]", "seed in [grid] is a number or a text, not true"),
        ("seed = [0, 4]", "steps = [1, 2]", "steps is in [fixed] and in [grid]"),
        ("seed = [0, 4]", 'out = ["a"]', "out stands at the top of the file, not in [grid]"),
        ("steps = 1e6", "steps = [1, 2]", "steps is a list: move it to [grid]"),
        ("steps = 1e6", "", "the following arguments are required: steps"),
        ("cpus = 4", "cpu = 4", "[resources] has no 'cpu': did you mean cpus?"),
        ("cpus = 4", "cpus = 0", "cpus in [resources] is above 0, not 0"),
        ("cpus = 4", 'cpus = "all"', 'cpus in [resources] is a number, not "all"'),
        ("gpus = 0.5", "gpus = 1.5", "gpus in [resources] is a whole number above 1, not 1.5"),
        ("gpus = 0.5", "retries = 0.5", "retries in [resources] is a whole number, not 0.5"),
        ("gpus = 0.5", "gpus = nan", "gpus in [resources] is a number, not nan"),
        ("cpus = 4", "[fixed]", "(at line 13, column 7)"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in FILE
    with pytest.raises(Unknown) as error:
        plan(FILE.replace(old, new), tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'sweep.toml'}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.toml"]


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        # The last of a grid alone is wrong: every trial is looked at.
        (FILE, '["gcbc", "hiql"]', '["gcbc", "hiqll"]', "'hiqll': did you mean hiql?"),
        (FILE, f'"{MAZE}"', '"pointmaze-medium-navigat-v0"', f"did you mean {MAZE}?"),
        (FILE, "[3e-4, 1e-3]", "[1e-3, 0]", "learning-rate must be above 0, not 0.0"),
        (FILE, "[grid]", 'extraction = "awr"\n[grid]', "leave out extraction and alpha"),
        (ONLINE, '["contrastive_rl"]', '["contrastive_r"]', "did you mean contrastive_rl?"),
        (ONLINE, '["contrastive_rl"]', '["contrastive_rl", "sac_her"]', "sac_her has no energy"),
        (ONLINE, '"dot"', '"dott"', "no energy is called 'dott': did you mean dot?"),
        (ONLINE, '"symmetric"', '"foward"', "did you mean forward?"),
        (ONLINE, '"jax"', '"nativ"', "unknown physics 'nativ': did you mean 'native'?"),
        (ONLINE, '"reacher"', '"antt"', "no environment is called 'antt': did you mean ant?"),
        (ONLINE, '"reacher"', '"no.py:Slider"', "there is no file no.py: env takes path/to"),
        (ONLINE, "steps = 1e6", "steps = 1e6\nbatch = 1", "apart: batch is at least 2, not 1"),
        (ONLINE, "steps = 1e6", "steps = 1e6\nblocks = 3", "these sizes cannot be: 256 environ"),
    ],
)
def test_names_that_a_trial_would_stumble_on(
    text: str, old: str, new: str, told: str, tmp_path: Path
) -> None:
    if text is ONLINE:
        pytest.importorskip("mujoco.mjx")
    plan(text, tmp_path)
    assert old in text
    with pytest.raises(Unknown) as error:
        plan(text.replace(old, new), tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'sweep.toml'}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value)


def test_an_environment_of_the_users_is_not_run_before_its_trial(tmp_path: Path) -> None:
    own = tmp_path / "own--body.py"
    own.write_text("raise SystemExit")
    (one, _) = plan(ONLINE.replace('"reacher"', f'"{own}:Body"'), tmp_path).trials
    assert f"--env={own}:Body" in one.arguments


def test_no_grid(tmp_path: Path) -> None:
    alone = FILE.partition("[grid]")[0]
    for text in (alone, alone + "[grid]\n"):
        with pytest.raises(Unknown, match=r"\[grid\] is empty: list at least one setting"):
            plan(text, tmp_path)
    with pytest.raises(Unknown, match=r"fixed is a table of settings: begin it with \[fixed\]"):
        plan('out = "r"\ncommand = "bench train"\nfixed = 3\n', tmp_path)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="cannot be read: No such file"):
        read(tmp_path / "no.toml")
    with pytest.raises(Unknown, match="cannot be read: Is a directory"):
        read(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'out = "\xe9"')
    with pytest.raises(Unknown, match="is not a text in UTF-8"):
        read(tmp_path / "latin.toml")
