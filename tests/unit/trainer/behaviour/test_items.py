"""Items are an id of their own plus their text; the id may be missing."""

import torch

from trainer.behaviour.items import ItemTable


def table(id_dropout: float) -> ItemTable:
    torch.manual_seed(0)
    made = ItemTable(torch.arange(400) < 300, 8, id_dropout, text_NT=torch.randn(400, 12))
    torch.nn.init.normal_(made.unknown)
    return made


def lacks_id(made: ItemTable) -> torch.Tensor:
    return torch.isclose(made(), made.unknown + made.text(made.text_NT), atol=1e-6).all(dim=1)


def test_an_item_that_training_never_shows_has_its_text_alone():
    assert torch.equal(lacks_id(table(0.2).eval()), torch.arange(400) >= 300)


def test_training_takes_the_id_from_some_items_so_that_texts_must_do():
    missing = lacks_id(table(0.2).train())[:300].float().mean()
    assert 0.1 < missing < 0.3
