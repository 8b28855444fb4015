"""The ways to fine-tune by name, known without the libraries that do it."""

from enum import StrEnum

from headrace.errors import UsageError


class Method(StrEnum):
    """A way to fine-tune."""

    FULL = "full"
    LORA = "lora"
    ADALORA = "adalora"
    PREFIX = "prefix"
    ADAPTERS = "adapters"
    IA3 = "ia3"
    FROZEN = "frozen"


def parse_method(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in set(Method):
        raise UsageError(f"--method {name}: it must be one of {', '.join(Method)}")
    return Method(name)
