"""Where a student's code runs: a process with no network, no files, and little of everything.

Three ways, the first that works here is taken: bubblewrap; `unshare`, `chroot` and `setpriv` of
util-linux; or, if the caller accepts that, a plain process with limits alone.
"""

import json
import os
import random
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from goalward.course.assignments import worker

BUBBLEWRAP, UNSHARE, PLAIN = "bubblewrap", "unshare", "plain"
WEIGH_EVERY = 0.2  # seconds; a look at all processes takes some milliseconds
HOME, PROGRAM = "/sandbox", "/worker.py"
ENVIRONMENT = {
    "PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Limits:
    """How much a student's code may use."""

    start_seconds: float = 60.0  # numpy and jax on a busy machine
    cell_seconds: float = 20.0
    call_seconds: float = 10.0
    total_seconds: float = 120.0
    memory: int = 2 << 30  # bytes, for all processes together
    files: int = 64 << 20  # bytes, for the whole folder
    reply: int = 16 << 20  # bytes of JSON
    processes: int = 64  # threads count

    def of_process(self) -> dict[str, int]:
        """The limits that the worker puts on itself."""
        return {
            "RLIMIT_DATA": self.memory,
            "RLIMIT_FSIZE": self.files,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_NOFILE": 128,
            "RLIMIT_CPU": int(self.total_seconds + self.start_seconds),
        }


DEFAULT = Limits()


class Died(Exception):
    """The worker is gone: it took too long, too much, or left; the message says which."""


class Failed(Exception):
    """The student's code raised an exception: its type and message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message.splitlines()[0]}" if message else kind)
        self.kind = kind


class Worker:
    """A process that runs a student's cells and calls their functions.

    Raises:
        Died: from any method, when the worker is gone.
        Failed: from any method, when the student's code raised an exception.
    """

    def __init__(self, isolation: str, limits: Limits) -> None:
        self.limits = limits
        self.peak = 0  # bytes
        self._weighed = 0.0
        # A number that no other worker has, so that each has its own share of processes.
        user = random.SystemRandom().randrange(200_000, 2_000_000_000)
        self._process = subprocess.Popen(
            [*command(isolation, user, limits), json.dumps(limits.of_process())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT if isolation != PLAIN else {**ENVIRONMENT, **_needed_by_system()},
            cwd="/" if isolation != PLAIN else None,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        os.set_blocking(self._requests.fileno(), False)
        os.set_blocking(self._replies.fileno(), False)
        self.fresh(limits.start_seconds)

    def fresh(self, seconds: float = 5.0) -> None:
        """Forget all names that cells have defined."""
        self._ask({"fresh": True}, seconds)

    def cell(self, source: str, name: str, seconds: float) -> None:
        """Run a cell."""
        self._ask({"cell": source, "name": name}, seconds)

    def call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], seconds: float) -> Any:
        """Call a function that the cells have defined; its result as plain data."""
        request = {"call": name, "args": worker.encode(list(args)), "kwargs": worker.encode(kwargs)}
        try:
            return worker.decode(self._ask(request, seconds))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._end(f"it sent back something unreadable ({error})") from None

    def close(self) -> None:
        """End the worker and all that it has started."""
        self._weighed = 0.0
        self._weigh()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        self._requests.close()
        self._replies.close()

    def _end(self, why: str) -> Died:
        self.close()
        return Died(why)

    def _ask(self, request: dict[str, Any], seconds: float) -> Any:
        if self._process.poll() is not None:
            raise self._end("it ended the program")
        line = self._exchange(json.dumps(request).encode() + b"\n", time.monotonic() + seconds)
        try:
            reply = json.loads(line)
            if "error" in reply:
                raise Failed(str(reply["error"]), str(reply["message"]))
            return reply["value"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._end("it sent back something unreadable") from None

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        """Send a line and wait for one, watching time, memory and size."""
        begun, reply = time.monotonic(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            selector.register(self._requests, selectors.EVENT_WRITE)
            while True:
                for key, _ in selector.select(timeout=0.1):
                    try:
                        if key.fileobj is self._requests:
                            request = request[os.write(self._requests.fileno(), request) :]
                            if not request:
                                selector.unregister(self._requests)
                            continue
                        chunk = os.read(self._replies.fileno(), 1 << 16)
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        chunk = b""
                    if not chunk:
                        raise self._end("it ended the program")
                    reply += chunk
                    if chunk.endswith(b"\n"):
                        return bytes(reply)
                    if len(reply) > self.limits.reply:
                        raise self._end("its answer is too large")
                if time.monotonic() > deadline:
                    raise self._end(f"it took longer than {deadline - begun:.0f} s")
                if self._weigh() > self.limits.memory:
                    raise self._end(f"it took more than {self.limits.memory >> 30} GB of memory")

    def _weigh(self) -> int:
        """The memory of the worker and all that it has started, in bytes; a look now and then."""
        if time.monotonic() - self._weighed < WEIGH_EVERY:
            return 0
        total = 0
        try:
            family = psutil.Process(self._process.pid)
            for process in (family, *family.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.Error:
            pass  # gone in the meantime
        self.peak = max(self.peak, total)
        self._weighed = time.monotonic()
        return total


def command(isolation: str, user: int, limits: Limits) -> list[str]:
    """The command that starts the worker's program; it takes the limits as its last argument.

    Args:
        isolation: `BUBBLEWRAP`, `UNSHARE` or `PLAIN`.
        user: the number of the user it shall run as, where we may choose one.
        limits: what it may use.
    """
    program = [sys.executable, "-s", "-P"]
    if isolation == PLAIN:
        return [*program, str(worker.__file__)]
    drop = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    if os.geteuid() == 0:
        drop += [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    readable, masked, links = _places()
    if isolation == BUBBLEWRAP:
        return [*_bubblewrap(readable, masked, links, limits), *drop, *program, PROGRAM]
    return [*_unshare(readable, masked, links, limits), *drop, *program, PROGRAM]


def _bubblewrap(
    readable: list[str], masked: list[str], links: dict[str, str], limits: Limits
) -> list[str]:
    # Root needs no user namespace, and without one the worker can be a user of its own.
    spaces = ["ipc", "pid", "net", "uts", *([] if os.geteuid() == 0 else ["user"])]
    parts = ["bwrap", "--die-with-parent", "--new-session", "--unshare-cgroup-try"]
    parts += [f"--unshare-{space}" for space in spaces]
    for place in readable:
        for parent in reversed(Path(place).parents[:-1]):
            parts += ["--perms", "0755", "--dir", str(parent)]
        parts += ["--ro-bind", place, place]
        for mask in masked:
            if Path(mask).is_relative_to(place):
                parts += ["--tmpfs", mask]
    for link, target in links.items():
        parts += ["--symlink", target, link]
    parts += ["--ro-bind", str(worker.__file__), PROGRAM, "--proc", "/proc", "--dev", "/dev"]
    parts += ["--perms", "1777", "--size", str(limits.files), "--tmpfs", HOME, "--chdir", HOME]
    return [*parts, "--"]


# Builds a root of its own from read-only binds and an empty folder, and goes there for good.
_SCRIPT = """
set -e
root=$1; size=$2; program=$3; shift 3
mount -t tmpfs -o size=1m,mode=755 none "$root"
while [ "$1" != -- ]; do
  kind=$1; place=$2; shift 2
  case $kind in
    link) ln -s "$1" "$root$place"; shift; continue;;
    mask) mount -t tmpfs -o size=4k,mode=755 none "$root$place"; continue;;
    folder) mkdir -p "$root$place";;
    file) mkdir -p "$(dirname "$root$place")"; : > "$root$place";;
  esac
  mount --bind "$place" "$root$place"
  case $place in /dev/*) ;; *) mount -o remount,bind,ro,nosuid,nodev "$root$place";; esac
done
shift
: > "$root/worker.py"; mount --bind "$program" "$root/worker.py"
mkdir "$root/proc" "$root/sandbox"
mount -t proc none "$root/proc"
mount -t tmpfs -o "size=$size,mode=1777" none "$root/sandbox"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/env --chdir=/sandbox "$@"
"""


def _unshare(
    readable: list[str], masked: list[str], links: dict[str, str], limits: Limits
) -> list[str]:
    spaces = ["mount", "ipc", "pid", "net", "uts"]
    if os.geteuid() != 0:
        spaces += ["user", "map-root-user"]
    parts = ["unshare", *(f"--{space}" for space in spaces), "--fork", "--kill-child"]
    parts += ["sh", "-c", _SCRIPT, "sh", _empty_folder(), str(limits.files), str(worker.__file__)]
    for place in readable:
        parts += ["folder" if os.path.isdir(place) else "file", place]
        parts += [word for m in masked if Path(m).is_relative_to(place) for word in ("mask", m)]
    for link, target in links.items():
        parts += ["link", link, target]
    for device in ("null", "zero", "random", "urandom"):
        parts += ["file", f"/dev/{device}"]
    return [*parts, "--"]


def _places() -> tuple[list[str], list[str], dict[str, str]]:
    """What the worker may read, what of that is hidden from it, and the links of a merged /usr."""
    readable = ["/usr"]
    links = {}
    for name in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.islink(name):
            links[name] = os.readlink(name)
        elif os.path.isdir(name):
            readable.append(name)
    if os.path.isfile("/etc/ld.so.cache"):
        readable.append("/etc/ld.so.cache")
    package = Path(worker.__file__).parents[2]
    masked = [str(package)]
    for prefix in (sys.base_prefix, sys.prefix):
        prefix = os.path.realpath(prefix)
        if not any(Path(prefix).is_relative_to(place) for place in readable):
            readable.append(prefix)
    return readable, masked, links


@cache
def _empty_folder() -> str:
    """A folder to build a root on: what is mounted there is seen by the worker alone."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or "/var/tmp") / f"goalward-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


def _needed_by_system() -> dict[str, str]:
    """What Windows cannot start a Python without."""
    names = ("SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "HOME", "USERPROFILE")
    return {name: os.environ[name] for name in names if name in os.environ}


_trial = threading.Lock()


@cache
def works(isolation: str) -> bool:
    """Whether a worker starts here in this way."""
    tool = {BUBBLEWRAP: "bwrap", UNSHARE: "unshare", PLAIN: sys.executable}[isolation]
    if shutil.which(tool) is None:
        return False
    with _trial:
        try:
            Worker(isolation, DEFAULT).close()
        except (Died, Failed, OSError):
            return False
    return True


def strongest() -> str:
    """The strongest isolation that works here."""
    return next(way for way in (BUBBLEWRAP, UNSHARE, PLAIN) if works(way))
