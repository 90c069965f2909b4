"""The notebook pair: from a chapter's source to its executed notebook, byte for byte the same.

The `.py` in percent format is what people edit; the `.ipynb` beside it is what `goalward run`
writes. Cell and widget ids follow from the contents, and nothing in a pair tells the time, so
running an unchanged chapter again writes the same bytes.
"""

import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from goalward.course.errors import Problem
from goalward.course.papers import pair_of
from goalward.course.run.fingerprint import hash_text, tree_text

WIDGETS = "application/vnd.jupyter.widget-state+json"
FOLDED = "hide-input"
"""The tag of a cell that only draws or records: its code is one click away."""
_MODEL_ID = re.compile(r"[0-9a-f]{32}")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


def convert(source: Path) -> NotebookNode:
    """A chapter's source as a notebook without outputs, its cell ids made from their contents."""
    nb = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    nb.metadata = nbformat.from_dict(_METADATA)
    seen: dict[tuple[str, str], int] = {}
    for cell in nb.cells:
        content = (cell.cell_type, cell.source)
        seen[content] = seen.get(content, 0) + 1
        cell.id = hash_text(source.stem, *content, str(seen[content]))[:12]
        if FOLDED in cell.metadata.get("tags", []):
            # The book folds a cell by its tag, JupyterLab by this.
            cell.metadata["jupyter"] = {"source_hidden": True}
    nb.nbformat, nb.nbformat_minor = 4, 5
    return nb


def settle(nb: NotebookNode, slug: str) -> None:
    """Make an executed notebook the same at every run: streams whole, widget ids in order."""
    for cell in nb.cells:
        if cell.get("outputs"):
            cell.outputs = _whole_streams(cell.outputs)
    if "widgets" not in nb.metadata:
        return
    state = nb.metadata["widgets"][WIDGETS]["state"]
    order: dict[str, None] = {}
    outputs = json.dumps([cell.get("outputs", []) for cell in nb.cells])
    for name in _MODEL_ID.findall(outputs):
        _visit(name, state, order)
    for name in list(state):
        _visit(name, state, order)
    new = {old: hash_text(slug, "widget", str(i))[:32] for i, old in enumerate(order)}

    def rename(value: Any) -> Any:
        text = json.dumps(value)
        return json.loads(_MODEL_ID.sub(lambda m: new.get(m[0], m[0]), text))

    nb.metadata["widgets"][WIDGETS]["state"] = nbformat.from_dict(rename(state))
    for cell in nb.cells:
        if cell.get("outputs"):
            cell.outputs = nbformat.from_dict(rename(cell.outputs))


def _whole_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join what was printed to one stream: where a kernel cuts it is chance.

    Of a line that was overwritten by carriage returns, the last writing stays.
    """
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream" and "\r" in output.text:
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = "\n".join(line.rpartition("\r")[2] for line in lines)
    return joined


def _visit(name: str, state: dict[str, Any], order: dict[str, None]) -> None:
    """Number a widget, then those that it holds, depth first."""
    if name in state and name not in order:
        order[name] = None
        for inner in _MODEL_ID.findall(json.dumps(state[name].get("state", {}))):
            _visit(inner, state, order)


def stamp(nb: NotebookNode) -> str:
    """The hash of a notebook's code cells (as syntax trees), outputs and widgets."""
    cells = [
        (tree_text(cell.source), cell.get("outputs", []))
        for cell in nb.cells
        if cell.cell_type == "code"
    ]
    text = json.dumps([cells, nb.metadata.get("widgets", {})], sort_keys=True, ensure_ascii=False)
    return hash_text(text)


def write_text(nb: NotebookNode) -> str:
    """A stamped notebook as the text of its file."""
    nb.metadata["goalward"] = {"stamp": stamp(nb)}
    return str(nbformat.writes(nb)) + "\n"


def read(pair: Path) -> NotebookNode:
    """Read a notebook.

    Raises:
        Problem: if it is none.
    """
    try:
        return nbformat.read(pair, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise Problem(f"{pair.name} is not a notebook: {str(error).splitlines()[0]}") from error


def verify(source: Path) -> list[str]:
    """What is wrong with a chapter's pair, one line each; nothing if it is sound.

    A sound pair carries the stamp of `goalward run`, the code and prose of the source, and no
    errors or warnings.
    """
    pair = pair_of(source)
    if not pair.is_file():
        return [f"{pair.name} is missing: `goalward run {source.stem}` writes it"]
    nb, fresh = read(pair), convert(source)
    problems = []
    if nb.metadata.get("goalward", {}).get("stamp") != stamp(nb):
        problems.append(
            f"{pair.name} does not carry the stamp of `goalward run {source.stem}`: "
            "its code or outputs were changed by hand"
        )
    if _code(nb) != _code(fresh):
        problems.append(
            f"the code of {pair.name} is not that of {source.name}: `goalward run {source.stem}`"
        )
    elif _prose(nb) != _prose(fresh):
        problems.append(
            f"the prose, or what is folded, of {pair.name} is not that of {source.name}: "
            f"`goalward run --prose {source.stem}`"
        )
    problems += [f"{pair.name}: {line}" for line in faults(nb)]
    return problems


def faults(nb: NotebookNode) -> list[str]:
    """Errors and warnings among the outputs: cell, first line, what it said."""
    found = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"{name_cell(cell)}: {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                said = output.text.strip().splitlines() or [""]
                found.append(f"{name_cell(cell)} wrote to standard error: {said[0]}")
    return found


def name_cell(cell: NotebookNode) -> str:
    """How to name a code cell to a reader: the number that JupyterLab shows, and its first line."""
    lines = cell.source.strip().splitlines() or [""]
    return f"cell [{cell.get('execution_count')}] `{lines[0]}`"


def with_prose(source: Path) -> NotebookNode:
    """The pair with the prose of the source, its code and outputs as they are.

    Raises:
        Problem: if there is no pair, or its code is not the source's.
    """
    pair = pair_of(source)
    if not pair.is_file():
        raise Problem(f"{source.stem} has no notebook yet: `goalward run {source.stem}` writes it")
    nb, fresh = read(pair), convert(source)
    if nb.metadata.get("goalward", {}).get("stamp") != stamp(nb):
        raise Problem(
            f"{pair.name} was changed by hand: `goalward run {source.stem}` writes it anew"
        )
    if _code(nb) != _code(fresh):
        raise Problem(
            f"the code of {source.stem} changed, not only its prose: `goalward run {source.stem}`"
        )
    old = [cell for cell in nb.cells if cell.cell_type == "code"]
    new = [cell for cell in fresh.cells if cell.cell_type == "code"]
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count
    if "widgets" in nb.metadata:
        fresh.metadata["widgets"] = nb.metadata["widgets"]
    return fresh


def _code(nb: NotebookNode) -> list[str]:
    return [tree_text(cell.source) for cell in nb.cells if cell.cell_type == "code"]


def _prose(nb: NotebookNode) -> list[tuple[int, str]]:
    """Where each text stands, and which cells are folded."""
    return [
        (i, str(cell.metadata.get("jupyter")) if cell.cell_type == "code" else cell.source)
        for i, cell in enumerate(nb.cells)
    ]
