"""Texts to item vectors with the version's own tokenizer and traced encoder. Stands alone beside `model.py`."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

_BATCH = 64


def in_bfloat16(encode: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The same encoder with its products in bfloat16; what comes out is float32."""

    def fast(ids: Tensor, mask: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return encode(ids, mask).float()

    return fast


def made_by(files: Iterable[Path], precision: str) -> int:
    """What makes vectors of texts, by its content: version numbers begin again where a repository does. Never 0."""
    digest = blake2b(precision.encode(), digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return int.from_bytes(digest.digest(), "little", signed=True) or 1


class Texts:
    """The version's text encoder."""

    def __init__(self, tokenizer: Path, encode: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> None:
        """Args: tokenizer: a `tokenizer.json` that pads and truncates; encode: (ids, mask) [N, S] to [N, D]."""
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._encode = encode
        self._device = device

    def vectors(self, text_bytes: Tensor, lengths: Tensor) -> Tensor:
        """One vector a text. [N, D]

        Args:
            text_bytes: [S] UTF-8 of all texts, one after the other; uint8.
            lengths: [N] bytes of each.
        """
        data, texts, at = bytes(text_bytes.cpu().tolist()), list[str](), 0
        for length in lengths.tolist():
            texts.append(data[at : at + length].decode("utf-8", "replace"))
            at += length
        return self.of(texts)

    def of(self, texts: list[str]) -> Tensor:
        """One vector a text, texts of like length together. [N, D]"""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = [self._batch([texts[i] for i in order[at : at + _BATCH]]) for at in range(0, len(order), _BATCH)]
        vectors = torch.cat(parts)
        return vectors[torch.tensor(order, device=self._device).argsort()]

    def _batch(self, texts: list[str]) -> Tensor:
        encodings = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([e.ids for e in encodings], device=self._device)
        mask = torch.tensor([e.attention_mask for e in encodings], device=self._device)
        return self._encode(ids, mask)
