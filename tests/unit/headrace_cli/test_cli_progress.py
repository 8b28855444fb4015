"""A stage of training shows how far it is, how fast, and how long it will take."""

import io

from rich.console import Console

from streams.operations.console import progress
from trainer.progress import Stages


def shown(*steps: tuple[int, int]) -> str:
    """The bars as a person sees them after these steps of one stage."""
    with progress(shown=False) as bar:
        stages = Stages(bar)
        for done, total in steps:
            stages("next item", done, total, "validation 2.5000")
        screen = Console(file=io.StringIO(), width=140, force_terminal=False)
        screen.print(bar.get_renderable())
    return screen.file.getvalue()  # type: ignore[attr-defined]


def test_count_rate_note_and_time_left_are_shown():
    line = shown((1, 400), (2, 400), (300, 400))
    assert "next item" in line
    assert "300/400" in line
    assert "/s" in line
    assert "validation 2.5000" in line
    assert "0:00:0" in line


def test_before_there_is_a_rate_none_is_shown():
    line = shown((0, 400))
    assert "/s" not in line
    assert "-:--:--" in line
