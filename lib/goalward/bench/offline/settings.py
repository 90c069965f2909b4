"""What a run of the benchmark is asked to do."""

from dataclasses import dataclass

from goalward.bench.data.names import Unknown, check_seed, parse
from goalward.bench.offline.presets import Options
from goalward.bench.offline.tuning import LEARNING_RATE, WIDTH, own_batch

FREE = ("steps", "log_every", "eval_every", "eval_episodes", "eval_workers",
        "checkpoint_every", "keep")  # fmt: skip
"""Settings that may change when a run goes on: they touch no update."""
COUNTS = (*FREE, "seeds", "batch", "width")
"""Settings that are at least 1."""
OWN = -1
"""A batch of the usual size, which depends on the method and the data set."""


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do.

    Attributes:
        method: one of `goalward.bench.offline.presets.METHODS`.
        env: the data set's name.
        steps: updates in all.
        seeds: learners trained side by side.
        seed: from which everything random follows.
        batch: transitions in a batch; `OWN` stands for the usual number.
        width: units of each hidden layer.
        learning_rate: Adam's step size.
        extraction: one of `presets.EXTRACTIONS`; the benchmark's choice if None.
        alpha: its number; the benchmark's if None.
        log_every: updates between logs, in one dispatch to the device.
        eval_every: updates between evaluations.
        eval_episodes: episodes of each task in an evaluation.
        eval_workers: threads that step the environments then.
        checkpoint_every: updates between checkpoints.
        keep: how many checkpoints are kept.
    """

    method: str
    env: str
    steps: int
    seeds: int = 1
    seed: int = 0
    batch: int = OWN
    width: int = WIDTH
    learning_rate: float = LEARNING_RATE
    extraction: str | None = None
    alpha: float | None = None
    log_every: int = 500
    eval_every: int = 100_000
    eval_episodes: int = 50
    eval_workers: int = 1
    checkpoint_every: int = 50_000
    keep: int = 3

    def __post_init__(self) -> None:
        if self.batch == OWN:
            object.__setattr__(self, "batch", own_batch(parse(self.env), self.method))
        for field in COUNTS:
            if (value := getattr(self, field)) < 1:
                raise Unknown(f"--{field.replace('_', '-')} must be at least 1, not {value}")
        if not self.learning_rate > 0:
            raise Unknown(f"--learning-rate must be above 0, not {self.learning_rate}")
        check_seed(self.seed)

    def options(self, action: int) -> Options:
        """What these settings choose for a method's preset.

        Args:
            action: how many numbers an action has, or how many there are to choose from.
        """
        return Options(
            action, self.width, self.batch, self.learning_rate, self.extraction, self.alpha
        )
