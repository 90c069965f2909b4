"""What a run that learns while acting is asked to do."""

from dataclasses import dataclass

from goalward.bench.data.names import Unknown, check_seed
from goalward.training.online import Rounds

FREE = ("steps", "eval_every", "eval_episodes", "checkpoint_every", "keep")
"""Settings that may change when a run goes on: they touch no update."""
COUNTS = ("steps", "seeds", "batch", "width", "depth", "eval_episodes", "keep")
"""Settings that are at least 1."""
OWN = -1
"""A number that follows from the other settings."""
STEPS_PER_UPDATE = 16
"""Steps of the environments for each update where no number of updates is asked for."""
KEPT = 10_000
"""Transitions of each environment that are kept where no capacity is asked for."""


@dataclass(frozen=True)
class OnlineSettings:
    """What a run is asked to do. Steps are those of all environments together, resets included.

    Attributes:
        method: one of `goalward.bench.online.presets.METHODS`.
        env: the environment's name, or `path/to/file.py:name`.
        steps: in all; whole rounds are made.
        seeds: learners side by side, each in environments of its own.
        seed: from which everything random follows.
        envs: environments of each learner.
        unroll: steps of each environment in a round.
        updates: gradient steps in a round; `OWN` stands for one each `STEPS_PER_UPDATE` steps.
        warmup_rounds: rounds at the beginning that only collect.
        batch: transitions in a batch.
        width: units of each hidden layer.
        depth: hidden layers of each network.
        learning_rate: Adam's step size.
        gamma: the discount.
        energy: how contrastive RL compares encodings; the method's own if None.
        loss: what it trains them with; the method's own if None.
        penalty: weight of the squared log partition function; the method's own if None.
        capacity: transitions kept for each learner; `OWN` stands for `KEPT` an environment.
        blocks: parts of the environments, shared by the devices.
        physics: what computes a body: `jax`, `warp` or `native`.
        light_checkpoints: whether checkpoints leave out the replay buffer.
        eval_every: steps between evaluations; `OWN` stands for a twentieth of the run.
        eval_episodes: episodes in an evaluation.
        checkpoint_every: steps between checkpoints; `OWN` stands for a tenth of the run.
        keep: how many checkpoints are kept.
    """

    method: str
    env: str
    steps: int
    seeds: int = 1
    seed: int = 0
    envs: int = 256
    unroll: int = 62
    updates: int = OWN
    warmup_rounds: int = 0
    batch: int = 256
    width: int = 256
    depth: int = 2
    learning_rate: float = 3e-4
    gamma: float = 0.99
    energy: str | None = None
    loss: str | None = None
    penalty: float | None = None
    capacity: int = OWN
    blocks: int = 1
    physics: str = "jax"
    light_checkpoints: bool = False
    eval_every: int = OWN
    eval_episodes: int = 128
    checkpoint_every: int = OWN
    keep: int = 2

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for field in COUNTS:
            if (value := getattr(self, field)) < 1:
                raise Unknown(f"--{field.replace('_', '-')} must be at least 1, not {value}")
        for field, own in (
            ("updates", self.envs * self.unroll // STEPS_PER_UPDATE),
            ("capacity", KEPT * self.envs),
            ("eval_every", self.steps // 20),
            ("checkpoint_every", self.steps // 10),
        ):
            value = getattr(self, field)
            if value == OWN:
                object.__setattr__(self, field, max(1, own))
            elif value < 1:
                raise Unknown(f"--{field.replace('_', '-')} must be at least 1, not {value}")
        if not self.learning_rate > 0:
            raise Unknown(f"--learning-rate must be above 0, not {self.learning_rate}")
        if not 0 <= self.gamma < 1:
            raise Unknown(f"--gamma must be at least 0 and below 1, not {self.gamma}")
        if self.penalty is not None and not self.penalty >= 0:
            raise Unknown(f"--penalty must be at least 0, not {self.penalty}")
        if self.warmup_rounds < 0:
            raise Unknown(f"--warmup-rounds must be at least 0, not {self.warmup_rounds}")
        if (waiting := self.warmup_rounds * self.sizes.per_round) >= self.steps:
            raise Unknown(
                f"nothing would be learnt: --warmup-rounds {self.warmup_rounds} are {waiting} "
                f"steps, and --steps is {self.steps}; take fewer rounds or more steps"
            )

    @property
    def sizes(self) -> Rounds:
        """Of a round.

        Raises:
            Unknown: they cannot be; it names the nearest that can.
        """
        try:
            return Rounds(
                self.envs,
                self.unroll,
                self.updates,
                self.capacity,
                warmup=self.warmup_rounds,
                blocks=self.blocks,
            )
        except ValueError as error:
            raise Unknown(f"these sizes cannot be: {error}") from None

    @property
    def ratio(self) -> str:
        """Updates to steps of the environments."""
        steps = self.sizes.per_round / self.updates
        return f"1:{steps:.3g}" if steps >= 1 else f"{1 / steps:.3g}:1"
