"""The ids of outputs: the same cause gives the same id, two causes never one.

Ids of items, shoppers and events are whatever a shop makes them, the separator included. So of each id here all parts
but one are free of it: that one part reaches from the first separator on the left to the last on the right.
"""

from headrace.messages.events import Event


def answer_id(scenario: str, event: Event) -> str:
    """The id of a scenario's answer to an event: an event id is one shopper's, and says nothing beside another's.

    A producer's retry, wherever it stands in the log, has the id of the first.
    """
    user_id = event.user_id
    if "/" in user_id or "%" in user_id:  # of hardly any; escaping costs ten times as much as asking
        user_id = user_id.replace("%", "%25").replace("/", "%2F")
    return f"{scenario}/{user_id}/{event.event_id}"


def request_answer_id(scenario: str, position: str) -> str:
    """The id of a scenario's answer to a request: where it stands in the log, since no row remembers request ids.

    Args:
        place: topic, partition and offset. Where an answer to an event names the shopper stands nothing.
    """
    return f"{scenario}//{position}"


def timer_answer_id(scenario: str, user_id: str, timer: str, due: int) -> str:
    """The id of a scenario's answer to one of its timers; where an answer to a request has its topic stands nothing."""
    return f"{scenario}///{timer}/{due}/{user_id}"


def series_output_id(scenario: str, kind: str, name: str | None, start: int, end: int) -> str:
    """The id of what a scenario makes of a window of a series; where a timer has its name stands nothing."""
    return f"{scenario}////{start}/{end}/{kind}/{name or ''}"


def forecast_id(item_id: str, start: int, end: int) -> str:
    """The id of the forecast that an item got when its window from `start` to `end`, ms, closed."""
    return f"demand.forecasts/{item_id}/{start}/{end}"


def episode_id(kind: str, name: str | None, start: int, end: int, direction: str) -> str:
    """The name of the episode that the close of a window opened.

    Args:
        kind, name: the scope; a category may be called as an item is.
    """
    return f"{kind}:{name or ''}/{start}/{end}/{direction}"


def alert_id(episode: str, state: str, start: int, end: int) -> str:
    """The id of the alert of an episode when a window closed."""
    return f"demand.alerts/{episode}/{state}/{start}/{end}"
