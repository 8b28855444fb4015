"""What bfloat16 products cost and change, on one core: the sliced softmax, the text encoder, the history encoder.

    python -m benchmarks.bfloat16

Milliseconds of CPU time, so that other work beside it counts little.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch.nn.functional import cosine_similarity

from headrace.files.atomic import write_atomic
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.encoder import BehaviourEncoder
from trainer.behaviour.softmax import Targets, full_softmax_loss
from trainer.text.encoder import load_text_model

_OUT: Final = Path("benchmarks/results/bfloat16.json")
_SECONDS: Final = 2.0
_TARGETS: Final = 900
_ITEMS: Final = 12_101
_ROWS: Final = 64


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = {"machine": "1 core, x86-64 with AVX512-BF16", "softmax_ms": _softmax(), **_encoders()}
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))


def _softmax() -> dict[str, float]:
    user = torch.randn(_TARGETS, 256, requires_grad=True)
    item = (torch.randn(_ITEMS, 256) * 0.06).requires_grad_()
    bias = torch.zeros(1, _ITEMS, requires_grad=True)
    rows = torch.zeros(_TARGETS, dtype=torch.long)
    targets = Targets(torch.randint(_ITEMS, (_TARGETS,)), rows, torch.full((_TARGETS,), 1 / _TARGETS))
    return {
        name: _cpu_ms(lambda fast=fast: full_softmax_loss(user, item, bias, targets, fast=fast).backward())
        for name, fast in (("float32", False), ("bfloat16", True))
    }


@torch.inference_mode()
def _encoders() -> dict[str, dict[str, float]]:
    text = load_text_model(None, torch.device("cpu"))
    tokens = text.tokens(
        [f"Enamel mug number {n} with a blue rim, made by hand" for n in range(_ROWS)], torch.device("cpu")
    )
    history = BehaviourEncoder(BehaviourConfig()).eval()
    times = torch.arange(50).expand(_ROWS, 50) * 60_000
    events = (torch.randn(_ROWS, 50, 64), torch.ones(_ROWS, 50, dtype=torch.int32), times, times[:, -1])
    return {
        "text_ms_of_64": _both(lambda: text.encoder(*tokens)),
        "history_ms_of_64": _both(lambda: history(*events).sum(dim=1)),
    }


def _both(encode: Callable[[], torch.Tensor]) -> dict[str, float]:
    exact, plain_ms = encode(), _cpu_ms(encode)
    with torch.autocast("cpu", torch.bfloat16):
        fast, fast_ms = encode().float(), _cpu_ms(encode)
    return {"float32": plain_ms, "bfloat16": fast_ms, "least_cosine": float(cosine_similarity(exact, fast).min())}


def _cpu_ms(work: Callable[[], object]) -> float:
    work()
    began, times = time.process_time(), 0
    while time.process_time() - began < _SECONDS:
        work()
        times += 1
    return round(1_000 * (time.process_time() - began) / times, 1)


if __name__ == "__main__":
    main()
