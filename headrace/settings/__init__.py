"""Settings of every program of the project, from environment variables."""

from headrace.settings.model import (
    TRIGGERS,
    Compression,
    Durable,
    Exclude,
    LogForm,
    LogLevel,
    Settings,
    check_variables,
    describe,
    load_settings,
    settings,
)

__all__ = [
    "TRIGGERS",
    "Compression",
    "Durable",
    "Exclude",
    "LogForm",
    "LogLevel",
    "Settings",
    "check_variables",
    "describe",
    "load_settings",
    "settings",
]
