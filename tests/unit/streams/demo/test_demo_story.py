"""The demonstration's table puts beside each event the answer to that very event."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from headrace.messages.outputs import ModelRef, Recommendation, RecommendedItem
from headrace.recording.writing import RecordingWriter
from headrace.settings.model import Settings
from streams.demo.answers import Answers
from streams.demo.shop import Shop, Truth
from streams.demo.story import print_story
from streams.demo.verdict import judge
from streams.testing.records import event, item

START = 1_767_000_000_000
DID = [
    ("view", "kettle"),
    ("add_to_cart", "kettle"),
    ("click", "tray"),
    ("view", "mug"),
    ("purchase", "mug"),
]


def answer(user_id: str, event_id: str, *items: str) -> Recommendation:
    return Recommendation(
        id=f"recommend/{user_id}/{event_id}",
        timestamp=START,
        model=ModelRef("headrace", "1"),
        fallback=None,
        event_id=event_id,
        user_id=user_id,
        items=[RecommendedItem(item_id, 1.0, None, []) for item_id in items],
    )


def rows(text: str, shopper: str) -> list[list[str]]:
    """The cells of a shopper's table."""
    lines = text.split(f"Shopper {shopper}")[1].split("Shopper", maxsplit=1)[0].splitlines()
    return [[cell.strip() for cell in line[1:-1].split("│")] for line in lines if line.startswith("│")]


def test_each_event_stands_beside_the_answer_to_it(tmp_path: Path):
    records, answers = [], []
    titles = {name: f"Title of {name}" for name in ("kettle", "tray", "mug", "a", "b")}
    # Two shoppers share the ids of their events, as producers may have it.
    for user in ("ann", "bob"):
        for number, (kind, item_id) in enumerate(DID):
            after = START + 10_000 + number * 1_000
            records.append(event(kind, user, timestamp=after, event_id=f"e{number}", item_id=item_id))
            if kind != "click":
                titles |= {f"{user}-{number}-{n}": f"For {user} after {number}, {n}" for n in range(3)}
                answers.append(answer(user, f"e{number}", *(f"{user}-{number}-{n}" for n in range(3))))
    first = [event("view", "ann", timestamp=START - 10**6 * n, event_id=f"before-{n}", item_id="a") for n in (9, 6, 3)]
    answers += [answer("ann", f"before-{n}", "b") for n in (9, 6, 3)]
    path = tmp_path / "shop.jsonl"
    with RecordingWriter(path) as writer:
        for item_id, title in titles.items():
            writer.write(item(item_id, title=title))
        for record in sorted([*first, *records], key=lambda one: one.timestamp):
            writer.write(record)
    shop, truth = Shop(path), Truth([], {})
    # In any order but that of the events: the last that came is not the one to show.
    found = Answers({one.id: one for one in reversed(answers)}, {}, {}, 0)
    out = StringIO()
    verdict = judge(shop, truth, found, Settings())
    print_story(Console(file=out, width=200), shop, truth, found, verdict, 3_600_000)
    for user in ("ann", "bob"):
        assert [row[:2] for row in rows(out.getvalue(), user)] == [
            ["click Title of tray", ""],
            ["view Title of mug", f"For {user} after 3, 0"],
            ["", f"For {user} after 3, 1"],
            ["purchase Title of mug", f"For {user} after 4, 0"],
            ["", f"For {user} after 4, 1"],
        ]
