"""How a pretrained encoder is fine-tuned, by name: everything, a few added weights, or nothing."""

import copy
import warnings
from collections.abc import Callable
from typing import Final, cast

from peft import AdaLoraConfig, IA3Config, LoraConfig, PeftConfig, PeftModel, PrefixTuningConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

from trainer.text.encoder import SentenceEncoder
from trainer.text.finetuning.bottleneck import add_bottlenecks
from trainer.text.finetuning.methods import Method

RANK: Final = 8
_PREFIX: Final = 16
_WIDTH: Final = 32
_FEATURES: Final = "FEATURE_EXTRACTION"
#: A pooled output that the sentence encoder does not use: to adapt it would be to count what cannot learn.
_UNUSED: Final = r".*pooler.*"


class Adapted:
    """A copy of an encoder, made ready to be fine-tuned by one method."""

    def __init__(self, encoder: SentenceEncoder, method: Method, steps: int) -> None:
        """Copy and adapt.

        Args:
            steps: of training in all: AdaLoRA spends its ranks over them.

        Raises:
            UsageError: the method does not fit this encoder.
        """
        self.encoder = copy.deepcopy(encoder)
        self._peft: PeftModel | None = None
        config = _config(method, max(steps, 10))
        if config is not None:
            base = cast(PreTrainedModel, self.encoder.backbone)
            with warnings.catch_warnings():
                # AdaLoRA's rank is init_r; peft warns that its r, a default of LoRA's, means nothing.
                warnings.filterwarnings("ignore", message="Note that `r` is not used")
                self._peft = cast(PeftModel, get_peft_model(base, config))
            self.encoder.backbone = self._peft
        elif method is Method.ADAPTERS:
            add_bottlenecks(self.encoder.backbone, _WIDTH)
        else:
            self.encoder.requires_grad_(method is Method.FULL)

    def parameters(self) -> list[nn.Parameter]:
        """The encoder's parameters that training moves; none for frozen."""
        return [p for p in self.encoder.parameters() if p.requires_grad]

    @property
    def trainable_share(self) -> float:
        """Trainable parameters over all parameters of the adapted encoder, 0 to 1."""
        return sum(p.numel() for p in self.parameters()) / sum(p.numel() for p in self.encoder.parameters())

    def penalty(self) -> Tensor | float:
        """What the method adds to the loss: AdaLoRA keeps its factors orthogonal, the others add nothing."""
        if not self._is_adalora:
            return 0.0
        factors = [p for name, p in self.encoder.named_parameters() if "lora_A" in name or "lora_B" in name]
        return 0.5 * sum(_distance_from_orthogonal(p) for p in factors) / len(factors)

    def after_step(self, step: int) -> None:
        """AdaLoRA moves ranks to where the last gradients, still in place, say that they matter."""
        if self._peft is not None and self._is_adalora:
            cast(Callable[[int], None], self._peft.base_model.update_and_allocate)(step)

    def merged(self) -> SentenceEncoder:
        """The tuned encoder as it is served: LoRA, AdaLoRA and IA3 are folded into the weights; peft is done."""
        if self._peft is not None and not self._peft.active_peft_config.is_prompt_learning:
            merge = cast(Callable[[], nn.Module], self._peft.merge_and_unload)
            self.encoder.backbone, self._peft = merge(), None
        return self.encoder.eval()

    @property
    def _is_adalora(self) -> bool:
        return self._peft is not None and isinstance(self._peft.active_peft_config, AdaLoraConfig)


def _config(method: Method, steps: int) -> PeftConfig | None:
    match method:
        case Method.LORA:
            return LoraConfig(
                task_type=_FEATURES, r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", exclude_modules=_UNUSED
            )
        case Method.ADALORA:
            return AdaLoraConfig(
                task_type=_FEATURES,
                init_r=RANK,
                target_r=RANK // 2,
                lora_alpha=4 * RANK,
                tinit=steps // 5,
                tfinal=steps // 3,
                deltaT=10,
                total_step=steps,
                target_modules="all-linear",
                exclude_modules=_UNUSED,
            )
        case Method.PREFIX:
            return PrefixTuningConfig(task_type=_FEATURES, num_virtual_tokens=_PREFIX)
        case Method.IA3:
            return IA3Config(task_type=_FEATURES)
        case Method.FULL | Method.ADAPTERS | Method.FROZEN:
            return None


def _distance_from_orthogonal(factor: Tensor) -> Tensor:
    gram = factor @ factor.T if factor.shape[0] < factor.shape[1] else factor.T @ factor
    return (gram - gram.new_ones(len(gram)).diag()).norm()
