"""A shop of four kinds of items, whose shoppers each want one kind."""

import json
import random
from pathlib import Path
from typing import NamedTuple

from trainer.data.shop import Shop
from trainer.publishing.serving import Trained
from trainer.text.encoder import TextModel

KINDS = ("teapot", "lantern", "scarf", "puzzle")
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "pink", "grey")
DAY = 86_400_000
START = 1_700_000_000_000


class FittedShop(NamedTuple):
    """What was learnt from, the trained model, and the folder it was written to."""

    shop: Shop
    trained: Trained
    text: TextModel
    folder: Path


def item(item_id: str, title: str) -> dict[str, object]:
    value = {"item_id": item_id, "title": title}
    return {"topic": "items", "key": item_id, "timestamp": START, "value": value}


def event(kind: str, user: str, time: int, **fields: object) -> dict[str, object]:
    value = {"event_id": f"{kind}-{user}-{time}", "type": kind, "user_id": user, "timestamp": time, **fields}
    return {"topic": "events", "key": user, "timestamp": time, "value": value}


def write(path: Path, records: list[dict[str, object]]) -> Path:
    ordered = sorted(records, key=lambda record: (record["topic"] != "items", record["timestamp"]))
    path.write_text("".join(json.dumps(record) + "\n" for record in ordered))
    return path


def visits(dice: random.Random, shoppers: int) -> list[dict[str, object]]:
    """Impressions of eight items, clicks mostly on the shopper's kind and in the first places, and views."""
    records: list[dict[str, object]] = []
    for shopper in range(shoppers):
        user, kind = f"user-{shopper}", KINDS[shopper % 4]
        for visit in range(4):
            now = START + visit * 5 * DAY + dice.randrange(DAY)
            shown = [f"{k}-{c}" for k, c in ((dice.choice(KINDS), dice.choice(COLOURS)) for _ in range(8))]
            shown = list(dict.fromkeys(shown))
            impression = event("impression", user, now, items=shown, context={"page": "home"})
            records.append(impression)
            for place, name in enumerate(shown):
                if dice.random() < (0.8 if name.startswith(kind) else 0.05) / (1 + 0.3 * place):
                    request = impression["value"]["event_id"]  # type: ignore[index]
                    records.append(event("click", user, now + 1000 * (place + 1), item_id=name, request_id=request))
            for n in range(4):
                name = f"{kind}-{dice.choice(COLOURS)}"
                records.append(event("view", user, now + 60_000 * (n + 1), item_id=name))
    return records
