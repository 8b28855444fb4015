"""What an operator sets about demand."""

from typing import NamedTuple

from feature_repo.basics.windows import LocalDays, Windows, windows_of
from headrace.settings.model import Settings
from streams.scenarios.demand.stock import StockPolicy


class DemandRules(NamedTuple):
    """The settings that decide what demand messages say.

    Attributes:
        window_ms: length of a window.
        levels: of the forecasts' quantiles.
        false_alarms: share of the windows of items that sold lately that may open an alert when nothing is wrong.
        days: what windows are, where they are days of a place.
    """

    window_ms: int
    levels: tuple[float, ...]
    false_alarms: float
    stock: StockPolicy
    days: LocalDays | None = None

    @property
    def windows(self) -> Windows:
        """The windows that demand is counted in."""
        return self.days or self.window_ms

    @classmethod
    def of(cls, settings: Settings) -> "DemandRules":
        """The rules that the settings ask for."""
        stock = StockPolicy(settings.lead_time, settings.service_level)
        windows = windows_of(settings.window, settings.timezone)
        days = windows if isinstance(windows, LocalDays) else None
        return cls(settings.window, settings.quantiles, settings.false_alarms, stock, days)
