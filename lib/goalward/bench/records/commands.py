"""`goalward bench record`: a prepared list of measurements while a device is at hand."""

import argparse
from collections.abc import Callable
from pathlib import Path


def register(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    recording = add(
        "record",
        _record,
        "run a prepared list of measurements, each with a time limit, and keep what is finished",
        "goalward bench record --tiny --out runs/record --with jaxgcrl=jaxgcrl "
        "--with jaxgcrl_python=../jaxgcrl/venv/bin/python",
    )
    recording.add_argument(
        "list",
        nargs="?",
        type=Path,
        metavar="LIST.toml",
        help="[[part]] with name, command, seconds and perhaps variables; by default what is "
        "worth a quarter of an hour on a GPU",
    )
    recording.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where record.jsonl and results go"
    )
    recording.add_argument(
        "--with",
        dest="named",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what stands for {NAME} in the commands: env and data (a data set and its file), "
        "ogbench and jaxgcrl (checkouts), ogbench_python and jaxgcrl_python; parts that need "
        "another are left out",
    )
    recording.add_argument(
        "--only", action="append", metavar="PART", help="these parts alone; may be repeated"
    )
    recording.add_argument(
        "--tiny", action="store_true", help="sizes that try the default list on a CPU"
    )


def _record(options: argparse.Namespace) -> int:
    import goalward
    from goalward.bench.data.names import Unknown
    from goalward.bench.records.parts import parts
    from goalward.bench.records.record import LOG, read, run

    if options.tiny and options.list is not None:
        raise Unknown("--tiny is for the default list: leave out one of the two")
    chosen = parts(options.tiny) if options.list is None else read(options.list)
    if options.only:
        names = [part.name for part in chosen]
        for name in options.only:
            if name not in names:
                raise Unknown(f"no part is called {name!r}; there are {', '.join(names)}")
        chosen = [part for part in chosen if part.name in options.only]
    assert goalward.__file__ is not None
    named = {"notebooks": str(Path(goalward.__file__).resolve().parents[2] / "notebooks")}
    for pair in options.named:
        name, equals, value = pair.partition("=")
        if not (name.isidentifier() and equals and value):
            raise Unknown(f"--with is NAME=VALUE, not {pair!r}")
        named[name] = value
    lines = run(chosen, options.out, named, lambda line: print(line, flush=True))
    print(f"written to {options.out / LOG}")
    return int(any(line["status"] in ("failed", "out of time") for line in lines))
