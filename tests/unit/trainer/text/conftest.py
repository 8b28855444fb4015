"""A small task that an encoder of random weights can learn, and that encoder."""

import numpy as np
import pytest
import torch

from trainer.text.encoder import TextModel, load_text_model
from trainer.text.labelled import Labelled

_WORDS = {"card": ("card", "plastic", "chip"), "loan": ("loan", "credit", "debt"), "rate": ("rate", "percent", "yield")}
_FRAMES = ("my {} is lost", "where is the {}", "tell me of a {} please", "{} ?", "i want one {} now", "why this {}")


@pytest.fixture(scope="session")
def small_model(tiny_encoder: str) -> TextModel:
    """The tiny encoder."""
    return load_text_model(tiny_encoder, torch.device("cpu"))


@pytest.fixture(scope="session")
def questions() -> Labelled:
    """Each class has words of its own in frames that all share. 54 texts of 3 classes."""
    rows = [(frame.format(word), name) for name, words in _WORDS.items() for word in words for frame in _FRAMES]
    classes = sorted(_WORDS)
    return Labelled([text for text, _ in rows], np.array([classes.index(name) for _, name in rows]), classes)
