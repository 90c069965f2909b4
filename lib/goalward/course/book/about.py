"""What a chapter says of itself: its title, its question, how long it takes, its picture."""

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goalward.course import papers

_MINUTES = re.compile(r"(\d+)(?: to (\d+))? minutes")
_QUESTION = re.compile(r"\*\*([^*]+\?)\*\*")
_FRAME = re.compile(r'<img alt="(?P<alt>[^"]*)" src="data:image/webp;base64,(?P<data>[^"]+)"')
_WIDGETS = "application/vnd.jupyter.widget-state+json"
WIDTH = 480
"""Width of a card's picture in pixels: twice what it takes on a wide page."""


@dataclass(frozen=True)
class Picture:
    """A picture's file, as bytes, and what it shows, in words."""

    data: bytes
    alt: str


def title(source: Path) -> str:
    """A chapter's title: its first heading."""
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("# # "):
            return line.removeprefix("# # ").strip()
    return source.stem


def question(source: Path) -> str:
    """The question that a chapter asks; empty where it asks none.

    It is the first paragraph, in the text before the first code, that is bold from end to end and
    ends with a question mark.
    """
    for paragraph in _opening(source):
        if found := _QUESTION.fullmatch(paragraph):
            return found[1]
    return ""


def reading(source: Path) -> str:
    """How many minutes a chapter asks for, in the text before its first code."""
    if not (found := _MINUTES.search(" ".join(_opening(source)))):
        return "–"
    return f"{found[1]}–{found[2]} minutes" if found[2] else f"{found[1]} minutes"


def _opening(source: Path) -> Iterator[str]:
    """The paragraphs before a chapter's first code, each in one line."""
    text = re.split(r"\n# %%(?! \[markdown\])", source.read_text(encoding="utf-8"))[0]
    lines = [re.sub(r"^# ?", "", line).strip() for line in text.splitlines()]
    for paragraph in "\n".join(lines).split("\n\n"):
        yield " ".join(paragraph.split())


def picture(root: Path, slug: str) -> Picture | None:
    """A chapter's lead picture, or what its first explorer shows; None if it has neither."""
    source = papers.chapters(root)[slug]
    pair = papers.pair_of(source)
    notebook = json.loads(pair.read_text(encoding="utf-8")) if pair.is_file() else {}
    lead = root / "figures" / slug / "lead.png"
    if lead.is_file():
        data = lead.read_bytes()
        return Picture(data, _described(notebook, data) or title(source))
    states = notebook.get("metadata", {}).get("widgets", {}).get(_WIDGETS, {}).get("state", {})
    models = {key: entry["state"] for key, entry in states.items()}
    stack = next((m for m in models.values() if m.get("_model_name") == "StackModel"), None)
    while stack and "children" in stack:
        shown = stack["children"][stack["selected_index"] or 0]
        stack = models[shown.removeprefix("IPY_MODEL_")]
    if found := _FRAME.search(stack["value"] if stack else ""):
        return Picture(base64.b64decode(found["data"]), html.unescape(found["alt"]))
    return None


def _described(notebook: dict[str, Any], data: bytes) -> str:
    """What a notebook says of the picture with these bytes."""
    wanted = base64.b64encode(data).decode()
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            shown = output.get("data", {}).get("image/png", "")
            if "".join(shown).replace("\n", "") == wanted:
                said: str = output["metadata"]["image/png"].get("alt", "")
                return said
    return ""


def thumbnail(picture: Picture) -> bytes:
    """A picture as a small WebP file, for a card."""
    from PIL import Image

    with Image.open(io.BytesIO(picture.data)) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.save(out, "WEBP", quality=75, method=6)
    return out.getvalue()
