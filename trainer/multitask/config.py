"""What shapes joint training: how rows are sampled, how losses are weighed, and which tasks are kept apart."""

from typing import Final, Literal, get_args

from msgspec import Struct

from headrace.errors import UsageError
from trainer.text.finetuning.adaptation import Method

WeightingName = Literal["uncertainty", "pcgrad", "equal"]
WEIGHTINGS: Final[tuple[WeightingName, ...]] = get_args(WeightingName)


class MultitaskConfig(Struct, frozen=True, kw_only=True):
    """The recipe; a task alone is learnt by the same one."""

    weighting: WeightingName = "uncertainty"
    temperature: float = 2.0
    """A source of n rows is drawn in proportion to n ** (1 / temperature): 1 by its size, more evens sources out."""
    batch: int = 64
    """Rows of a step, over all tasks; a pair of texts is one row."""
    epochs: int = 3
    """Passes over as many rows as all tasks have together."""
    method: Method = Method.LORA
    learning_rate: float = 1e-3
    head_learning_rate: float = 1e-3
    apart: tuple[str, ...] = ("matching",)
    """Tasks that are learnt alone because sharing hurts them; docs/explanation/multitask-and-transfer.md says why."""

    def __post_init__(self) -> None:
        """Refuse what no training can be made of."""
        if self.temperature < 1:
            raise ValueError(f"temperature {self.temperature} must be 1 or more")
        if self.batch < 2 or self.epochs < 1:
            raise ValueError(f"batch {self.batch} must be 2 or more, and epochs {self.epochs} 1 or more")


def parse_weighting(name: str) -> WeightingName:
    """The weighting of that name.

    Raises:
        UsageError: there is none.
    """
    for known in WEIGHTINGS:
        if name == known:
            return known
    raise UsageError(f"--weighting {name}: it must be one of {', '.join(WEIGHTINGS)}")
