"""The training loop that every head shares: warm-up, clipping, accumulation, early stopping, best weights restored.

Every batch has a seed of its own, made from the fit's seed and the batch's number. Which process computes it, and
whether the run was broken off before it, makes no difference to its dropout.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from headrace.errors import ModelError
from trainer.training_loop.averaging import Average
from trainer.training_loop.checkpoint import State
from trainer.training_loop.processes import agree, average_gradients, processes, start_alike
from trainer.training_loop.run import Run
from trainer.training_loop.schedule import Schedule, rate

_CLIP: Final = 1.0


class OnProgress(Protocol):
    """Receives progress: what is under way, steps done, steps at most, and a note such as the validation loss."""

    def __call__(self, what: str, done: int, total: int, note: str) -> None: ...


class Plan(NamedTuple):
    """How long and how fast to fit."""

    what: str
    learning_rate: float
    epochs: int
    patience: int
    steps_per_epoch: int
    """Batches an epoch, on all processes together."""
    weight_decay: float = 0.0
    schedule: Schedule = "plateau"
    accumulate: int = 1
    """Batches a step takes on each process."""
    average: float = 0.0
    """Decay of the averaged weights, which are kept where they validate better; 0 for none."""


class Fitted(NamedTuple):
    """How a fit went: the best validation loss, the epoch that had it, and how many there were."""

    loss: float
    best_epoch: int
    epochs: int


def fit(
    module: nn.Module,
    losses: Callable[[], Iterator[Tensor]],
    validate: Callable[[], float],
    plan: Plan,
    on_progress: OnProgress,
    *,
    run: Run | None = None,
    rng: np.random.Generator | None = None,
) -> Fitted:
    """Fit a module and leave it with the weights of the epoch that validated best, in evaluation mode.

    Args:
        module: its parameters are fitted; those that need no gradient are left alone.
        losses: an epoch: yields one loss a batch, made from the module in training mode. Under `torchrun` it yields
            this process's share (`trainer.training_loop.processes.mine`).
        validate: the loss that decides, lower is better.
        run: where checkpoints go; with one, a fit that was broken off goes on where its last checkpoint stands.
        rng: the generator that `losses` draws from beside torch's, so that an epoch's order can be taken up again.

    Raises:
        ModelError: the training loss is not finite, or a checkpoint cannot be written or read.
    """
    return _Fit(module, losses, validate, plan, on_progress, run or Run(), rng or np.random.default_rng(0)).run()


@dataclass
class _At:
    """Where a fit stands: the part of a checkpoint that is plain numbers."""

    seed: int
    epoch: int = 0
    step: int = 0  # of the optimizer
    number: int = 0  # of the next batch, over all epochs and processes
    epoch_number: int = 0  # of this epoch's first batch
    taken: int = 0  # batches of this epoch, on all processes
    train_loss: float = 0.0  # summed over this process's batches of the epoch
    stalls: int = 0
    best: float = math.inf
    best_epoch: int = 0
    note: str = ""
    finished: bool = False


class _Fit:
    """The state of a fit; a checkpoint holds where it stands, weights, optimizer, average, best weights, generator."""

    def __init__(
        self,
        module: nn.Module,
        losses: Callable[[], Iterator[Tensor]],
        validate: Callable[[], float],
        plan: Plan,
        on_progress: OnProgress,
        run: Run,
        rng: np.random.Generator,
    ) -> None:
        self._module, self._losses, self._validate = module, losses, validate
        self._plan, self._on_progress, self._run, self._rng = plan, on_progress, run, rng
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
        )
        start_alike(module)
        self._average = Average(module, plan.average) if plan.average else None
        self._processes = processes()
        self._epoch_start: Mapping[str, Any] = rng.bit_generator.state
        self._best_weights: dict[str, Tensor] = {}
        self._at = _At(seed=int(torch.randint(2**62, ()).item()))

    def run(self) -> Fitted:
        """Go on from the checkpoint or from the start, to the end."""
        torch_state = torch.get_rng_state()
        skip = self._start()
        while not self._at.finished:
            self._epoch(skip)
            self._judge()
            skip = 0
        self._module.load_state_dict(self._best_weights)
        self._module.eval()
        # What comes after this fit draws the same numbers however many batches were drawn here.
        torch.set_rng_state(torch_state)
        at = self._at
        return Fitted(at.best, at.best_epoch, at.epoch)

    def _start(self) -> int:
        """Load the checkpoint; returns the batches of the open epoch that were taken before it."""
        checkpoints = self._run.checkpoints
        state = checkpoints.load(self._plan.what) if checkpoints else None
        if state is not None:
            self._restore(state)
            return self._at.taken
        self._module.eval()
        self._keep_if_best(0)
        return 0

    def _epoch(self, skip: int) -> None:
        at, plan = self._at, self._plan
        self._module.train()
        batches = self._losses()
        if skip:
            self._skip(batches, skip)
        else:
            at.train_loss, at.taken, at.epoch_number = 0.0, 0, at.number
        while counted := self._step(batches):
            at.step += 1
            at.number += plan.accumulate * self._processes.world
            at.taken += counted
            self._on_progress(plan.what, at.number, plan.epochs * plan.steps_per_epoch, at.note)
            self._save_if_due()

    def _step(self, batches: Iterator[Tensor]) -> int:
        """One optimizer step; returns how many batches it took on this process and others, 0 at the epoch's end."""
        count, total = 0, 0.0
        self._optimizer.zero_grad(set_to_none=True)
        for place in range(self._plan.accumulate):
            _seed(self._at.seed, self._at.number + place * self._processes.world + self._processes.rank)
            loss = next(batches, None)
            if loss is None:
                break
            loss.backward()
            count, total = count + 1, total + float(loss.detach())
        taken = average_gradients(self._parameters, count)
        if taken:
            self._at.train_loss += total
            self._descend()
        return taken

    def _descend(self) -> None:
        at, plan = self._at, self._plan
        per_epoch = max(1, -(-plan.steps_per_epoch // (plan.accumulate * self._processes.world)))
        share = rate(plan.schedule, at.step + 1, plan.epochs * per_epoch, per_epoch, at.stalls)
        self._optimizer.param_groups[0]["lr"] = plan.learning_rate * share
        nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        self._optimizer.step()
        if self._average:
            self._average.update(at.step + 1)

    def _judge(self) -> None:
        """End an epoch: validate, keep the best, decide whether to go on."""
        at, plan = self._at, self._plan
        at.epoch += 1
        train_loss = at.train_loss * self._processes.world / max(1, at.taken)
        if not math.isfinite(train_loss):
            raise ModelError(
                f"{plan.what}: the training loss of epoch {at.epoch} is not finite; lower the learning rate"
            )
        self._module.eval()
        loss = self._keep_if_best(at.epoch)
        if at.best_epoch != at.epoch:
            at.stalls += 1
        at.note = f"validation {at.best:.4f}, epoch {at.epoch}"
        at.finished = at.epoch >= plan.epochs or at.epoch - at.best_epoch >= plan.patience
        self._epoch_start, at.taken = self._rng.bit_generator.state, 0
        if self._run.watch and self._processes.first:
            lr = self._optimizer.param_groups[0]["lr"]
            self._run.watch(
                plan.what, at.epoch, {"train_loss": train_loss, "validation_loss": loss, "learning_rate": lr}
            )
        self._save_if_due()

    def _keep_if_best(self, epoch: int) -> float:
        """Validate the weights and their average; keep the better where it is the best so far. Returns its loss."""
        loss = self._validated(epoch)
        if self._average and epoch:
            with self._average.in_place():
                loss = min(loss, self._validated(epoch))
        return loss

    def _validated(self, epoch: int) -> float:
        at = self._at
        loss = agree(self._validate(), self._parameters[0].device)
        if loss < at.best or not self._best_weights:
            at.best, at.best_epoch = loss, epoch
            self._best_weights = copy.deepcopy(self._module.state_dict())
            at.note = f"validation {loss:.4f}"
        return loss

    def _skip(self, batches: Iterator[Tensor], skip: int) -> None:
        """Draw again what was taken before the checkpoint, so that the generator stands where it stood."""
        rank, world = self._processes
        with torch.no_grad():
            for number in range(rank, skip, world):
                _seed(self._at.seed, self._at.epoch_number + number)
                next(batches)

    def _save_if_due(self) -> None:
        checkpoints = self._run.checkpoints
        if checkpoints and self._processes.first and (self._at.finished or checkpoints.due()):
            checkpoints.save(self._plan.what, self._state())

    def _state(self) -> State:
        return {
            "at": self._at.__dict__,
            "module": self._module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.weights if self._average else {},
            "best": self._best_weights,
            "rng": self._epoch_start,
        }

    def _restore(self, state: State) -> None:
        self._at = _At(**state["at"])
        try:
            self._module.load_state_dict(state["module"])
        except RuntimeError as error:  # torch's word for other names or shapes
            raise ModelError(
                f"the checkpoint of {self._plan.what} was written by other code; leave --resume out to train anew"
            ) from error
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average:
            self._average.load(state["average"])
        self._best_weights = state["best"]
        self._epoch_start = self._rng.bit_generator.state = state["rng"]


def _seed(seed: int, number: int) -> None:
    """Seed torch for one batch."""
    torch.manual_seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
