"""Data files: what is loaded, what is refused, and what a broken download leaves."""

import io
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ogbench")
from goalward.bench.data import datasets
from goalward.bench.data.names import NAMES, Mendable, Unknown, parse

NAME = parse("pointmaze-medium-navigate-v0")


def arrays(rows: int = 6) -> dict[str, np.ndarray]:
    """Two episodes of equal length."""
    rng = np.random.default_rng(0)
    return {
        "observations": rng.normal(size=(rows, 3)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "terminals": np.arange(1, rows + 1) % (rows // 2) == 0,
        "qpos": np.zeros((rows, 3), np.float32),
    }


def save(path: Path, **changes: np.ndarray | None) -> Path:
    fields = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez_compressed(path, **fields)
    return path


def test_a_file_becomes_a_data_set(tmp_path: Path) -> None:
    data = datasets.load(save(tmp_path / "a.npz"), observation=(3,), action=2)
    np.testing.assert_array_equal(data.observations, arrays()["observations"])
    np.testing.assert_array_equal(data.anchors, [0, 1, 3, 4])
    np.testing.assert_array_equal(data.left, [2, 1, 0, 2, 1, 0])


def test_a_file_means_what_the_package_says(tmp_path: Path) -> None:
    """Its own loader, in the regular form, has the same transitions."""
    from ogbench import load_dataset

    path = save(tmp_path / "a.npz")
    theirs, ours = load_dataset(path), datasets.load(path)
    rows = np.asarray(ours.anchors)
    np.testing.assert_array_equal(theirs["observations"], ours.observations[rows])
    np.testing.assert_array_equal(theirs["next_observations"], ours.observations[rows + 1])
    np.testing.assert_array_equal(theirs["actions"], ours.actions[rows])


def test_other_real_types_are_converted(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", actions=arrays()["actions"].astype(float))
    assert datasets.read(path)["actions"].dtype == np.float32


def spoiled(field: str, row: int, value: float) -> np.ndarray:
    values = arrays()[field].copy()
    values[row] = value
    return values


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"actions": None}, "has no actions"),
        ({"actions": None, "terminals": None}, "has no actions and terminals"),
        ({"observations": np.zeros((6, 3), np.uint8)}, "uint8 of shape (6, 3): they must be"),
        ({"actions": np.zeros(6, np.float32)}, "float32 of shape (6,): they must be"),
        ({"actions": np.zeros((5, 2), np.float32)}, "same number of rows"),
        ({"qpos": np.zeros((5, 2), np.float32)}, "5 of qpos"),
        ({"observations": spoiled("observations", 4, np.nan)}, "not finite in 1 rows, first in ro"),
        ({"terminals": np.zeros((6, 1), bool)}, "one True or False a row"),
        ({"terminals": np.full(6, 0.5)}, "one True or False a row"),
        ({"terminals": spoiled("terminals", 5, False)}, "stops within an episode"),
        ({"terminals": spoiled("terminals", 1, True)}, "episodes of a single row"),
        ({"terminals": np.ones(6, bool)}, "episodes of a single row"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, changes: dict, told: str) -> None:
    with pytest.raises(Mendable) as error:
        datasets.load(save(tmp_path / "a.npz", **changes))
    assert told in str(error.value)
    assert "a.npz" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["next_observations", "timeouts"])
def test_a_layout_that_is_almost_ours_is_refused(field: str, tmp_path: Path) -> None:
    """Its last transitions would be dropped without a word."""
    path = save(tmp_path / "a.npz", **{field: arrays()["observations"]})
    with pytest.raises(Mendable, match=f"holds {field}: a row of it is a transition"):
        datasets.read(path)


def test_damaged_and_missing_files_are_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
    whole = path.read_bytes()
    for broken in (
        b"",
        b"nonsense",
        whole[: len(whole) // 2],
        whole[:100] + b"x" * 9 + whole[109:],
    ):
        path.write_bytes(broken)
        with pytest.raises(Mendable, match="fetch or collect it anew"):
            datasets.read(path)
    with pytest.raises(Mendable, match=r"there is no file .* --data"):
        datasets.read(tmp_path / "b.npz")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(Mendable, match=r"is no .npz file"):
        datasets.read(path)
    with path.open("wb") as file:
        np.savez(file, observations=np.array([{}], dtype=object), actions=0, terminals=0)
    with pytest.raises(Mendable, match="is damaged"):
        datasets.read(path)


def test_data_of_another_environment_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
    with pytest.raises(Mendable, match="observations of 3 numbers where the environment's have 29"):
        datasets.load(path, observation=(29,), action=2)
    with pytest.raises(Mendable, match="of 3 numbers where the environment's have 64 x 64 x 3: is"):
        datasets.load(path, observation=(64, 64, 3), action=2)
    with pytest.raises(Mendable, match="actions of 2 numbers where the environment's have 8"):
        datasets.load(path, observation=(3,), action=8)
    with pytest.raises(Mendable, match="of 2 numbers where the environment's have one choice amon"):
        datasets.load(path, observation=(3,), action=8, discrete=True)


def images(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """The same episodes, of which one sees images and chooses."""
    rng = np.random.default_rng(0)
    return {
        "observations": rng.integers(0, 256, (6, 8, 8, 6)).astype(np.uint8),
        "actions": np.array([0, 7, 3, 1, 2, 5], np.int64),
    } | changes


def test_images_stay_bytes_and_choices_are_integers(tmp_path: Path) -> None:
    from ogbench import load_dataset

    path = save(tmp_path / "a.npz", **images())
    ours = datasets.load(path, observation=(8, 8, 6), action=8, discrete=True)
    assert (ours.observations.dtype, ours.actions.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(ours.observations, images()["observations"])
    theirs, rows = load_dataset(path, np.uint8, np.int32), np.asarray(ours.anchors)
    np.testing.assert_array_equal(theirs["observations"], ours.observations[rows])
    np.testing.assert_array_equal(theirs["next_observations"], ours.observations[rows + 1])
    np.testing.assert_array_equal(theirs["actions"], ours.actions[rows])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"observations": np.zeros((6, 8, 8, 6), np.float32)}, "float32 of shape (6, 8, 8, 6): th"),
        ({"observations": np.zeros((6, 64), np.uint8)}, "or images, uint8 of shape (rows, height,"),
        ({"observations": np.zeros((6, 8, 8, 3), np.uint8)}, "8 x 8 x 3 numbers where the environ"),
        ({"actions": np.zeros((6, 1), np.int32)}, "they must be float32, one row a time step, or"),
        ({"actions": np.zeros((6, 8), np.float32)}, "actions of 8 numbers where the environment's"),
        ({"actions": np.full(6, 8)}, "an action 8 where the environment's are numbered from 0 to"),
        ({"actions": np.array([0, 1, -1, 0, 0, 0])}, "but some are negative"),
        ({"actions": np.zeros(5, np.int32)}, "same number of rows"),
    ],
)
def test_a_wrong_file_of_images_is_one_line(tmp_path: Path, changes: dict, told: str) -> None:
    path = save(tmp_path / "a.npz", **images(**changes))
    with pytest.raises(Mendable) as error:
        datasets.load(path, observation=(8, 8, 6), action=8, discrete=True)
    assert told in str(error.value)
    assert "a.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_choices_are_no_vectors(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", actions=np.zeros(6, np.int32))
    with pytest.raises(Mendable, match="one choice where the environment's have 2: is it another"):
        datasets.load(path, observation=(3,), action=2)


class Server:
    """Answers in place of the benchmark's server; `cut` bytes of each file are lost."""

    def __init__(self, cut: int = 0) -> None:
        self.cut, self.asked = cut, []

    def __call__(self, url: str, timeout: float) -> io.BytesIO:
        self.asked.append(url.rsplit("/")[-1])
        file = io.BytesIO()
        np.savez_compressed(file, **arrays())
        return io.BytesIO(file.getvalue()[: len(file.getvalue()) - self.cut])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets, "FOLDER", tmp_path / "data")
    return tmp_path / "data"


def test_a_download_is_kept_and_used_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", server := Server())
    path = datasets.locate(NAME, None)
    assert path == datasets.locate(NAME, None) == home / f"{NAME.text}.npz"
    assert server.asked == [f"{NAME.text}.npz", f"{NAME.text}-val.npz"]
    assert datasets.read(path)["observations"].shape == (6, 3)
    assert {p.name for p in home.iterdir()} == set(server.asked)


def refused(url: str, timeout: float) -> None:
    raise urllib.error.URLError("no route to host")


@pytest.mark.parametrize(
    ("server", "told"), [(Server(cut=200), "it came incomplete"), (refused, "no route to host")]
)
def test_a_broken_download_leaves_nothing_and_names_two_mends(
    server, told: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", server)
    with pytest.raises(Mendable) as error:
        datasets.locate(NAME, None)
    for words in (told, "--data FILE", f"goalward bench collect --env {NAME.text} --out DIR"):
        assert words in str(error.value)
    assert list(home.iterdir()) == []


def test_a_stopped_download_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(url: str, timeout: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(urllib.request, "urlopen", stopped)
    with pytest.raises(KeyboardInterrupt):
        datasets.locate(NAME, None)
    assert list(home.iterdir()) == []


def test_names() -> None:
    assert len(NAMES) == 85
    assert sum(name.visual for name in NAMES.values()) == 35
    assert sum(name.discrete for name in NAMES.values()) == 3
    assert sum(name.images for name in NAMES.values()) == 38
    assert parse("visual-scene-play-v0").environment == "visual-scene-v0"
    assert parse("powderworld-hard-play-v0").environment == "powderworld-hard-v0"
    assert NAME.environment == "pointmaze-medium-v0"
    assert parse("scene-play-v0").environment == "scene-v0"
    with pytest.raises(Unknown, match="did you mean pointmaze-giant-stitch-v0"):
        parse("pointmaze-gaint-stitch-v0")
    with pytest.raises(Unknown, match="no data set called 'visual-pointmaze-medium-navigate-v0'"):
        parse("visual-pointmaze-medium-navigate-v0")
    with pytest.raises(Unknown, match="one is pointmaze-medium-navigate-v0"):
        parse("hopper")


def test_all_environments_of_the_names_exist() -> None:
    import gymnasium
    import ogbench  # noqa: F401

    assert {name.environment for name in NAMES.values()} <= set(gymnasium.registry)
