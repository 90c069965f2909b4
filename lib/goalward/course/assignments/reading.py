"""A student's notebook, whatever editors, browsers and shells have made of it.

Grading and checking at home read it here, so that both judge the same text.
"""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from goalward.course.assignments.files import read_untrusted, writable
from goalward.course.errors import Problem

LARGEST_TEXT = 10 << 20
"""Characters of all cells together."""
# A large file takes many times its size in memory: one at a time.
_alone = threading.Lock()


def notebook_of(file: Path) -> NotebookNode:
    """A student's notebook, without outputs and pictures; its lines end as Python's do.

    Raises:
        Problem: if it cannot be read; the message says why.
    """
    return parse(read_untrusted(file))


def parse(contents: bytes) -> NotebookNode:
    """The notebook that a file's contents make, see `notebook_of`.

    Raises:
        Problem: if they make none.
    """
    try:
        with _alone:
            # Editors on Windows save with a mark at the front, shells as UTF-16.
            text = contents.decode(json.detect_encoding(contents), errors="replace")
            data = _clean(_without_outputs(json.loads(text)))
        del text
        nb = nbformat.reads(json.dumps(data), as_version=4)
        size = 0
        for cell in nb.cells:
            if not (isinstance(cell.source, str) and isinstance(cell.cell_type, str)):
                raise TypeError("a cell without text")
            if not isinstance(cell.metadata.get("nbgrader", {}), dict):
                raise TypeError("nbgrader's metadata is not a dictionary")
            cell.source = re.sub("\r\n?", "\n", cell.source)
            size += len(cell.source)
    except Exception as error:  # whatever a stranger's file makes of the reader
        reason = (writable(str(error)).splitlines() or [type(error).__name__])[0][:100]
        raise Problem(f"this is not a notebook that can be read: {reason}") from error
    if size > LARGEST_TEXT:
        raise Problem(
            f"the notebook has {size / 2**20:.0f} MB of text; at most {LARGEST_TEXT >> 20} are read"
        )
    return nb


def _without_outputs(data: Any) -> Any:
    """A notebook's JSON without what nobody grades, in any version of the format."""
    for cell in _cells(data):
        if "outputs" in cell:
            cell["outputs"] = []
        cell.pop("attachments", None)
    if isinstance(data, dict) and isinstance(data.get("metadata"), dict):
        data["metadata"].pop("widgets", None)
    return data


def _cells(data: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(data, dict):
        return
    sheets = data.get("worksheets")
    for holder in [data, *(sheets if isinstance(sheets, list) else [])]:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        yield from (c for c in (cells if isinstance(cells, list) else []) if isinstance(c, dict))


def _clean(value: Any) -> Any:
    """The same data with text that UTF-8 can write."""
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {writable(key): _clean(item) for key, item in value.items()}
    return value
