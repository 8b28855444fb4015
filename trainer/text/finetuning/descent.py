"""Steps of fine-tuning: AdamW, a rate that rises shortly and falls linearly to zero, clipped gradients."""

from typing import Final

import torch
from torch import Tensor, nn

_CLIP: Final = 1.0
_WARM_UP: Final = 0.1
_DECAY: Final = 0.01


class Descent:
    """Moves parameters, each group at its own learning rate, over a number of steps that is known beforehand.

    The schedule is that of Devlin et al., "BERT" (2019): warm-up over the first tenth, then linear decay.
    """

    def __init__(self, groups: list[tuple[list[nn.Parameter], float]], steps: int) -> None:
        self.done = 0
        self._parameters = [p for parameters, _ in groups for p in parameters]
        settings = [{"params": parameters, "lr": rate} for parameters, rate in groups if parameters]
        fused = self._parameters[0].device.type in {"cpu", "cuda"}
        self._optimizer = torch.optim.AdamW(settings, weight_decay=_DECAY, fused=fused)
        warm_up = max(1.0, _WARM_UP * steps)

        def rate(step: int) -> float:
            return max(0.0, min((step + 1) / warm_up, (steps - step) / max(1.0, steps - warm_up)))

        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, rate)

    def step(self, loss: Tensor) -> None:
        """Descend; the gradients stay in place until the next step."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        self._optimizer.step()
        self._schedule.step()
        self.done += 1
