"""What one looks at first: gallery and scoreboard, before a browser sees them."""

import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

import toy
from goalward.course import claims, papers
from goalward.course.book import about, gallery, marks, scoreboard

CHAPTERS = papers.chapters(toy.ROOT)
LONGEST = 220


@pytest.mark.parametrize("slug", CHAPTERS)
def test_every_chapter_asks_its_question_in_bold_at_its_top(slug: str) -> None:
    """The rule: a paragraph before the first code, bold from end to end, with a question mark."""
    question = about.question(CHAPTERS[slug])
    assert question, "no paragraph is bold from end to end and ends with a question mark"
    assert len(question) <= LONGEST
    assert not set("$`_[]") & set(question), "a card shows it as plain text"


OPENING = """\
# %% [markdown]
# # A title
#
# *Somebody: Something.*
#
# **Not this.** But **is it
# this?**
#
# **You have one thing. Which
# is the other?**
#
# Reading takes about 25 minutes.

# %% [markdown]
# **Or this?**

# %%
x = 1

# %% [markdown]
# **Too late, is it not?** It takes 90 minutes.
"""


def test_title_question_and_minutes_are_read_from_the_opening(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(OPENING)
    assert about.title(source) == "A title"
    assert about.question(source) == "You have one thing. Which is the other?"
    assert about.reading(source) == "25 minutes"
    source.write_text('# %% [markdown]\n# # A title\n\n# %% tags=["hide-input"]\n# **No?**\n')
    assert (about.question(source), about.reading(source)) == ("", "–")


def test_a_card_s_picture_is_the_lead_with_its_words_or_what_an_explorer_shows() -> None:
    lead = about.picture(toy.ROOT, "cvl")
    assert lead
    assert lead.data == (toy.ROOT / "figures" / "cvl" / "lead.png").read_bytes()
    assert lead.alt.startswith("Three maps")
    frame = about.picture(toy.ROOT, "welcome")
    assert frame
    assert "γ = 0.9." in frame.alt, "the frame at which its slider starts"
    assert about.picture(toy.ROOT, "notation") is None


def test_a_thumbnail_is_small(tmp_path: Path) -> None:
    for slug in ("cvl", "welcome"):
        picture = about.picture(toy.ROOT, slug)
        assert picture
        data = about.thumbnail(picture)
        assert len(data) < 20_000
        (tmp_path / "x.webp").write_bytes(data)
        with Image.open(tmp_path / "x.webp") as image:
            assert image.width == about.WIDTH


def rows() -> list[dict]:
    """Rows with each verdict: one of each, two reproduced."""
    good, bad = {"bound": "> 3"}, {"bound": "< 0"}
    ours = {"bound_from": "oracle"}
    made = [good, good, {}, bad, good | ours, bad | ours]
    return [toy.judged(**changes) | {"claim": f"c{n}"} for n, changes in enumerate(made)]


def test_rows_of_the_paper_and_ours_are_counted_apart() -> None:
    found = marks.groups(rows())
    assert {name: marks.plain(chosen) for name, chosen in found.items()} == {
        "Paper": "✔✔◐✘",
        "Ours": "✔✘",
    }
    told = "2 reproduced, 1 weaker than the paper, 1 not reproduced"
    assert marks.in_words(found["Paper"]) == told
    assert f'role="img" aria-label="{told}"' in marks.picture(found["Paper"])
    assert marks.in_words(found["Ours"] * 2) == "2 hold, 2 do not hold"
    assert marks.totals(rows()) == (
        f"4 claims of papers: {told}. 2 bounds of ours: 1 holds, 1 does not hold."
    )
    assert set(marks.CLASSES) == set(claims.MARKS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one chapter of part 0 and one of part 1, the first recorded."""
    root = toy.repository(tmp_path, welcome=OPENING)
    path = root / "notebooks" / "1_predicting_the_future" / "cvl.py"
    path.parent.mkdir()
    path.write_text(OPENING.replace("A title", "Values | <b>"))
    toy.record(root, toy.source(root).read_text(), *rows())
    return root


def test_the_gallery_has_a_card_for_each_chapter_and_names_the_planned_ones(root: Path) -> None:
    text = gallery.page(root)
    assert "1 of 50 papers have their chapter. 4 claims of papers: 2 reproduced" in text
    assert '<a href="0_start/welcome.html">Start here</a>' in text
    cards = re.findall(r'<li class="part-\d">.*?</li>', text, re.DOTALL)
    assert len(cards) == 2
    assert "25 minutes · code 51 s" in cards[0]
    assert cards[0].count('class="marks"') == 2
    assert 'href="1_predicting_the_future/cvl.html">Values | &lt;b&gt;</a>' in cards[1]
    assert "25 minutes · not run yet" in cards[1]
    assert text.count(" Planned.</li>") == len(papers.places()) - 2
    for number in range(1, 10):
        assert f"## Part {number}. {papers.PARTS[number]}" in text


def test_jupyterlab_s_page_links_the_pairs(root: Path) -> None:
    path = gallery.write_lab_page(root)
    assert path == root / "notebooks" / "index.md"
    text = path.read_text(encoding="utf-8")
    assert "**Start here: [A title](0_start/welcome.ipynb)**" in text
    assert (
        '<tr><td width="260"></td><td><b><a href="0_start/welcome.ipynb">A title</a></b>'
        "<br>You have one thing. Which is the other?<br>25 minutes · code 51 s"
        "<br>Paper: ✔✔◐✘ 2 reproduced, 1 weaker than the paper, 1 not reproduced"
        "<br>Ours: ✔✘ 1 holds, 1 does not hold</td></tr>" in text
    )
    assert '<a href="1_predicting_the_future/cvl.ipynb">Values | &lt;b&gt;</a>' in text
    assert "Planned: TD InfoNCE, Contrastive RL" in text
    assert toy.git(root, "status", "--porcelain", "--", "notebooks/index.md") == ""


def test_jupyterlab_s_page_shows_pictures_that_exist() -> None:
    text = gallery.lab_page(toy.ROOT)
    pictures = re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]+)">', text)
    assert len(pictures) == len(list((toy.ROOT / "figures").glob("*/lead.png")))
    for place, words in pictures:
        assert (toy.ROOT / "notebooks" / place).is_file()
        assert words
    linked = re.findall(r'href="([^"]+\.ipynb)"', text)
    assert len(linked) == len(CHAPTERS)
    for place in linked:
        assert (toy.ROOT / "notebooks" / place).is_file()


def test_the_scoreboard_shows_what_was_measured_against_the_bound(root: Path) -> None:
    text = unescape(scoreboard.page(root))
    assert "**4 claims of papers: 2 reproduced, 1 weaker than the paper, 1 not" in text
    strip = re.findall(r'<a class="\w+" tabindex="-1" href="#(claim-welcome-c\d)"', text)
    assert len(strip) == 6
    for anchor in strip:
        assert text.count(f'id="{anchor}"') == 1
    assert '<a href="../0_start/welcome.html">A title</a>' in text
    row = re.search(r'<tr role="row" id="claim-welcome-c2".*?</tr>', text, re.DOTALL)
    assert row
    assert 'data-verdict="weaker than the paper" data-from="paper"' in row[0]
    assert "it needs <n/20> samples" in row[0]
    assert "5 seeds: data" in row[0]
    assert "the rival is tuned" in row[0]
    assert re.search(r'data-label="Measured">4\.90 \[\S+, \S+\]<', row[0])
    assert 'data-label="Paper">20×<' in row[0]
    assert 'data-label="Ratio">–<' in row[0]
    assert 'data-label="Bound">≥ 20 <small>(the paper)<' in row[0]
    assert "stale" not in text


def test_the_ratio_and_the_tolerance_stand_beside_the_paper_s_number(root: Path) -> None:
    row = toy.judged(number=20.0, bound="> 3", tolerance="a seventh of it: the paper's spread")
    toy.record(root, toy.source(root).read_text(), row)
    text = unescape(scoreboard.page(root))
    assert 'data-label="Ratio">0.245<' in text
    assert "> 3 <small>(the paper; a seventh of it: the paper's spread)<" in text


def test_what_was_not_reproduced_comes_first_with_its_reason(root: Path) -> None:
    text = scoreboard.page(root)
    first = text[text.index("## What was not") : text.index("## All claims")]
    paper, ours = first.split("### ")[1:]
    for said, anchor in ((paper, "c3"), (ours, "c5")):
        assert said.count("<li>") == 1
        assert f'href="#claim-welcome-{anchor}"' in said
        assert "Welcome: measured 4.90 [" in said
        assert "<em>Why:</em> the rival is tuned" in said


def test_the_scoreboard_marks_what_the_code_no_longer_shows(root: Path) -> None:
    toy.record(root, "# %%\nx = 2\n", toy.judged())
    assert scoreboard.page(root).count("<b>stale</b>") == 1
    assert scoreboard.page(root).count("<b>(stale)</b>") == 1


def test_a_run_on_a_gpu_has_rows_and_a_date_of_its_own() -> None:
    laptop = toy.judged() | {"slug": "cvl", "stale": False, "freshness": "current"}
    laptop |= {"date": "2026-01-31", "device": "a processor", "commit": None}
    gpu = laptop | {"scale": "gpu", "freshness": "dated", "commit": "abc1234"}
    text = scoreboard.of_rows([laptop, gpu], CHAPTERS)
    for anchor in ("chapter-cvl", "chapter-cvl-gpu", "claim-cvl-fewer", "claim-cvl-fewer-gpu"):
        assert text.count(f'id="{anchor}"') == 1
    assert "commit <code>abc1234</code> · as of its date" in text


def test_a_scoreboard_without_claims_says_so(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    assert scoreboard.page(root).endswith("No claim has been recorded yet.\n")
    assert "0 of 50 papers have their chapter." in gallery.page(root)
