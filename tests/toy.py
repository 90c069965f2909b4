"""A small repository of chapters, for tests of the commands: real files, git and kernels."""

import json
import os
import subprocess
import sys
from pathlib import Path

from goalward.course import claims
from goalward.course.run.fingerprint import fingerprint
from goalward.course.run.record import claims_file

ROOT = Path(__file__).parents[1]

QUICK = """\
# %% [markdown]
# # A toy
#
# Two cells and a slider.

# %%
import json
import os
from pathlib import Path

value = 2
print("value", value)
value

# %% [markdown]
# Play.

# %%
import ipywidgets as widgets

slider = widgets.IntSlider(value=1, description="k")
picture = widgets.Stack([widgets.HTML("<p>a</p>"), widgets.HTML("<p>b</p>")], selected_index=1)
widgets.jslink((slider, "value"), (picture, "selected_index"))
widgets.VBox([slider, picture])

# %%
if out := os.environ.get("GOALWARD_OUT"):
    row = {
        "claim": "two",
        "statement": "It is two.",
        "paper": "2",
        "measured": float(value),
        "low": float(value),
        "high": float(value),
        "bound": "in [2, 2]",
        "bound_from": "oracle",
        "kind": "exact",
        "verdict": "reproduced",
        "seeds": None,
        "covers": "",
        "scale": os.environ["GOALWARD_SCALE"],
        "reason": "",
    }
    (Path(out) / "claims.json").write_text(json.dumps([row]))
    (Path(out) / "lead.png").write_bytes(b"a picture")
"""

BROKEN = """\
# %% [markdown]
# # A broken toy

# %%
x = 1

# %%
# The fault is here.
x / 0
"""


def repository(root: Path, **chapters: str) -> Path:
    """Make a repository with the given chapters of part 0, committed."""
    folder = root / "notebooks" / "0_start"
    folder.mkdir(parents=True)
    for slug, source in chapters.items():
        (folder / f"{slug}.py").write_text(source, encoding="utf-8")
    for name in ("jupytext.toml", ".gitignore"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *arguments: str | Path) -> str:
    """What a git command prints."""
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, "-C", str(root), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    """Commit all that is in the repository."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Keep all")


def source(root: Path, slug: str = "welcome") -> Path:
    """A chapter's source."""
    return root / "notebooks" / "0_start" / f"{slug}.py"


def tree(root: Path) -> dict[str, bytes]:
    """The contents of every file outside git's and the stages' folders."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".git", ".goalward"} & set(path.relative_to(root).parts)
    }


def start(root: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "goalward.cli", *arguments],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def goalward(root: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command line to its end: exit status, output, errors."""
    process = start(root, *arguments, **environment)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def judged(**changes: object) -> dict:
    """A row of claims, weaker than its paper."""
    values = {
        "scale": "laptop",
        "paper": "20×",
        "bound": ">= 20",
        "bound_from": "paper",
        "kind": "statistical",
        "measured": [4.0, 5.0, 6.0, 5.0, 4.5],
        "covers": "data",
        "null": 1.0,
        "reason": "the rival is tuned",
    }
    return claims.judge("fewer", "it needs <n/20> samples", **(values | changes)).row()


def record(root: Path, code: str, *rows: dict) -> None:
    """Record claims for the one chapter of `root`, whose code was `code` then."""
    path = source(root)
    now = path.read_text()
    path.write_text(code)
    entry = {
        "scale": "laptop",
        "seeds": 5,
        "versions": {"python": "3.12.0", "jax": "0.10.2"},
        "device": "a processor, 2 cores",
        "date": "2026-01-31",
        "seconds": 51.3,
        "fingerprint": fingerprint(path),
        "claims": list(rows),
    }
    path.write_text(now)
    path = claims_file(root, "welcome")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"slug": "welcome", "records": {"laptop": entry}}))
