"""Run chapters in fresh kernels, several at a time, and put what they leave into place."""

import ast
import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from goalward.course import cache
from goalward.course.claims import GOOD
from goalward.course.errors import Problem
from goalward.course.papers import pair_of
from goalward.course.run import notebook
from goalward.course.run.doctor import cores, processor
from goalward.course.run.fingerprint import fingerprint, frame
from goalward.course.run.record import Stage, claims_file, records, versions, with_record

# The kernel's own word on where JAX computed.
_DEVICE = (
    "[f'{d.platform} {d.device_kind}' for d in __import__('sys').modules['jax'].devices()][0]"
    " if 'jax' in __import__('sys').modules else 'cpu cpu'"
)


@dataclass
class Result:
    """How a chapter's run went. `problem` is one line, empty after success."""

    slug: str
    seconds: float
    claims: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""
    changed: bool = False

    @property
    def good(self) -> int:
        """How many claims came out as the paper says, or as our own bound asks."""
        return sum(row["verdict"] in GOOD for row in self.claims)


@dataclass(frozen=True)
class Runner:
    """Runs chapters of one repository at one scale.

    Args:
        root: the repository.
        scale: `smoke`, `laptop` or `gpu`.
        timeout: seconds that a cell may take; a cell that takes longer is a failure.
        tick: called after each executed cell.
    """

    root: Path
    scale: str
    timeout: float
    tick: Callable[[], None] = lambda: None
    kernels: set[AsyncKernelManager] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run_all(
        self, chapters: dict[str, Path], jobs: int, done: Callable[[Result], None]
    ) -> list[Result]:
        """Run chapters, the longest first, `jobs` at a time; results in the order given.

        Raises:
            KeyboardInterrupt: if stopped; all kernels are gone then and no pair is touched.
        """

        def last_time(slug: str) -> float:
            record = records(self.root, slug).get(self.scale)
            return -float(record["seconds"]) if record else 0.0

        results: dict[str, Result] = {}
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="chapter")
        with _terminable():
            try:
                futures = [
                    pool.submit(self.run, slug, chapters[slug])
                    for slug in sorted(chapters, key=last_time)
                ]
                for future in as_completed(futures):
                    result = future.result()
                    results[result.slug] = result
                    done(result)
            except BaseException:
                self.stopped.set()
                for kernel in list(self.kernels):
                    _kill(kernel)
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        pool.shutdown()
        return [results[slug] for slug in chapters]

    def run(self, slug: str, source: Path) -> Result:
        """Run one chapter; after success put its files into place."""
        started = time.monotonic()
        result = Result(slug, 0.0)
        try:
            with Stage(self.root, slug) as stage:
                text = source.read_bytes()
                nb = notebook.convert(source)
                device = asyncio.run(self._execute(nb, source, stage))
                result.seconds = time.monotonic() - started
                if faults := notebook.faults(nb):
                    raise Problem(faults[0])
                file = stage.out / "claims.json"
                result.claims = json.loads(file.read_text("utf-8")) if file.is_file() else []
                if self.scale != "smoke" and not self.stopped.is_set():
                    if source.read_bytes() != text:
                        raise Problem("its source changed while it ran; run it again")
                    self._stage_files(nb, source, stage, self._record(result, source, device))
                    result.changed = (stage.folder / "new").is_dir()
                    stage.place()
        except (Problem, OSError) as error:
            result.problem = _one_line(error)
        result.seconds = result.seconds or time.monotonic() - started
        return result

    def _stage_files(
        self, nb: NotebookNode, source: Path, stage: Stage, record: dict[str, Any]
    ) -> None:
        slug = source.stem
        if self.scale == "laptop":
            notebook.settle(nb, slug)
            stage.put(pair_of(source), notebook.write_text(nb).encode())
            for path in stage.out.iterdir():
                if path.name != "claims.json":
                    stage.put(self.root / "figures" / slug / path.name, path.read_bytes())
        stage.put(claims_file(self.root, slug), with_record(self.root, slug, record))

    def _record(self, result: Result, source: Path, device: str) -> dict[str, Any]:
        record = {
            "scale": self.scale,
            "seeds": max((row["seeds"] or 0 for row in result.claims), default=0) or None,
            "versions": versions(),
            "device": device,
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(result.seconds, 1),
            "fingerprint": fingerprint(source),
            "frame": frame(source),
            "claims": result.claims,
        }
        if self.scale == "gpu":
            record["commit"] = _commit(self.root)
        return record

    async def _execute(self, nb: NotebookNode, source: Path, stage: Stage) -> str:
        """Execute all cells in a fresh kernel; return the device that JAX used."""
        kernel = AsyncKernelManager(kernel_spec_manager=_ThisPython(), kernel_name="python3")
        client = NotebookClient(
            nb,
            km=kernel,
            timeout=self.timeout,
            raise_on_iopub_timeout=True,
            record_timing=False,
            shutdown_kernel="immediate",
        )
        cell = NotebookNode(source="", cell_type="code")
        self.kernels.add(kernel)
        try:
            with (stage.folder / "kernel.log").open("wb") as log:
                async with client.async_setup_kernel(
                    cleanup_kc=True,
                    env=self._environment(stage),
                    cwd=str(source.parent),
                    stdout=log,
                    stderr=log,
                ):
                    for index, cell in enumerate(nb.cells):
                        count = client.code_cells_executed + 1
                        began = time.monotonic()
                        await client.async_execute_cell(cell, index, execution_count=count)
                        if cell.cell_type == "code":
                            self.tick()
                        if time.monotonic() - began > self.timeout:
                            raise CellTimeoutError
                    client.set_widgets_metadata()
                    return await _device(client)
        except CellExecutionError as error:
            cell.execution_count = client.code_cells_executed
            said = str(error.evalue).strip().splitlines() or [""]
            raise Problem(f"{notebook.name_cell(cell)}: {error.ename}: {said[0]}") from error
        except (CellTimeoutError, TimeoutError) as error:
            cell.execution_count = client.code_cells_executed
            raise Problem(
                f"{notebook.name_cell(cell)} took longer than {self.timeout:g} s "
                "(--timeout allows more)"
            ) from error
        except (DeadKernelError, RuntimeError) as error:
            if self.stopped.is_set():
                raise Problem("stopped") from error
            if not client.code_cells_executed:
                said = (stage.folder / "kernel.log").read_text("utf-8", "replace").splitlines()
                raise Problem(" ".join(["the kernel did not start;", *said[-1:]])) from error
            cell.execution_count = client.code_cells_executed
            raise Problem(
                f"{notebook.name_cell(cell)}: the kernel died; was there memory enough?"
            ) from error
        finally:
            self.kernels.discard(kernel)
            # Left behind where a kernel does not start.
            atexit.unregister(client._cleanup_kernel)

    def _environment(self, stage: Stage) -> dict[str, str]:
        environment = {
            **os.environ,
            **cache.folders(self.root / "_build" / "home"),
            "GOALWARD_SCALE": self.scale,
            "GOALWARD_OUT": str(stage.out),
            "IPYTHONDIR": str(stage.folder / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONHASHSEED": "0",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        if self.scale != "gpu":
            # One thread a kernel, whatever runs beside it: the numbers don't depend on --jobs.
            environment |= dict.fromkeys(
                ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
            )
            flags = os.environ.get("XLA_FLAGS", "")
            environment["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
        return environment


class _ThisPython(KernelSpecManager):
    """Whatever kernels are installed for the user: a chapter runs in the Python that runs us."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


async def _device(client: NotebookClient) -> str:
    assert client.kc is not None
    message = client.kc.execute(
        "", silent=True, store_history=False, user_expressions={"d": _DEVICE}
    )
    reply = await client.async_wait_for_reply(message)
    assert reply is not None
    answer = reply["content"]["user_expressions"]["d"]
    name = ast.literal_eval(answer["data"]["text/plain"]) if answer["status"] == "ok" else "cpu cpu"
    return f"{processor()}, {cores()} cores" if name == "cpu cpu" else str(name)


def _kill(kernel: AsyncKernelManager) -> None:
    process = getattr(kernel.provisioner, "process", None)
    if process is not None and process.poll() is None:
        process.kill()


@contextmanager
def _terminable() -> Iterator[None]:
    """Being told to end is like Ctrl-C: kernels go, staged files go."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _commit(root: Path) -> str:
    """The commit that is checked out, with a `+` where tracked files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}; nothing was changed"
    return " ".join(str(error).split()) or type(error).__name__
