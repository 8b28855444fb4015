"""Scores of texts that belong to no class."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from trainer.text.finetuning.outliers import SCORES, Seen, auroc, best_score


def world(directions: list[int]) -> Seen:
    """Three classes along the first three axes, and texts along the axes given."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.eye(8)

    def near(which: torch.Tensor) -> torch.Tensor:
        return normalize(axes[which] + 0.1 * torch.randn(len(which), 8, generator=generator), dim=1)

    label = np.arange(60) % 3
    texts = near(torch.tensor(directions))
    return Seen(near(torch.from_numpy(label)), label, texts, 10 * texts @ axes[:3].T)


@pytest.mark.parametrize("name", list(SCORES))
def test_every_score_puts_what_is_like_no_class_further_out(name: str):
    inside, outside = world([0, 1, 2] * 10), world([5, 6, 7] * 10)
    assert auroc(SCORES[name](inside), SCORES[name](outside)) > 0.99


def test_the_best_score_is_that_of_the_highest_auroc():
    name, found = best_score(world([0, 1, 2, 5]), world([3, 4, 6, 7]))
    assert found[name] == max(found.values())
    assert found.keys() == SCORES.keys()


def test_auroc_counts_ties_half():
    assert auroc(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0])) == 0.875
