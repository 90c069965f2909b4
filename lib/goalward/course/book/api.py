"""The library's reference pages: read from the sources as syntax trees, without importing them.

Docstrings are Markdown with `$…$` mathematics; their `Args:`-like sections become lists. Each
module, class and function becomes an entry of Sphinx's Python domain, so that it can be searched
for and linked to.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOMS = {
    "protocol": "The few types everyone shares: learner, agent, environment, data.",
    "tabular": "Finite decision processes and exact answers about them, in NumPy.",
    "losses": "Pure functions on arrays: InfoNCE and its kin, temporal differences.",
    "nets": "Networks: perceptrons, critics, quasimetrics.",
    "envs": "Things to act in, in pure JAX.",
    "data": "Trajectories, and how training batches are drawn from them.",
    "baselines": "Standard algorithms that the papers compare with, one file each.",
    "methods": "The papers' own methods, one file a paper.",
    "evaluation": "Rollouts, success rates, confidence intervals.",
    "training": "The loops: on recorded data, and while acting.",
    "bench.data": "The benchmark's data sets: their names, environments, recipes and files.",
    "bench.records": "Recorded runs and comparisons of speed, read with NumPy alone.",
    "bench.runs": "What runs share: their folder, checkpoints, curves.",
    "bench.offline": "Training on a data set at full size: settings, agents.",
    "bench.online": "Learning while acting at full size: bodies, agents, films of what they do.",
    "bench.official": "Ours beside the authors' own code: parity, reference runs, speed.",
    "bench.official.online": "The same beside JaxGCRL, and its environments in our loop.",
    "bench": "The commands of the benchmark.",
    "bench.sweep": "Grids of runs, on this machine or a Ray cluster: nothing lost, nothing twice.",
    "course": "What a chapter touches while it runs: scale, figures, explorers, claims.",
    "course.run": "Executing chapters, recording what they measured, telling what is stale.",
    "course.assignments": "Handing out exercises, and grading what comes back.",
    "course.book": "The book: its pages, its map, its build.",
    "cli": "The command line.",
}
_SECTION = re.compile(
    r"(Args|Attributes|Returns|Yields|Raises|Note|Notes|Example|Examples|Source|Sources):\s*(.*)$"
)
_FIELD = re.compile(r"([*\w][\w.*, |`]*?):\s+(.*)$")
_CODE_ARGS = ("Args", "Attributes", "Raises")


def api_pages(package: Path) -> dict[str, str]:
    """A page for each room of the package, and `index`, which lists them: name and MyST source."""
    pages: dict[str, str] = {}
    for room in ROOMS:
        modules = list(_modules(package, room))
        if not modules:
            continue
        parts = [f"# goalward.{room}", ROOMS[room]]
        for path in modules:
            parts += _module(path, package)
        pages[page_of(room)] = "\n\n".join(parts) + "\n"
    index = [
        "# The library",
        "One page a room. A room uses only the rooms above it in this list, so a reader can start "
        'at the top. Shapes stand in the annotations: `Float[Array, "batch dim"]` is a matrix '
        "of floats, and the same name is the same size within one call.",
        "\n".join(
            f"- [goalward.{room}]({page_of(room)}.md): {does}"
            for room, does in ROOMS.items()
            if page_of(room) in pages
        ),
    ]
    return {"index": "\n\n".join(index) + "\n"} | pages


def page_of(room: str) -> str:
    """The name of a room's page, such as `bench_data`."""
    return room.replace(".", "_")


def _modules(package: Path, room: str) -> Iterator[Path]:
    """A room's public modules: its one file, or the files directly in its folder."""
    folder = package.joinpath(*room.split("."))
    if folder.with_suffix(".py").is_file():
        yield folder.with_suffix(".py")
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            yield path


def _module(path: Path, package: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = path.relative_to(package.parent).with_suffix("").parts
    name = ".".join(names)
    parts = [
        f"## {names[-1].replace('_', ' ')}",
        f"```{{py:module}} {name}\n```",
        markdown(ast.get_docstring(tree)),
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _public(node):
            parts.append(_function(node, "function"))
        elif isinstance(node, ast.ClassDef) and _public(node):
            parts.append(_class(node))
    return parts


def _public(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return not node.name.startswith("_")


def _function(node: ast.FunctionDef, kind: str, depth: int = 3) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = node.args
    if kind == "method" and not _decorated(node, "staticmethod"):
        arguments.args = arguments.args[1:]
    signature = f"{node.name}({ast.unparse(arguments)}){returns}"
    options = []
    if _decorated(node, "property"):
        kind, signature = "property", node.name
        options = [f":type: {ast.unparse(node.returns)}"] if node.returns else []
    elif _decorated(node, "classmethod"):
        options = [":classmethod:"]
    elif _decorated(node, "staticmethod"):
        options = [":staticmethod:"]
    return _directive(kind, signature, options, [markdown(ast.get_docstring(node))], depth)


def _decorated(node: ast.FunctionDef, name: str) -> bool:
    return any(ast.unparse(d).split(".")[-1] == name for d in node.decorator_list)


def _class(node: ast.ClassDef) -> str:
    fields = [
        f"{ast.unparse(item.target)}: {ast.unparse(item.annotation)}"
        + (f" = {ast.unparse(item.value)}" if item.value is not None else "")
        for item in node.body
        if isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("_")
    ]
    body = [markdown(ast.get_docstring(node))]
    if fields:
        body.append("```python\n" + "\n".join(fields) + "\n```")
    body += [
        _function(item, "method")
        for item in node.body
        if isinstance(item, ast.FunctionDef)
        and (_public(item) or item.name == "__call__")
        and ast.get_docstring(item)
    ]
    return _directive("class", node.name, [], body, depth=4)


def _directive(
    kind: str, signature: str, options: Iterable[str], body: Iterable[str], depth: int
) -> str:
    fence = "`" * depth
    head = f"{fence}{{py:{kind}}} {signature}"
    return "\n".join([head, *options, "", "\n\n".join(filter(None, body)), fence])


def markdown(docstring: str | None) -> str:
    """A docstring in Google's style as Markdown: sections become lists, the rest stays.

    >>> print(markdown("Add.\\n\\nArgs:\\n    x: one\\n        number."))
    Add.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    - `x`: one number.
    """
    if not docstring:
        return ""
    lines = inspect.cleandoc(docstring).splitlines()
    out: list[str] = []
    index = 0
    while index < len(lines):
        match = _SECTION.match(lines[index])
        index += 1
        if not match:
            out.append(lines[index - 1])
            continue
        block: list[str] = []
        while index < len(lines) and (not lines[index].strip() or lines[index].startswith("  ")):
            block.append(lines[index])
            index += 1
        if out and out[-1].strip():
            out.append("")
        out += [*_section(match[1], match[2], block), ""]
    return "\n".join(out).strip()


def _section(name: str, first: str, block: list[str]) -> list[str]:
    text = inspect.cleandoc("\n".join(block)) if block else ""
    if name not in _CODE_ARGS:
        return [f"**{name}** {first}".rstrip(), *([""] if text and not first else []), text]
    items: list[str] = []
    for line in text.splitlines():
        field = None if line.startswith(" ") else _FIELD.match(line)
        if field:
            items.append(f"- `{field[1].strip('`')}`: {field[2]}")
        elif items:
            items[-1] += f" {line.strip()}"
        else:
            items.append(f"- {line.strip()}")
    return [f"**{name}**", "", *items]
