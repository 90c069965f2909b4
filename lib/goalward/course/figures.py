"""How the course draws: one style, colours by role, direct labels, uncertainty as bands."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from goalward.evaluation.intervals import interval

# Okabe and Ito's palette, which colour-blind readers can tell apart, by role.
COLORS = {
    "ours": "#0072B2",  # the chapter's method
    "second": "#D55E00",  # its main rival
    "third": "#009E73",
    "fourth": "#CC79A7",
    "fifth": "#E69F00",
    "sixth": "#56B4E9",
    "exact": "#000000",  # an oracle
    "muted": "#767676",  # a reference: chance, no planning
    "wall": "#4D4D4D",
}
SEQUENTIAL = "viridis"
DIVERGING = "PuOr"
WIDTH = 6.4
"""Width of a figure in inches: nine-point text stays readable on a phone."""

DPI = 144
STYLE: Any = {
    "figure.figsize": (WIDTH, 3.6),
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(
        color=[COLORS[c] for c in ("ours", "second", "third", "fourth", "fifth", "sixth")]
    ),
    "lines.linewidth": 1.8,
    "image.cmap": SEQUENTIAL,
}


def use_style() -> None:
    """Draw in the course's style from here on."""
    plt.rcParams.update(STYLE)


def band(
    ax: Axes,
    x: Float[np.ndarray, " x"],
    values: Float[np.ndarray, "seeds x"],
    color: str,
    label: str | None = None,
    **line: Any,
) -> None:
    """The mean over seeds as a line and its 95% confidence interval as a band.

    With `label` the line is named at its right end.
    """
    values = np.asarray(values, dtype=float)
    mean, low, high = np.array([interval(column) for column in values.T]).T
    ax.plot(x, mean, color=color, **line)
    ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    if label is not None:
        direct_label(ax, x[-1], mean[-1], label, color)


def direct_label(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    color: str,
    offset: tuple[float, float] = (5, 0),
    **text_options: Any,
) -> None:
    """Name a line beside its point (x, y), `offset` points away, in place of a legend."""
    ax.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        color=color,
        va=text_options.pop("va", "center"),
        annotation_clip=False,
        **text_options,
    )


def direct_labels(
    ax: Axes,
    x: float,
    ends: Mapping[str, float],
    colors: Mapping[str, str],
    gap: float,
    **text_options: Any,
) -> None:
    """Name several lines beside their ends (x, y), moved apart where they would overlap.

    Args:
        ends: where each line ends, by its name.
        colors: of each name.
        gap: the least distance between two labels, in the unit of the vertical axis.
    """
    names = sorted(ends, key=lambda name: ends[name])
    places: list[float] = []
    for name in names:
        places.append(max([ends[name], *(p + gap for p in places[-1:])]))
    top = max(ends.values(), default=0.0)
    for back in range(1, len(places) + 1):  # what was pushed above the highest line comes down
        places[-back] = min(places[-back], top - gap * (back - 1))
    for name, y in zip(names, places, strict=True):
        direct_label(ax, x, y, name, colors[name], **text_options)


def heatmap(
    ax: Axes,
    values: Float[np.ndarray, "rows columns"],
    title: str = "",
    **image: Any,
) -> Any:
    """A map of a grid, NaN (walls) in grey; returns the image, for a colour bar."""
    colormap = mpl.colormaps[image.pop("cmap", SEQUENTIAL)].with_extremes(bad=COLORS["wall"])
    picture = ax.imshow(np.ma.masked_invalid(values), cmap=colormap, **image)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return picture


def png(fig: Figure) -> bytes:
    """The figure as a small PNG, the same bytes for the same picture; closes the figure."""
    picture = _render(fig, DPI).quantize(colors=256, method=Image.Quantize.FASTOCTREE)
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def webp(fig: Figure, dpi: int = 100) -> bytes:
    """The figure as a small WebP, for an explorer's frame; closes the figure."""
    out = io.BytesIO()
    _render(fig, dpi).save(out, format="WEBP", quality=70, method=6)
    return out.getvalue()


def _render(fig: Figure, dpi: int) -> Image.Image:
    raw = io.BytesIO()
    fig.savefig(raw, format="png", dpi=dpi)
    plt.close(fig)
    return Image.open(raw).convert("RGB")


def base64_text(data: bytes) -> str:
    """Bytes as text, for a page."""
    return base64.b64encode(data).decode("ascii")
