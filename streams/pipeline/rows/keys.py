"""Keys of the rows that hold a partition's bookkeeping."""


def source_key(partition: int) -> str:
    """Key of the row of an `events` partition: its watermark, and how far it is folded."""
    return f"events/{partition}"


def timers_key(partition: int, hour: int, number: int) -> str:
    """Key of one of the rows that hold the timers of an `events` partition which come up in an hour."""
    return f"timers/{partition}/{hour}/{number}"


def index_key(partition: int, series: str = "") -> str:
    """Key of the row of a partition of the item pipeline; with a series' name, of the row with its windows."""
    return f"items/{partition}/{series}" if series else f"items/{partition}"


def catalogue_key(partition: int) -> str:
    """Key of the row that says how far a partition of `items` is folded."""
    return f"catalogue/{partition}"
