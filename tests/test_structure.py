"""The project as a whole: its rooms, its pins, its sizes, and what it must not say."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import mutate
import pins
from goalward.course import papers

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "lib" / "goalward"
CORE = {"goalward", "numpy", "jax", "flax", "optax", "jaxtyping", "tqdm"}
NOT_CORE = {"bench", "course", "cli.py"}
ADAPTERS = {
    "envs/reacher.py": {"mujoco"},
    "envs/chains.py": {"mujoco"},
    "envs/physics.py": {"mujoco"},
    "envs/body.py": {"mujoco"},
    "envs/models.py": {"mujoco", "gymnasium"},
    "envs/gymnasium_arms.py": {"mujoco"},
    "envs/ants.py": {"mujoco"},
    "envs/table_arm.py": {"mujoco", "ogbench"},
}
"""Files of the core that stand for another package, imported only by who uses it."""


def tracked(*patterns: str) -> list[Path]:
    """The files that git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).exists()]


def test_a_room_imports_only_the_rooms_above_it() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout


def test_init_files_are_empty() -> None:
    assert [p for p in LIBRARY.rglob("__init__.py") if p.read_text().strip()] == []


def core_files() -> list[Path]:
    return [p for p in LIBRARY.rglob("*.py") if p.relative_to(LIBRARY).parts[0] not in NOT_CORE]


@pytest.mark.parametrize("path", core_files(), ids=lambda p: str(p.relative_to(LIBRARY)))
def test_the_core_needs_little(path: Path) -> None:
    """The core imports with six packages and the standard library, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    allowed = CORE | ADAPTERS.get(path.relative_to(LIBRARY).as_posix(), set())
    assert names - allowed - sys.stdlib_module_names == set()


def test_method_files_are_thin() -> None:
    lengths = {p.name: len(p.read_text().splitlines()) for p in (LIBRARY / "methods").glob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 250} == {}


def test_every_requirement_is_pinned() -> None:
    pinned = pins.pins()
    project = pins.project()
    for extra, wanted in {
        "core": project["dependencies"],
        **project["optional-dependencies"],
    }.items():
        if extra in pins.UNPINNED:
            continue
        for requirement in map(Requirement, wanted):
            lines = pinned[pins.name_of(requirement.name)]
            for line in map(Requirement, lines):
                (specifier,) = line.specifier
                assert requirement.specifier.contains(specifier.version), f"{requirement}: {line}"


def test_environment_has_the_same_pins() -> None:
    assert pins.ENVIRONMENT.read_text(encoding="utf-8") == pins.environment(), "run: make pins"


def test_the_tree_is_light() -> None:
    sizes = {path: path.stat().st_size for path in tracked()}
    assert sum(sizes.values()) < 50e6
    pairs = {
        p: s + p.with_suffix(".py").stat().st_size for p, s in sizes.items() if p.suffix == ".ipynb"
    }
    assert {p.name: s for p, s in pairs.items() if s > 600e3} == {}
    figures: dict[str, int] = {}
    for path, size in sizes.items():
        if path.is_relative_to(ROOT / "figures"):
            slug = path.relative_to(ROOT / "figures").parts[0]
            figures[slug] = figures.get(slug, 0) + size
    assert {slug: s for slug, s in figures.items() if s > 200e3} == {}


# Spelled with a gap, so that this file may be among those searched.
HOSTS = "py pi.org|python hosted|deb.de bian|registry.npm js".replace(" ", "").replace(".", r"\.")
FORBIDDEN = re.compile(HOSTS + r"|(?<![\w.])/(work|root|home/\w+|tmp)/")


def test_no_file_names_a_registry_or_a_machines_path() -> None:
    found = []
    for path in tracked():
        if "static" in path.parts or path.suffix in {".png", ".webp", ".woff", ".woff2"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


def test_planted_mistakes_still_fit_the_library() -> None:
    """Each stands for one place; where that has changed, the mistake has to be written anew."""
    for mutation in mutate.planted():
        text = (LIBRARY / mutation.file).read_text(encoding="utf-8")
        assert text.count(mutation.old) == 1, f"{mutation.file}: {mutation.why}"
        assert mutation.old != mutation.new
        assert all((ROOT / test.partition("::")[0]).is_file() for test in mutation.tests)


AHEAD: tuple[str, ...] = ()
"""Methods that came before their chapters. Whoever writes such a chapter takes its slug out."""


def test_claims_live_in_one_place_a_slug() -> None:
    """Method, tests and figures of a paper share its chapter's name."""
    everything = {p.slug for p in papers.papers()}
    written = everything & papers.chapters(ROOT).keys()
    assert written.isdisjoint(AHEAD), "has a chapter now: take it out of AHEAD"
    assert set(AHEAD) <= everything
    slugs = written | set(AHEAD)
    assert {p.stem for p in (LIBRARY / "methods").glob("[!_]*.py")} == slugs
    # Where a method is tables and a network, the network has a file of its own.
    tested = (p.stem.removeprefix("test_") for p in (ROOT / "tests/methods").glob("*.py"))
    assert {stem.removesuffix("_network") for stem in tested} == slugs
