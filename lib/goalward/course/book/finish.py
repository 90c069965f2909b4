"""What Sphinx leaves to do in a finished site: markup, weight, pictures, notebooks."""

import re
import shutil
from pathlib import Path

from goalward.course.book import content, gallery

_SIGNATURE_LIST = re.compile(r"<dl>((?:\s*<dd>.*?</dd>)+)\s*</dl>", re.DOTALL)
_MATHEMATICS = re.compile(
    r"\s*<script[^>]*>window\.MathJax.*?</script>|\s*<script[^>]*mathjax/[^>]*></script>"
)
# Half of a page's weight: icons as a script, beside the same icons as a font; and the search.
_ICONS = re.compile(r'\s*<script defer src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
_SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)


def finish(root: Path, new: Path) -> None:
    """Mend the pages; add the cards' pictures, and the notebooks as `goalward run` wrote them."""
    for path in new.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        mended = lighten(mend_markup(text), search=path.name == "search.html")
        if mended != text:
            path.write_text(mended, encoding="utf-8")
    gallery.write_pictures(root, new)
    for page in content.pairs(root):
        shutil.copyfile(root / "notebooks" / f"{page}.ipynb", new / "_sources" / f"{page}.ipynb")


def lighten(page: str, search: bool = False) -> str:
    """A page without the scripts that it does not need.

    Args:
        page: the page as Sphinx wrote it.
        search: whether it is the one that searches.
    """
    page = _ICONS.sub("", page)
    if 'class="math' not in page and "text_html" not in page.partition("<body")[2]:
        page = _MATHEMATICS.sub("", page)
    return page if search else _SEARCH.sub("", page)


def mend_markup(page: str) -> str:
    """A page without three things that Sphinx writes and screen readers stumble over.

    The arguments of a long signature are a list of definitions without terms; bibliographies
    have a role whose children are not what it asks for; the button that unfolds code has a name
    that is not the text on it.
    """

    def arguments(match: re.Match[str]) -> str:
        items = match[1].replace("<dd>", '<div class="argument">').replace("</dd>", "</div>")
        return f"<div>{items}</div>"

    page = page.replace(' aria-label="Toggle hidden content"', "")
    page = page.replace(' role="list" class="citation-list"', ' class="citation-list"')
    page = page.replace(' role="doc-biblioentry"', "")
    return _SIGNATURE_LIST.sub(arguments, page)
