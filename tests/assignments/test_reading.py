"""A notebook is read alike whatever editors and shells have made of its bytes."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

import toy_assignment
from goalward.course.assignments import files, reading
from goalward.course.errors import Problem

HALF = "\ud83d"


def text() -> str:
    return nbformat.writes(toy_assignment.answer())


def sources(contents: bytes) -> list[str]:
    return [cell.source for cell in reading.parse(contents).cells]


PLAIN = sources(text().encode())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-8"])
def test_marks_and_wide_characters_change_nothing(encoding: str) -> None:
    assert sources(text().encode(encoding)) == PLAIN


@pytest.mark.parametrize("end", ["\\r\\n", "\\r"])
def test_lines_end_as_pythons_do(end: str) -> None:
    assert sources(text().replace("\\n", end).encode()) == PLAIN
    assert not any("\r" in source for source in PLAIN)


def notebook(**cell: Any) -> bytes:
    whole = {"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 1", "outputs": []}
    whole |= {"execution_count": None, **cell}
    data = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [whole]}
    return json.dumps(data).encode()


def test_half_a_surrogate_pair_is_replaced_wherever_it_stands() -> None:
    nb = reading.parse(notebook(source=f"x = '{HALF}'", metadata={f"k{HALF}": [HALF]}))
    assert nb.cells[0].source == "x = '\ufffd'"
    nbformat.writes(nb).encode()
    assert reading.parse(notebook(source="x = '\U0001f600'")).cells[0].source == "x = '\U0001f600'"


def test_large_outputs_are_thrown_away_and_large_texts_refused(tmp_path: Path) -> None:
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 12**7}}
    nb = reading.parse(notebook(outputs=[picture]))
    assert nb.cells[0].outputs == []
    with pytest.raises(Problem, match=r"has 11 MB of text; at most 10 are read"):
        reading.parse(notebook(source="#" * (11 << 20)))


def test_a_file_beyond_all_measure_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.ipynb"
    file.write_bytes(bytes(2 << 20))
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    with pytest.raises(Problem, match="has 2 MB; at most 1 are read: clear its outputs"):
        reading.notebook_of(file)


def test_every_text_can_be_written_and_shown(tmp_path: Path) -> None:
    files.replace(tmp_path / "x", f"a{HALF}b")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "a\ufffdb"
    assert files.one_line(f" a\r\x1b[2Jb{HALF}\n") == "a  [2Jb\ufffd"
    assert files.readable_name(Path("Zoë\udcff\n")) == r"Zoë\xff\x0a"
