"""A text that is like none of the catalogue's is not trusted; one that is like them is."""

import torch

from trainer.behaviour.familiarity import Familiarity


def catalogue(items: int, seed: int = 0) -> torch.Tensor:
    """Texts in clusters of like items, with much in common and much of their own."""
    torch.manual_seed(seed)
    kinds = torch.randn(8, 64)
    return kinds[torch.arange(items) % 8] + 0.5 * torch.randn(items, 64)


def test_the_catalogues_own_texts_are_familiar():
    text = catalogue(200)
    assert Familiarity(text)(text).min() == 1


def test_a_new_text_of_a_known_kind_is_familiar_and_a_strange_one_is_not():
    text = torch.nn.functional.pad(catalogue(208), (0, 64))
    known = Familiarity(text[:200])
    assert known(text[200:]).min() > 0.7
    strange = torch.nn.functional.pad(torch.randn(8, 64), (64, 0))  # at right angles to all of them
    assert known(strange).max() < 0.3


def test_a_large_catalogue_is_stood_for_by_some_of_its_texts():
    known = Familiarity(catalogue(5_000))
    assert len(known.texts) <= 2_048
    assert known(catalogue(5_000)).min() > 0.5


def test_one_item_makes_a_catalogue():
    text = catalogue(1)
    assert Familiarity(text)(text).item() == 1
