"""A progress bar that leaves nothing behind in a notebook."""

from typing import Any

from IPython import get_ipython
from IPython.display import HTML, display
from tqdm import tqdm

from goalward.training.loop import Progress, terminal_progress


def bar(label: str, silent: bool) -> Progress:
    """A bar for where the code runs: a notebook, a terminal, or (`silent`) nowhere."""
    if silent:
        return tqdm(disable=True)
    if get_ipython() is None:
        return terminal_progress(label)
    return _NotebookBar(label)


class _NotebookBar:
    """A bar in one display, cleared at the end: no widget state, no standard error."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.total: Any = None
        self.done = 0
        self._handle = display(HTML(""), display_id=True)

    def update(self, n: int) -> None:
        self.done += n
        self._handle.update(
            HTML(
                f'<label>{self.label} <progress value="{self.done}" max="{self.total or 1}">'
                f"</progress> {self.done:,} of {self.total:,}</label>"
            )
        )

    def close(self) -> None:
        self._handle.update(HTML(""))
