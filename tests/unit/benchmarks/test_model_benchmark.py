"""The model's benchmark: both contestants give the same answers, and the page says how they compare."""

import torch

from benchmarks.machine import Machine
from benchmarks.model.contestants import models, requests
from benchmarks.model.measuring import Case, Measured
from benchmarks.model.model_page import write


def test_the_served_and_the_plain_model_recommend_the_same():
    both = models(700, seed=3)
    for rows, events in ((1, 3), (5, 50), (70, 12)):
        tensors = requests(both.item_hash, rows, events, seed=4)
        with torch.inference_mode():
            served, plain = both.served(tensors), both.eager(tensors)
        assert (served["rec_item"] == plain["rec_item"]).float().mean() > 0.99
        assert torch.allclose(served["rec_score"], plain["rec_score"], atol=1e-4)
        assert torch.allclose(served["rec_ctr"], plain["rec_ctr"], atol=1e-4)


def test_the_page_says_how_many_times_as_fast(tmp_path):
    cases = [Case(1, 50, items, served_ms=2.0, eager_ms=5.0, mflop=5.0) for items in (1_000, 9_000)]
    cases.append(Case(8, 50, 9_000, 4.0, 6.0, 5.0))
    found = Measured("a command", Machine("a processor", 2, 24.0, "Linux", "3.11", {}), 1, 80.0, cases, cases, cases)
    page = write(found, tmp_path).read_text()
    assert "| 1 | 50 | 1,000 | 2.00 | 5.00 | 500 | 200 | 2.50 x | 16,000 |" in page
    assert (tmp_path / "model.svg").read_text().startswith("<?xml")
