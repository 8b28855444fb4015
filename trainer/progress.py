"""Progress callbacks of training and evaluation, shown as bars."""

from rich.progress import Progress, TaskID


class Stages:
    """Shows each stage of training as a bar of its own."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        """Move a stage on; a total of 0 is a stage whose length nobody knows."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total or None, note="")
        self._bar.update(self._tasks[what], completed=done, total=total or None, note=note)
