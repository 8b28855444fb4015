"""A model trained on the small shop, with a text encoder that is tiny."""

import random
import shutil
from pathlib import Path

import pytest
import torch
from small_shop import COLOURS, KINDS, FittedShop, item, visits, write
from transformers import BertConfig, BertModel

from trainer.data.shop import read_shop
from trainer.text.encoder import installed_encoder, load_text_model
from trainer.train import train_shopper_model


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's recording."""
    catalogue = [item(f"{kind}-{colour}", f"{colour} {kind}") for kind in KINDS for colour in COLOURS]
    return write(tmp_path_factory.mktemp("shop") / "shop.jsonl", catalogue + visits(random.Random(7), 120))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A text encoder of random weights: enough to tell words apart, and fast."""
    folder = tmp_path_factory.mktemp("encoder")
    shape = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    BertModel(BertConfig(**shape)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copyfile(installed_encoder() / name, folder / name)
    return str(folder)


@pytest.fixture(scope="session")
def fitted_shop(stream: Path, tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> FittedShop:
    """The trained model."""
    out = tmp_path_factory.mktemp("model")
    shop = read_shop(stream, lambda _: None)
    cpu = torch.device("cpu")
    trained, _ = train_shopper_model(shop, out, cpu, 0, tiny_encoder, lambda *_: None)
    return FittedShop(shop, trained, load_text_model(tiny_encoder, cpu), out)
