"""A trained folder read back: the scorer that Triton would run, without Triton."""

from pathlib import Path

import numpy as np
import torch

from headrace.arrays import MODEL
from headrace.errors import UsageError
from model_repo.headrace.programs import load_program
from model_repo.headrace.scorer import ServedScorer


def load_recommender(directory: Path, *, clicks: bool = False) -> ServedScorer:
    """Load what `headrace train` exported.

    Args:
        clicks: with its click head, where it has one: lists alone take less time without.

    Raises:
        UsageError: the folder holds no trained model, or only a part of one.
    """
    folder = directory / MODEL
    try:
        with np.load(folder / "arrays.npz") as stored:
            arrays = {name: torch.from_numpy(array) for name, array in stored.items()}
        # Versions of the first release do not tell: what was bought stays in their lists.
        arrays.setdefault("repeats", torch.ones(len(arrays["item_hash"]), dtype=torch.uint8))
        encode = load_program(folder / "history.ts", torch.device("cpu"))
        head = folder / "click.ts"
        click = load_program(head, torch.device("cpu")) if clicks and head.exists() else None
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--model {directory}: no trained model ({error}); give what `headrace train` wrote"
        ) from error
    return ServedScorer(arrays, encode, click)
