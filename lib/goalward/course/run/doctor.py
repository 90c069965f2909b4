"""What this machine is, what is installed on it, and which chapters will run here in what time."""

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from goalward.course.papers import chapters
from goalward.course.run.record import records, versions

# One telling module of each optional extra, and what the extra is for.
EXTRAS = {
    "lab": (("jupyterlab", "jupytext", "nbclient", "matplotlib"), "open and run chapters"),
    "book": (("jupyter_book",), "build the book"),
    "test": (("pytest", "hypothesis", "beartype"), "run the tests"),
    "teach": (("nbgrader",), "grade assignments"),
    "bench": (("ogbench", "gymnasium", "orbax", "tensorboard"), "train on physics benchmarks"),
    "online": (("mujoco.mjx", "gymnasium", "ogbench"), "learn while acting, on MuJoCo MJX"),
    "warp": (("mujoco.mjx", "warp"), "let NVIDIA Warp compute MJX's physics"),
    "cluster": (("ray",), "sweep over a cluster"),
    "cuda": (("jax_cuda12_plugin", "jax_cuda13_plugin"), "compute on an NVIDIA GPU"),
}
# What a chapter needs at laptop scale: JAX, its compiler and a notebook's kernel.
MEMORY_GB = 2.0
DISK_GB = 1.0


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's model, as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_gb() -> float:
    """The machine's memory, in GB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def has_extra(name: str) -> bool:
    """Whether an optional extra is installed."""
    modules, _ = EXTRAS[name]
    return (any if name == "cuda" else all)(_found(module) for module in modules)


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it would be part of
        return False


def mend(name: str) -> str:
    """How to install an optional extra, in a clone or elsewhere."""
    return f'make setup-{name} (outside a clone: pip install "goalward[{name}]")'


def examine(root: Path) -> list[str]:
    """The report of `goalward doctor`, a line each."""
    disk = shutil.disk_usage(root).free / 1e9
    lines = [
        "Machine",
        f"  processor   {processor()}, {cores()} cores",
        f"  memory      {memory_gb():.0f} GB",
        f"  free disk   {disk:.0f} GB",
        f"  system      {platform.platform(terse=True)}",
        f"  devices     {_devices()}",
        "Versions",
        "  " + ", ".join(f"{name} {number}" for name, number in versions().items()),
        "Extras",
    ]
    for name, (_, purpose) in EXTRAS.items():
        lacking = "" if has_extra(name) else f": {mend(name)}"
        lines.append(f"  {'✔' if not lacking else '–'} {name:<8} {purpose}{lacking}")
    chromium = shutil.which("chromium")
    lacking = "" if chromium else ": their tests are skipped; install Debian's chromium or the like"
    mark = "✔" if chromium else "–"
    lines.append(f"  {mark} chromium tests of the book and of JupyterLab{lacking}")
    lines += ["Chapters, at laptop scale", *_chapters(root, disk)]
    return lines


def _chapters(root: Path, disk: float) -> list[str]:
    hindrances = []
    if not has_extra("lab"):
        hindrances.append(f"install first: {mend('lab')}")
    if memory_gb() < MEMORY_GB:
        hindrances.append(f"needs {MEMORY_GB:g} GB of memory")
    if disk < DISK_GB:
        hindrances.append(f"needs {DISK_GB:g} GB of free disk")
    lines = []
    for slug in chapters(root):
        record = records(root, slug).get("laptop")
        took = f"about {record['seconds']:.0f} s" if record else "never measured"
        where = f" on {record['device']}" if record else ""
        verdict = f"will not run: {'; '.join(hindrances)}" if hindrances else "will run"
        lines.append(f"  {slug:<24} {verdict}; {took}{where}")
    return lines or ["  none yet"]


def _devices() -> str:
    if find_spec("jax") is None:
        return "JAX is not installed: pip install goalward"
    import jax

    try:
        found = [f"{d.platform} ({d.device_kind})" for d in jax.devices()]
    except RuntimeError as error:
        return f"JAX finds none: {str(error).splitlines()[0]}"
    return ", ".join(found)
