"""Do the tests see mistakes? Plant each of `tests/mutations/*.toml` in a copy of the library.

`make mutations` runs all and prints, a room each, how many mistakes made their tests fail;
`make mutations EVERY=4` runs every fourth, from all rooms, and `make mutations ONLY="methods_cvl
losses"` those files whose names begin so.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "lib" / "goalward"
FOLDER = ROOT / "tests" / "mutations"
SHARE = 0.95
SECONDS = 240
MEMORY = 8 * 2**30
"""Bytes: a mistake that never ends may also never stop growing."""
CAUGHT, SURVIVED, BROKEN = "caught", "survived", "breaks the tests themselves"


@dataclass(frozen=True)
class Mutation:
    """One mistake: in a file of the library, this text for that, and the tests that should fail."""

    file: str
    tests: tuple[str, ...]
    why: str
    old: str
    new: str

    @property
    def room(self) -> str:
        """The room that it is planted in."""
        return self.file.partition("/")[0]


def planted(*beginnings: str) -> list[Mutation]:
    """The mistakes of all files, or of those whose names begin with one of these."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        if not beginnings or path.stem.startswith(beginnings):
            told = tomllib.loads(path.read_text(encoding="utf-8"))
            for entry in told["mutation"]:
                # An entry may name tests of its own.
                tests = tuple(entry.pop("tests", told["tests"]))
                found.append(Mutation(told["file"], tests, **entry))
    return found


def judge(mutation: Mutation, library: Path) -> str:
    """Plant one mistake in a copy of the library, run its tests, and take it out again."""
    path = library / mutation.file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(library.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *mutation.tests],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=SECONDS,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        return {0: SURVIVED, 1: CAUGHT}.get(done.returncode, BROKEN)
    except subprocess.TimeoutExpired:
        return CAUGHT
    finally:
        path.write_text(text, encoding="utf-8")


def main(*beginnings: str) -> int:
    """Judge the mistakes; 0 where at least 95 % are caught."""
    every = int(os.environ.get("EVERY") or 1)
    mutations = planted(*beginnings)[::every]
    verdicts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(len(os.sched_getaffinity(0))):
            copy = Path(folder) / str(number) / "goalward"
            shutil.copytree(LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))
            copies.put(copy)

        def run(mutation: Mutation) -> tuple[Mutation, str]:
            copy = copies.get()
            try:
                return mutation, judge(mutation, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(copies.qsize()) as pool:
            # As they end: a slow one holds back nobody's verdict.
            for done in as_completed([pool.submit(run, mutation) for mutation in mutations]):
                mutation, verdict = done.result()
                verdicts.setdefault(mutation.room, Counter())[verdict] += 1
                if verdict != CAUGHT:
                    print(f"{verdict}: {mutation.file}: {mutation.why}", flush=True)
    for room, counts in sorted(verdicts.items()):
        print(f"{room:<12} {counts[CAUGHT]:>4} of {counts.total():>4} caught")
    caught = sum(counts[CAUGHT] for counts in verdicts.values())
    print(f"{'all':<12} {caught:>4} of {len(mutations):>4} caught")
    return 0 if mutations and caught >= SHARE * len(mutations) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
