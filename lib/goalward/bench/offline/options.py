"""Options that training on a data set shares with its comparisons."""

SIZES = (
    (
        "batch",
        int,
        "B",
        "transitions in a batch (1024; 256 of images; in runs of tmd 512, of mqe 256)",
    ),
    ("width", int, "W", "units of each of three hidden layers (512)"),
)
EXTRACTION = (
    ("extraction", str, "E", "how the policy follows the values: ddpg_bc or awr (the benchmark's)"),
    ("alpha", float, "R", "imitation's weight in ddpg_bc, sharpness in awr (the benchmark's)"),
)
