"""The three sizes of a chapter, and which one is on."""

import os

SCALES = ("smoke", "laptop", "gpu")


def current_scale() -> str:
    """The scale that `GOALWARD_SCALE` names; `laptop` where it names none.

    Raises:
        ValueError: if it names something else.
    """
    scale = os.environ.get("GOALWARD_SCALE") or "laptop"
    if scale not in SCALES:
        raise ValueError(f"GOALWARD_SCALE is {scale!r}; it can be {', '.join(SCALES)}")
    return scale
