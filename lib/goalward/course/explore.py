"""Explorers: sliders that move a picture, under a kernel and on a page without one."""

import html
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from goalward.course.figures import base64_text, webp

MAX_FRAMES = 12
MAX_BYTES = 20_000
_IMAGE = '<img alt="{alt}" src="data:image/webp;base64,{data}" style="max-width:100%">'


def explorer(
    sliders: Mapping[str, Sequence[Any]],
    frame: Callable[..., Figure],
    alt: Callable[..., str],
    start: Sequence[int] | None = None,
) -> widgets.VBox:
    """One or two sliders over precomputed frames, joined on the front end.

    Args:
        sliders: label of each slider and the values it takes, at most 12 frames in all.
        frame: draws the figure for one value of each slider, in their order.
        alt: says in words what that figure shows.
        start: the position that each slider starts at; the first, if left out.

    Raises:
        ValueError: with more than two sliders, more than 12 frames, or a frame over 20 kB.
    """
    names, values = list(sliders), [list(v) for v in sliders.values()]
    count = len(list(itertools.product(*values)))
    if not 1 <= len(names) <= 2 or count > MAX_FRAMES:
        raise ValueError(
            f"an explorer has one or two sliders and at most {MAX_FRAMES} frames, "
            f"not {len(names)} and {count}"
        )
    positions = list(start) if start is not None else [0] * len(names)
    controls = [
        widgets.SelectionSlider(
            options=[(str(v), i) for i, v in enumerate(options)],
            index=position,
            description=name,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="95%", max_width="480px"),
        )
        for name, options, position in zip(names, values, positions, strict=True)
    ]

    def picture(*value: Any) -> widgets.HTML:
        data = webp(frame(*value))
        if len(data) > MAX_BYTES:
            raise ValueError(
                f"the frame at {value} takes {len(data)} bytes; an explorer's frame has at most "
                f"{MAX_BYTES}: draw it smaller or plainer"
            )
        return widgets.HTML(_IMAGE.format(alt=html.escape(alt(*value)), data=base64_text(data)))

    def stack(children: list[Any], depth: int) -> widgets.Stack:
        pile = widgets.Stack(children, selected_index=positions[depth])
        widgets.jslink((controls[depth], "index"), (pile, "selected_index"))
        return pile

    if len(names) == 1:
        pile = stack([picture(v) for v in values[0]], 0)
    else:
        pile = stack([stack([picture(v, w) for w in values[1]], 1) for v in values[0]], 0)
    return widgets.VBox([*controls, pile])
