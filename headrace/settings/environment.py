"""Whether every `HEADRACE_…` variable of an environment is a setting that holds something.

A variable that nothing reads is a mistake that shows nowhere: the worker runs, on the default.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from headrace.errors import SettingsError

PREFIX: Final = "HEADRACE_"
_LISTED: Final = "docs/reference/settings.md lists them"

_OF_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
_ADDRESS: Final = re.compile(r"^(tcp|udp|sctp)://")
"""Kubernetes tells every pod of the services of its namespace, one that is called headrace or headrace-… among them."""


def check_environment(environment: Mapping[str, str], settings: Collection[str]) -> None:
    """Hold the variables that begin with `HEADRACE_` against the settings that there are.

    Args:
        environment: no value is ever shown: it may be a secret under a misspelt name.
        settings: names of all settings, such as `HEADRACE_KAFKA`.

    Raises:
        SettingsError: one line about every variable that is no setting, or holds nothing.
    """
    ours = {name: value for name, value in sorted(environment.items()) if name.upper().startswith(PREFIX)}
    unknown = [name for name in ours if name.upper() not in settings and not _is_of_kubernetes(name, ours[name])]
    empty = [name for name, value in ours.items() if name.upper() in settings and not value.strip()]
    problems = [f"{name} is not a setting: the nearest is {_nearest(name, settings)}" for name in unknown]
    problems += [f"{name} holds nothing: give it a value or unset it" for name in empty]
    if problems:
        raise SettingsError(f"{'; '.join(problems)} ({_LISTED}).")


def _nearest(name: str, settings: Collection[str]) -> str:
    # Compared without what all have in common, which would make any two of them look alike.
    bare = {setting.removeprefix(PREFIX): setting for setting in sorted(settings)}
    [nearest] = get_close_matches(name.upper().removeprefix(PREFIX), bare, n=1, cutoff=0.0)
    return bare[nearest]


def _is_of_kubernetes(name: str, value: str) -> bool:
    return bool(_OF_KUBERNETES.search(name)) or (name.endswith("_PORT") and bool(_ADDRESS.match(value)))
