"""The notebook pair: ids that stay, a stamp that tells, prose that is carried over."""

import copy
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

import toy
from goalward.course.errors import Problem
from goalward.course.papers import pair_of
from goalward.course.run import notebook

CELLS = ["x = 1", "print(x)", "x = 1", "y = 2"]


def write_source(path: Path, code: list[str], prose: str = "Hello.") -> Path:
    cells = [f"# %% [markdown]\n# {prose}\n", *(f"# %%\n{c}\n" for c in code)]
    path.write_text("\n".join(cells), encoding="utf-8")
    return path


def write_pair(source: Path) -> nbformat.NotebookNode:
    """A pair as a run would leave it."""
    nb = notebook.convert(source)
    for number, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{number}\n")]
    pair_of(source).write_text(notebook.write_text(nb), encoding="utf-8")
    return nb


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "chapter.py", CELLS)


def test_conversion_is_deterministic_and_valid(source: Path) -> None:
    nb = notebook.convert(source)
    nbformat.validate(nb)
    assert [c.source for c in nb.cells] == ["Hello.", *CELLS]
    assert [c.cell_type for c in nb.cells] == ["markdown"] + ["code"] * 4
    ids = [c.id for c in nb.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.write_text(nb) == notebook.write_text(notebook.convert(source))


@given(
    st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3"]), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_cell_ids_survive_an_insertion(
    tmp_path_factory: pytest.TempPathFactory, code: list[str], at: int
) -> None:
    path = tmp_path_factory.mktemp("ids") / "chapter.py"
    before = [c.id for c in notebook.convert(write_source(path, code)).cells]
    more = [*code[:at], "new = 0", *code[at:]]
    after = [c for c in notebook.convert(write_source(path, more)).cells if c.source != "new = 0"]
    assert [c.id for c in after] == before


def widgets(names: list[str], order: list[int]) -> nbformat.NotebookNode:
    """A notebook that shows a box of widgets, its state stored in some order."""
    box, left, right, link = names
    state = {
        box: {"state": {"children": [f"IPY_MODEL_{left}", f"IPY_MODEL_{right}"]}},
        left: {"state": {"value": 1}},
        right: {"state": {"value": 2}},
        link: {"state": {"source": [f"IPY_MODEL_{left}", "value"]}},
    }
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": box}}
    cell = nbformat.v4.new_code_cell(
        "show()", id="a", outputs=[nbformat.v4.new_output("display_data", data=view)]
    )
    nb = nbformat.v4.new_notebook(cells=[cell])
    keys = [list(state)[i] for i in order]
    nb.metadata["widgets"] = nbformat.from_dict(
        {notebook.WIDGETS: {"state": {k: state[k] for k in keys}}}
    )
    return nb


@given(st.lists(st.uuids(), min_size=8, max_size=8, unique=True), st.permutations(range(4)))
def test_widget_ids_depend_on_their_place_alone(ids: list, order: list[int]) -> None:
    names = [i.hex for i in ids]
    one, other = widgets(names[:4], [0, 1, 2, 3]), widgets(names[4:], order)
    for nb in (one, other):
        notebook.settle(nb, "slug")
    assert notebook.write_text(one) == notebook.write_text(other)
    state = one.metadata["widgets"][notebook.WIDGETS]["state"]
    assert len(state) == 4
    box = one.cells[0].outputs[0].data["application/vnd.jupyter.widget-view+json"].model_id
    left = state[box].state.children[0].removeprefix("IPY_MODEL_")
    assert state[left].state.value == 1


def test_streams_are_whole_wherever_the_kernel_cut_them() -> None:
    def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
        return nbformat.v4.new_output("stream", name=name, text=text)

    def settled(*outputs: nbformat.NotebookNode) -> list[tuple[str, str]]:
        cell = nbformat.v4.new_code_cell("f()", outputs=list(outputs))
        notebook.settle(nb := nbformat.v4.new_notebook(cells=[cell]), "slug")
        return [(o.name, o.text) for o in nb.cells[0].outputs]

    assert settled(stream("a\nb"), stream("c\n")) == [("stdout", "a\nbc\n")]
    assert settled(stream("1%\r2"), stream("%\r\nend\n")) == [("stdout", "2%\nend\n")]
    assert settled(stream("a"), stream("b", "stderr")) == [("stdout", "a"), ("stderr", "b")]
    long = "x" * 3_000_000
    assert settled(stream(long)) == [("stdout", long)]


def test_a_fresh_pair_is_sound(source: Path) -> None:
    write_pair(source)
    assert notebook.verify(source) == []


def test_layout_and_comments_leave_a_pair_sound(source: Path) -> None:
    write_pair(source)
    write_source(source, ["x=1  # one", "print( x )", "x = 1", "y = 2"])
    assert notebook.verify(source) == []


def test_no_pair_is_a_problem(source: Path) -> None:
    assert "goalward run chapter" in notebook.verify(source)[0]


def meddle(nb: nbformat.NotebookNode, how: str) -> None:
    if how == "output":
        nb.cells[1].outputs[0].text = "2\n"
    elif how == "output gone":
        nb.cells[1].outputs = []
    elif how == "code":
        nb.cells[1].source = "x = 3"
    elif how == "cell gone":
        del nb.cells[2]
    elif how == "no stamp":
        del nb.metadata["goalward"]
    elif how == "widget":
        nb.metadata["widgets"] = {notebook.WIDGETS: {"state": {}}}


@pytest.mark.parametrize(
    "how", ["output", "output gone", "code", "cell gone", "no stamp", "widget"]
)
def test_a_pair_changed_by_hand_is_not_sound(how: str, source: Path) -> None:
    nb = copy.deepcopy(write_pair(source))
    meddle(nb, how)
    nbformat.write(nb, pair_of(source))
    assert any("stamp" in line for line in notebook.verify(source))


def test_code_that_moved_on_is_a_problem(source: Path) -> None:
    write_pair(source)
    write_source(source, ["x = 2", *CELLS[1:]])
    assert any("code" in line for line in notebook.verify(source))
    with pytest.raises(Problem, match="not only its prose"):
        notebook.with_prose(source)


def test_errors_and_warnings_are_problems(source: Path) -> None:
    nb = write_pair(source)
    nb.cells[1].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="careful\n"))
    nb.cells[2].outputs.append(nbformat.v4.new_output("error", ename="E", evalue="v"))
    pair_of(source).write_text(notebook.write_text(nb))
    first, second = notebook.verify(source)
    assert "cell [1] `x = 1` wrote to standard error: careful" in first
    assert "cell [2] `print(x)`: E: v" in second


def test_prose_is_carried_over_as_a_run_would_write_it(source: Path) -> None:
    write_pair(source)
    write_source(source, CELLS, prose="Good morning.")
    assert any("--prose" in line for line in notebook.verify(source))
    carried = notebook.write_text(notebook.with_prose(source))
    write_pair(source)
    assert carried == pair_of(source).read_text()
    assert notebook.verify(source) == []


def test_prose_is_not_carried_into_a_pair_changed_by_hand(source: Path) -> None:
    nb = write_pair(source)
    meddle(nb, "output")
    nbformat.write(nb, pair_of(source))
    with pytest.raises(Problem, match="changed by hand"):
        notebook.with_prose(source)


def test_a_damaged_pair_is_one_line(source: Path) -> None:
    pair_of(source).write_text("{")
    with pytest.raises(Problem, match="not a notebook"):
        notebook.verify(source)


@pytest.fixture
def jupyter(tmp_path: Path):
    """The part of JupyterLab that opens and saves pairs, in a toy repository."""
    root = toy.repository(tmp_path / "repository", welcome=toy.QUICK)
    write_pair(toy.source(root))
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)()
    manager.root_dir = str(root)
    return root, manager, "notebooks/0_start/welcome.ipynb"


def test_saving_an_unchanged_pair_leaves_the_source_as_it_is(jupyter) -> None:
    root, manager, name = jupyter
    before = toy.source(root).read_bytes()
    model = manager.get(name)
    # What JupyterLab adds by itself.
    model["content"]["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    model["content"]["metadata"]["language_info"]["version"] = "3.12.1"
    model["content"]["cells"][1]["metadata"].update(editable=True, scrolled=True, trusted=True)
    model["content"]["cells"][1]["execution_count"] = 7
    manager.save(model, name)
    assert toy.source(root).read_bytes() == before
    assert notebook.verify(toy.source(root)) == []


def test_saving_an_edit_reaches_the_source(jupyter) -> None:
    root, manager, name = jupyter
    model = manager.get(name)
    model["content"]["cells"][1]["source"] += "\nnew = 1"
    manager.save(model, name)
    assert "new = 1" in toy.source(root).read_text()


def test_the_source_wins_over_a_newer_notebook(jupyter) -> None:
    """A fresh clone has arbitrary times."""
    import os

    root, manager, name = jupyter
    source = toy.source(root)
    source.write_text(source.read_text().replace("value = 2", "value = 3"))
    os.utime(source, (1e9, 1e9))
    assert "value = 3" in manager.get(name)["content"]["cells"][1]["source"]


def folded(path: Path, tags: str) -> Path:
    path.write_text(f"# %% [markdown]\n# Hello.\n\n# %%{tags}\ndraw()\n", encoding="utf-8")
    return path


def test_a_cell_with_the_tag_is_folded_in_jupyterlab_too(tmp_path: Path) -> None:
    source = folded(tmp_path / "chapter.py", ' tags=["hide-input"]')
    cell = notebook.convert(source).cells[1]
    assert cell.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}


def test_a_pair_that_folds_other_cells_is_no_pair(tmp_path: Path) -> None:
    source = folded(tmp_path / "chapter.py", ' tags=["hide-input"]')
    write_pair(source)
    assert notebook.verify(source) == []
    folded(source, "")
    (problem,) = notebook.verify(source)
    assert "what is folded" in problem
    assert "--prose" in problem
    pair_of(source).write_text(notebook.write_text(notebook.with_prose(source)), encoding="utf-8")
    assert notebook.verify(source) == []
    assert "jupyter" not in notebook.read(pair_of(source)).cells[1].metadata
