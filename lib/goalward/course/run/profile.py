"""Where a chapter's time goes: how much is compiled, and what it costs from an empty cache.

A chapter runs as a plain script in a process of its own, on one thread, with nothing compiled yet.
JAX tells each compilation as it ends.
"""

import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from goalward.course.errors import Problem

COMPILING = "/jax/core/compile/backend_compile_duration"
TRACING = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
)
LOOP = "_run"
"""The function of `goalward.training.loop` that is compiled once a training loop."""
CPU_SECONDS = {"smoke": 15.0, "laptop": 60.0}
"""What a chapter may cost at each scale, in seconds of processor time."""
LOOPS = 2


@dataclass(frozen=True)
class Profile:
    """What one run of a chapter cost.

    Attributes:
        cpu: seconds of processor time of the whole process.
        compiled: how many programs were compiled.
        compiling: seconds that this took.
        tracing: seconds that preparing them took.
        loops: how many of them were training loops.
        slowest: the functions that took longest to compile: name, how often, seconds.
    """

    slug: str
    scale: str
    cpu: float
    compiled: int
    compiling: float
    tracing: float
    loops: int
    slowest: tuple[tuple[str, int, float], ...]


def profile(slug: str, source: Path, scale: str) -> Profile:
    """Run a chapter once and say what it cost.

    Raises:
        Problem: if the chapter fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "profile.json"
        environment = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "GOALWARD_OUT": folder,
            "GOALWARD_SCALE": scale,
            "JAX_COMPILATION_CACHE_DIR": str(Path(folder) / "compiled"),
            "MPLBACKEND": "Agg",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        }
        command = [sys.executable, "-m", __name__, str(source), str(told)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no word"]
            raise Problem(f"{slug}: {said[-1]}")
        seen = json.loads(told.read_text(encoding="utf-8"))
    return Profile(
        slug=slug,
        scale=scale,
        cpu=seen["cpu"],
        compiled=sum(seen["count"].values()),
        compiling=sum(seen["seconds"].values()),
        tracing=seen["tracing"],
        loops=seen["count"].get(LOOP, 0),
        slowest=tuple(
            (name, seen["count"][name], seconds)
            for name, seconds in Counter(seen["seconds"]).most_common(8)
        ),
    )


def report(found: Profile) -> list[str]:
    """A profile in lines, those over the budget marked."""
    allowed = CPU_SECONDS.get(found.scale, float("inf"))
    over = f" (over {allowed:g})" if found.cpu > allowed else ""
    many = f" (over {LOOPS})" if found.loops > LOOPS else ""
    lines = [
        f"{found.slug} at {found.scale} scale, from an empty cache, one thread",
        f"  processor time   {found.cpu:6.1f} s{over}",
        f"  compiled         {found.compiled:6d} programs in {found.compiling:.1f} s, prepared in "
        f"{found.tracing:.1f} s",
        f"  training loops   {found.loops:6d}{many}",
    ]
    for name, count, seconds in found.slowest:
        lines.append(f"  {seconds:6.1f} s  {count:3d} × {name}")
    return lines


def _watch(source: str, told: str) -> None:
    """Run a chapter in this process; write what was compiled."""
    import jax.monitoring

    count: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    tracing = 0.0

    def listen(event: str, duration_secs: float, **about: str | int) -> None:
        nonlocal tracing
        if event == COMPILING:
            name = str(about.get("fun_name", "?"))
            name = name.removeprefix("jit(").removesuffix(")")
            count[name] += 1
            seconds[name] += duration_secs
        elif event in TRACING:
            tracing += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    runpy.run_path(source, run_name="__main__")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seen = {
        "cpu": usage.ru_utime + usage.ru_stime,
        "count": count,
        "seconds": seconds,
        "tracing": tracing,
    }
    Path(told).write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    _watch(*sys.argv[1:])
