"""What an operator sets about demand."""

from typing import NamedTuple

from streams.scenarios.demand.stock import StockPolicy
from streams.settings import Settings


class DemandRules(NamedTuple):
    """The settings that decide what demand messages say.

    Attributes:
        levels: of the forecasts' quantiles.
        false_alarms: share of the windows of items that sold lately that may open an alert when nothing is wrong.
    """

    window_ms: int
    levels: tuple[float, ...]
    false_alarms: float
    stock: StockPolicy

    @classmethod
    def of(cls, settings: Settings) -> "DemandRules":
        """The rules that the settings ask for."""
        stock = StockPolicy(settings.lead_time, settings.service_level)
        return cls(settings.window, settings.quantiles, settings.false_alarms, stock)
