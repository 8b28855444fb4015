"""Mixed precision where the machine has it: bfloat16 matrix products, float32 weights, sums and losses."""

from contextlib import AbstractContextManager, nullcontext

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster here: on a GPU from Ampere on, on a CPU with AVX512-BF16 or AMX.

    `benchmarks/bfloat16.py` measures what that brings.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported())  # pyright: ignore[reportPrivateUsage]


def mixed(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is faster; its range is that of float32, so losses need no scaling."""
    if has_fast_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
