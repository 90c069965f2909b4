"""The pinned versions: resolve them anew (`make pins`), and what environment.yml says of them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "constraints.txt"
ENVIRONMENT = ROOT / "environment.yml"
EXTRAS = ("lab", "book", "test")
"""What environment.yml installs; the pins cover the other extras too."""

# GPU builds are pinned by jax itself, for the machine at hand.
UNPINNED = ("cuda",)


def project() -> dict:
    """The `project` table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    """The normalised name of the package that a requirement names."""
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")


def pins() -> dict[str, list[str]]:
    """The lines of constraints.txt by package: one, or one a Python version."""
    lines: dict[str, list[str]] = {}
    for line in PINS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            lines.setdefault(name_of(line), []).append(line)
    return lines


def environment() -> str:
    """What environment.yml has to say."""
    wanted = list(project()["dependencies"])
    for extra in EXTRAS:
        wanted += project()["optional-dependencies"][extra]
    pinned = pins()
    lines = sorted({line for requirement in wanted for line in pinned[name_of(requirement)]})
    return (
        "# The course as a conda environment: `conda env create -f environment.yml`.\n"
        "# Written by `make pins`, with the versions of constraints.txt.\n"
        "name: goalward\nchannels:\n  - conda-forge\ndependencies:\n"
        f"  - python{project()['requires-python']}\n  - pip\n  - pip:\n"
        + "".join(f'      - "{line}"\n' for line in ("-c constraints.txt", "-e .", *lines))
    )


def main() -> None:
    """Resolve the newest versions that fit, for all supported Pythons; write both files."""
    extras = [e for e in project()["optional-dependencies"] if e not in UNPINNED]
    command = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--universal"]
    command += [
        "--upgrade",
        "--fork-strategy",
        "fewest",
        "--no-annotate",
        "--no-header",
        "--no-emit-index-url",
    ]
    command += ["--python-version", "3.11", "--output-file", PINS, ROOT / "pyproject.toml"]
    subprocess.run(command + [f"--extra={extra}" for extra in extras], check=True)
    ENVIRONMENT.write_text(environment(), encoding="utf-8")


if __name__ == "__main__":
    main()
