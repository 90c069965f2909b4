"""The command line: `goalward run | restore | claims | papers | book | doctor | …`."""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from goalward.course.errors import Problem, Usage

SCALES = ("smoke", "laptop", "gpu")
# A cell's patience: a chapter takes seconds, a GPU run as long as it takes.
TIMEOUT = {"smoke": 300.0, "laptop": 600.0, "gpu": 7 * 86400.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 1 after a failure, 2 for a wrong call."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name may hold what UTF-8, or this terminal, cannot write.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except Problem as problem:
        return _complain(str(problem), problem.exit_status)
    except KeyboardInterrupt:
        return _complain("stopped; nothing was changed that was not finished", 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output, such as `head`, has left
        return 0
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _complain(f"{error.strerror or error}{where}", 1)


def _complain(line: str, status: int) -> int:
    print(f"goalward: {line}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="goalward",
        description="An interactive course on self-supervised reinforcement learning.",
        epilog="example:\n  goalward run td_infonce --scale smoke\n\n"
        "`goalward COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = _adder(parser)
    slug_help = "a chapter, such as td_infonce; all chapters if none is named"

    run = add(
        "run",
        _run,
        "execute chapters in fresh kernels; record their notebooks, figures and claims",
        "goalward run td_infonce interpolation --jobs 2",
    )
    run.add_argument("slugs", nargs="*", metavar="SLUG", help=slug_help)
    run.add_argument(
        "--scale",
        default="laptop",
        metavar="SCALE",
        help="smoke (seconds, records nothing), laptop (the default) or gpu (the paper's sizes)",
    )
    run.add_argument(
        "--jobs", type=int, metavar="N", help="chapters at a time; by default one a core, one a GPU"
    )
    run.add_argument("--stale", action="store_true", help="only chapters whose code changed")
    run.add_argument(
        "--prose", action="store_true", help="carry changed prose over without executing anything"
    )
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="how long a cell may take")

    restore = add(
        "restore",
        _restore,
        "give a played-with chapter back as it was committed, keeping your copy beside it",
        "goalward restore td_infonce",
    )
    restore.add_argument("slug", metavar="SLUG", help="the chapter")

    claims = add(
        "claims",
        _claims,
        "show what was claimed, what was measured, and whether it holds",
        "goalward claims td_infonce",
    )
    claims.add_argument("slugs", nargs="*", metavar="SLUG", help=slug_help)
    claims.add_argument("--json", action="store_true", help="as a JSON list")
    claims.add_argument(
        "--file",
        type=Path,
        metavar="CLAIMS.json",
        help="what a chapter left that was run as a script, not by `goalward run`: in the folder "
        "that GOALWARD_OUT named",
    )

    papers = add("papers", _papers, "list the fifty papers", "goalward papers --json")
    papers.add_argument("--json", action="store_true", help="as a JSON list")

    book = add(
        "book", _book, "build the book from the recorded notebooks", "goalward book --out site"
    )
    book.add_argument("--out", type=Path, metavar="FOLDER", help="where the pages go")
    book.add_argument("--quiet", action="store_true", help="say only what goes wrong")

    add(
        "gallery",
        _gallery,
        "write the page that JupyterLab opens on: every chapter, its picture and its marks",
        "goalward gallery && jupyter lab notebooks/index.md",
    )

    doctor = add(
        "doctor",
        _doctor,
        "say what this machine can run, and about how long it takes",
        "goalward doctor --profile td_infonce --scale smoke",
    )
    doctor.add_argument(
        "--profile",
        nargs="+",
        metavar="SLUG",
        help="run these chapters from an empty cache, and say what they compile and cost",
    )
    doctor.add_argument(
        "--scale", default="smoke", metavar="SCALE", help="the profile's scale: smoke or laptop"
    )

    from goalward.course.assignments.commands import register

    assignments = add(
        "assignments",
        None,
        "hand out exercises, grade what comes back, check your own",
        "goalward assignments release --out spring",
    )
    register(_adder(assignments))

    from goalward.bench import commands

    bench = add(
        "bench",
        None,
        "make OGBench data, and train on it at full size",
        "goalward bench collect --env pointmaze-medium-navigate-v0 --episodes 100 --out data",
    )
    add_to_bench = _adder(bench)

    def add_bench(name: str, run: Callable[[argparse.Namespace], int], *told: str) -> "_Parser":
        return add_to_bench(name, partial(_bench, run, name not in BARE), *told)

    commands.register(add_bench)
    from goalward.bench.sweep.commands import register as register_sweep

    register_sweep(lambda name, run, *told: add(name, partial(_bench, run, True), *told), _need)
    return parser


BARE = ("record", "compare", "parity")
"""Commands of `bench` that may do without its extra: on a GPU node there is often little else."""


def _bench(
    run: Callable[[argparse.Namespace], int], needy: bool, options: argparse.Namespace
) -> int:
    """Run a command of the bench room, which knows nothing of the course and its problems."""
    from goalward.bench.data.names import Mendable, Unknown

    if needy:
        _need("bench")
    try:
        return run(options)
    except ModuleNotFoundError:
        _need("bench")
        raise
    except Unknown as error:
        raise Usage(str(error)) from error
    except Mendable as error:
        raise Problem(str(error)) from error


def _adder(parser: "_Parser") -> Callable[..., "_Parser"]:
    """A function that adds commands to a parser."""
    commands = parser.add_subparsers(metavar="COMMAND")

    def explain(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(command=explain)

    def add(
        name: str, run: Callable[[argparse.Namespace], int] | None, does: str, example: str
    ) -> _Parser:
        sub: _Parser = commands.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}.",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if run is not None:
            sub.set_defaults(command=run)
        return sub

    return add


class _Parser(argparse.ArgumentParser):
    """argparse, complaining in one line; `~` in a path is the home folder, after `=` too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("type", Path, lambda text: Path(os.path.expanduser(text)))

    def error(self, message: str) -> Any:
        raise Usage(f"{message}; `{self.prog} --help` shows how")


def _root() -> Path:
    from goalward.course.papers import repository
    from goalward.course.run.record import recover

    root = repository()
    for slug in recover(root):
        print(f"goalward: finished what a stopped run of {slug} had left", file=sys.stderr)
    return root


def _need(extra: str) -> None:
    from goalward.course.run.doctor import EXTRAS, has_extra, mend

    if not has_extra(extra):
        raise Problem(f"to {EXTRAS[extra][1]}: {mend(extra)}")


def _run(options: argparse.Namespace) -> int:
    scale, jobs, timeout = options.scale, options.jobs, options.timeout
    _known_scale(scale)
    if jobs is not None and jobs < 1:
        raise Usage(f"--jobs is at least 1, not {jobs}")
    if timeout is not None and not timeout > 0:
        raise Usage(f"--timeout is a number of seconds above 0, not {timeout:g}")
    from goalward.course import papers
    from goalward.course.run import record

    root = _root()
    chosen = papers.choose(root, options.slugs)
    _need("lab")
    if options.stale:
        outdated = record.stale(root)
        chosen = {slug: path for slug, path in chosen.items() if slug in outdated}
    if not chosen:
        print("nothing to run: every chapter is as recorded")
        return 0
    if options.prose:
        return _carry_prose(root, chosen)
    return _execute(root, chosen, scale, jobs, timeout or TIMEOUT[scale])


def _known_scale(scale: str) -> None:
    if scale not in SCALES:
        raise Usage(f"no scale is called {scale!r}; there are {', '.join(SCALES)}")


def _carry_prose(root: Path, chosen: dict[str, Path]) -> int:
    from goalward.course.papers import pair_of
    from goalward.course.run import notebook
    from goalward.course.run.record import Stage

    status = 0
    for slug, source in chosen.items():
        try:
            with Stage(root, slug) as stage:
                stage.put(
                    pair_of(source),
                    notebook.write_text(notebook.with_prose(source)).encode(),
                )
                changed = (stage.folder / "new").is_dir()
                stage.place()
            print(f"{slug}: {'prose carried over' if changed else 'unchanged'}")
        except Problem as problem:
            status = _complain(str(problem), problem.exit_status)
    return status


def _execute(
    root: Path, chosen: dict[str, Path], scale: str, jobs: int | None, timeout: float
) -> int:
    from tqdm import tqdm

    from goalward.course.run.doctor import cores
    from goalward.course.run.execute import Result, Runner
    from goalward.course.run.fingerprint import code_cells

    cells = sum(len(code_cells(path.read_text("utf-8"))) for path in chosen.values())
    jobs = min(jobs or (1 if scale == "gpu" else cores()), len(chosen))
    with tqdm(total=cells, unit="cell", file=sys.stderr, disable=None, leave=False) as bar:

        def done(result: Result) -> None:
            bar.set_postfix_str(f"{result.slug} {'failed' if result.problem else 'done'}")

        runner = Runner(root, scale, timeout, tick=bar.update)
        results = runner.run_all(chosen, jobs, done)

    width = max(len("chapter"), *(len(slug) for slug in chosen))
    print(f"{'chapter':<{width}}  seconds  claims  status")
    for result in results:
        claims = f"{result.good}/{len(result.claims)}" if result.claims else "–"
        status = "failed" if result.problem else "recorded" if scale != "smoke" else "ran"
        if not result.problem and scale != "smoke" and not result.changed:
            status = "unchanged"
        print(f"{result.slug:<{width}}  {result.seconds:7.1f}  {claims:>6}  {status}")
    failed = [result for result in results if result.problem]
    for result in failed:
        _complain(f"{result.slug}: {result.problem}", 1)
    return 1 if failed else 0


def _restore(options: argparse.Namespace) -> int:
    from goalward.course import papers

    root = _root()
    (source,) = papers.choose(root, [options.slug]).values()
    from goalward.course.run.restore import restore

    print("\n".join(restore(root, source)))
    return 0


def _claims(options: argparse.Namespace) -> int:
    from goalward.course import papers
    from goalward.course.run import record

    if options.file is not None:
        return _claims_of_a_script(options)
    root = _root()
    rows = record.scoreboard(root, papers.choose(root, options.slugs))
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    if not rows:
        print("no claims are recorded yet: `goalward run` records them")
        return 0
    from goalward.course.claims import MARKS, format_measured, tally

    width = max(len(row["claim"]) for row in rows)
    heading = None
    for row in rows:
        if heading != (heading := (row["slug"], row["scale"])):
            commit = f", commit {row['commit']}" if row["commit"] else ""
            print(f"{row['slug']} at {row['scale']} scale, {row['date']}, {row['device']}{commit}")
        mark = "  (stale: the code changed since)" if row["stale"] else ""
        print(
            f"  {MARKS[row['verdict']]} {row['claim']:<{width}}  {format_measured(row):<24} "
            f"bound {row['bound']:<14} {row['verdict']}{mark}"
        )
    print(tally(rows))
    return 0


def _claims_of_a_script(options: argparse.Namespace) -> int:
    from goalward.course.claims import tally, to_text
    from goalward.course.run.record import read_claims

    if options.slugs:
        raise Usage("a file holds one chapter's claims: leave out SLUG or --file")
    rows = read_claims(options.file)
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    print(f"{options.file} at {rows[0]['scale']} scale")
    print(to_text(rows))
    print(tally(rows))
    return 0


def _papers(options: argparse.Namespace) -> int:
    from goalward.course import papers

    root = _root()
    rows = [
        {
            "part": p.part,
            "part_title": papers.PARTS[p.part],
            "order": p.order,
            "slug": p.slug,
            "title": p.title,
            "short": p.short,
            "authors": p.authors,
            "year": p.year,
            "arxiv": p.arxiv,
            "venue": p.venue,
            "prerequisites": list(p.prerequisites),
            "status": papers.status(root, p.slug),
        }
        for p in papers.papers()
    ]
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    part = None
    for row in rows:
        if part != (part := row["part"]):
            print(f"{row['part']}. {row['part_title']}")
        mark = "✔" if row["status"] == "chapter" else " "
        print(f"  {mark} {row['slug']:<28} {row['year']}  {row['title']}")
    return 0


def _book(options: argparse.Namespace) -> int:
    _need("book")
    from goalward.course.book.build import build

    print(build(options.out, options.quiet))
    return 0


def _gallery(options: argparse.Namespace) -> int:
    from goalward.course.book import gallery

    root = _root()
    print(gallery.write_lab_page(root).relative_to(root).as_posix())
    return 0


def _doctor(options: argparse.Namespace) -> int:
    root = _root()
    if options.profile is None:
        from goalward.course.run.doctor import examine

        print("\n".join(examine(root)))
        return 0
    from goalward.course import papers
    from goalward.course.run.profile import profile, report

    _known_scale(options.scale)
    for slug, source in papers.choose(root, options.profile).items():
        print("\n".join(report(profile(slug, source, options.scale))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
