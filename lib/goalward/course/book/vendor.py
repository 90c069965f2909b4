"""Refresh the scripts and fonts that the book ships, so that its pages ask no other host for them.

`make vendor` runs this with npm at hand; a reader never needs it. Each folder that receives files
gets a `VERSIONS.json`: package, version, licence and the SHA-256 of every file taken. Where a
package carries no text of its licence, that text is kept beside its files by hand.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
ROOT = STATIC.parents[4]


@dataclass(frozen=True)
class Package:
    """An npm package at one version, and which of its files go where (a folder takes its files)."""

    name: str
    version: str
    licence: str
    folder: Path
    files: tuple[tuple[str, str], ...]


PACKAGES = (
    Package(
        "mathjax",
        "3.2.2",
        "Apache-2.0",
        STATIC,
        (
            ("es5/tex-chtml-full.js", "mathjax/tex-chtml-full.js"),
            ("es5/output/chtml/fonts/woff-v2", "mathjax/output/chtml/fonts/woff-v2"),
            ("LICENSE", "mathjax/LICENSE"),
        ),
    ),
    Package("requirejs", "2.3.8", "MIT", STATIC, (("require.js", "requirejs/require.js"),)),
    Package(
        "@jupyter-widgets/html-manager",
        "1.0.15",
        "BSD-3-Clause",
        STATIC,
        (("dist/embed-amd.js", "html-manager/embed-amd.js"),),
    ),
    # Only the tests use it.
    Package(
        "axe-core",
        "4.11.1",
        "MPL-2.0",
        ROOT / "tests" / "browser" / "static",
        (("axe.min.js", "axe.min.js"), ("LICENSE", "LICENSE-axe-core")),
    ),
)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions(folder: Path) -> list[dict]:
    """What `VERSIONS.json` in `folder` says it holds: one entry a package."""
    return json.loads((folder / "VERSIONS.json").read_text())


def changed(folder: Path) -> list[str]:
    """The files of `folder` that are missing or differ from their recorded SHA-256."""
    return [
        name
        for package in versions(folder)
        for name, digest in package["files"].items()
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]


def _unpack(package: Package, scratch: Path) -> Path:
    spec = f"{package.name}@{package.version}"
    done = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(scratch), spec],
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        raise ValueError(f"npm could not fetch {spec}: {done.stderr.strip()[-200:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / "package"


def _take(package: Package) -> dict:
    taken: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        source = _unpack(package, Path(scratch))
        for inside, outside in package.files:
            found = source / inside
            pairs = (
                [(f, f"{outside}/{f.name}") for f in sorted(found.iterdir())]
                if found.is_dir()
                else [(found, outside)]
            )
            for file, name in pairs:
                target = package.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                taken[name] = sha256(target)
    return {
        "package": package.name,
        "version": package.version,
        "licence": package.licence,
        "files": taken,
    }


def refresh() -> None:
    """Fetch every package again and rewrite its files and the `VERSIONS.json` beside them.

    Raises:
        ValueError: npm is missing, or does not find a package.
    """
    if shutil.which("npm") is None:
        raise ValueError("npm is not installed; only `make vendor` needs it")
    for folder in sorted({package.folder for package in PACKAGES}):
        entries = [_take(package) for package in PACKAGES if package.folder == folder]
        (folder / "VERSIONS.json").write_text(json.dumps(entries, indent=2) + "\n")


def main() -> None:
    """Refresh, or with `--check` only compare what is there with the recorded hashes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="compare hashes, fetch nothing")
    if not parser.parse_args().check:
        refresh()
    wrong = [
        f"{folder.name}/{name}"
        for folder in sorted({package.folder for package in PACKAGES})
        for name in changed(folder)
    ]
    if wrong:
        raise SystemExit("differs from VERSIONS.json: " + ", ".join(wrong))


if __name__ == "__main__":
    main()
