"""What a chapter shows, and what it leaves behind: nothing by hand, the record under a run."""

import base64
import io
import json
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import quick
from goalward.course import chapter, explore, figures
from goalward.course.chapter import attempt


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path_factory):
    for name in ("GOALWARD_SCALE", "GOALWARD_OUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("kept")))


def picture():
    fig, ax = plt.subplots()
    figures.heatmap(ax, np.array([[0.0, np.nan], [1.0, 2.0]]), "title")
    return fig


def test_sizes_are_those_of_the_scale(monkeypatch) -> None:
    table = {"seeds": (5, 5, 10), "steps": (10, 300, 50_000)}
    assert chapter.begin("demo").sizes(**table).steps == 300
    monkeypatch.setenv("GOALWARD_SCALE", "gpu")
    assert chapter.begin("demo").sizes(**table).steps == 50_000


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_only_at_smoke_scale_programs_are_compiled_without_optimisation(scale) -> None:
    script = (
        "import jax; from goalward.course import chapter; chapter.begin('demo'); "
        "print(jax.config.values['jax_disable_most_optimizations'])"
    )
    env = quick.optimised() | {"GOALWARD_SCALE": scale}
    run = [sys.executable, "-c", script]
    out = subprocess.run(run, env=env, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(scale == "smoke")


def test_a_file_beside_a_chapter_is_found_from_anywhere(tmp_path, monkeypatch) -> None:
    here = chapter.begin("estimators")
    beside = here.beside("estimators.py")
    assert beside.is_file()
    monkeypatch.chdir(tmp_path)
    assert here.beside("estimators.py") == beside
    assert here.beside(str(tmp_path)) == tmp_path  # an absolute path stays


def test_a_table_is_shown_as_one_and_read_as_text(monkeypatch) -> None:
    here, shown = chapter.begin("demo"), []
    monkeypatch.setattr(here, "_display", lambda what, **_: shown.append(what))
    here.table(["method", "a < b"], [["gcbc", "0.5"], ["qrl", "1 & 2"]])
    (both,) = shown
    assert both["text/plain"] == "method  a < b\ngcbc  0.5\nqrl  1 & 2"
    table = ElementTree.fromstring(both["text/html"]).find("table")
    assert [cell.text for cell in table.findall("thead/tr/th")] == ["method", "a < b"]
    assert [cell.text for cell in table.findall("tbody/tr/th")] == ["gcbc", "qrl"]
    assert [cell.text for cell in table.findall("tbody/tr/td")] == ["0.5", "1 & 2"]


def test_an_unknown_scale_names_the_three(monkeypatch) -> None:
    monkeypatch.setenv("GOALWARD_SCALE", "huge")
    with pytest.raises(ValueError, match="smoke, laptop, gpu"):
        chapter.begin("demo")


def run_chapter() -> None:
    here = chapter.begin("demo")
    here.show(picture(), alt="a map", caption="Look.", lead=True)
    here.claim(
        "one", "it holds", paper="—", measured=0.0, bound="<= 0", bound_from="oracle", kind="exact"
    )
    here.conclude()


def test_by_hand_nothing_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_chapter()
    assert list(tmp_path.iterdir()) == []


def test_under_a_run_claims_and_lead_picture_are_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GOALWARD_OUT", str(tmp_path))
    run_chapter()
    (row,) = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert (row["claim"], row["verdict"], row["scale"]) == ("one", "holds", "laptop")
    with Image.open(tmp_path / "lead.png") as lead:
        assert lead.width == int(figures.WIDTH * figures.DPI)


def test_a_claim_is_judged_once() -> None:
    here = chapter.begin("demo")
    evidence = {"paper": "—", "bound": "<= 0", "bound_from": "oracle", "kind": "exact"}
    here.claim("one", "…", measured=0.0, **evidence)
    with pytest.raises(ValueError, match="restart the kernel"):
        here.claim("one", "…", measured=0.0, **evidence)


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = figures.png(picture()), figures.png(picture())
    assert first == second
    assert len(first) < 60_000
    assert plt.get_fignums() == []


def test_a_band_is_drawn_between_the_ends_of_the_interval() -> None:
    _, ax = plt.subplots()
    values = np.random.default_rng(0).normal(size=(6, 3))
    figures.band(ax, np.arange(3), values, "k", "name")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), values.mean(0))
    assert ax.texts[0].get_text() == "name"
    plt.close("all")


def test_labels_of_lines_that_end_together_are_moved_apart() -> None:
    _, ax = plt.subplots()
    ends = {"a": 0.5, "b": 0.52, "c": 0.1, "d": 0.51}
    figures.direct_labels(ax, 1, ends, dict.fromkeys(ends, "k"), gap=0.1)
    placed = {text.get_text(): text.xy[1] for text in ax.texts}
    assert list(placed) == ["c", "a", "d", "b"]  # in the order of the lines
    assert placed == pytest.approx({"c": 0.1, "a": 0.32, "d": 0.42, "b": 0.52})
    plt.close("all")


def test_an_explorer_shows_the_frame_of_each_position() -> None:
    seen = []

    def frame(gamma, horizon):
        seen.append((gamma, horizon))
        return picture()

    box = explore.explorer(
        {"γ": [0.5, 0.9], "T": [1, 2, 3]}, frame, lambda g, t: f"γ is {g} & T {t}", start=(1, 0)
    )
    first, second, stack = box.children
    assert seen == [(g, t) for g in (0.5, 0.9) for t in (1, 2, 3)]
    assert [len(inner.children) for inner in stack.children] == [3, 3]
    assert 'alt="γ is 0.9 &amp; T 3"' in stack.children[1].children[2].value
    assert (first.index, stack.selected_index) == (1, 1)
    assert (second.index, stack.children[0].selected_index) == (0, 0)
    data = stack.children[0].children[0].value.partition("base64,")[2].partition('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(data))).format == "WEBP"


@pytest.mark.parametrize("sliders", [{}, {"a": range(13)}, {"a": [1], "b": [1], "c": [1]}])
def test_an_explorer_stays_small(sliders) -> None:
    with pytest.raises(ValueError, match="at most 12 frames"):
        explore.explorer(sliders, lambda *_: picture(), lambda *_: "")


def test_a_heavy_frame_is_refused() -> None:
    def noise(_):
        fig, ax = plt.subplots()
        ax.imshow(np.random.default_rng(0).random((400, 400)), cmap="prism")
        return fig

    with pytest.raises(ValueError, match="at most 20000"):
        explore.explorer({"a": [1]}, noise, lambda _: "")


def check_double(student):
    """Twice the argument."""
    assert student(2) == 4, "double(2) should be 4"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda x: None, "not attempted yet"),
        (lambda x: x, "double(2) should be 4"),
        (lambda x: x / 0, "ZeroDivisionError: division by zero"),
        (lambda x, y: x, "TypeError"),
        (lambda x: 2 * x, "✔"),
    ],
)
def test_an_exercise_answers_in_one_line(answer, line) -> None:
    assert line in attempt(check_double, answer)
    assert "\n" not in attempt(check_double, answer)
