"""The whole command line: what holds for every command and group alike, and how its errors are printed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.markup import escape
from typer.main import get_command

from headrace.errors import HeadraceError, StackError, UsageError
from headrace.settings.model import check_variables
from headrace_cli.shell.extras import advice
from streams.operations.console import print_error

#: Who needs which command; whatever is named nowhere stands under the last of them.
PANELS: Final[Mapping[str, frozenset[str]]] = {
    "For operators": frozenset(
        [
            "up",
            "down",
            "status",
            "topics",
            "worker",
            "models",
            "publish",
            "rollback",
            "dead-letters",
            "rebuild",
            "record",
            "replay",
            "tail",
            "learn",
        ]
    ),
    "Benchmarks and the demonstration": frozenset({"bench", "demo"}),
    "For data scientists": frozenset(),
}
_ASKS_FOR_HELP: Final = frozenset({"--help", "-h", "--version"})
_CLICK_ERRORS: Final[Any] = typer.BadParameter.__mro__[2]  # ClickException, which typer names nowhere


def build(app: typer.Typer) -> Any:
    """The commands of an app, each with `-h` and `--version`, its help as it was written, and its panel.

    Untyped, because typer brings a click of its own from 0.20 on.
    """
    root: Any = get_command(app)
    root.context_settings = {**root.context_settings, "help_option_names": ["-h", "--help"]}
    for command in walk(root):
        _escape_markup(command)
        command.params.append(_version_option())
    for name, command in root.commands.items():
        command.rich_help_panel = _panel(name)
    return root


def walk(command: Any) -> Iterator[Any]:
    """A command, and all that lie below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from walk(below)


def run(app: typer.Typer, words: Sequence[str]) -> NoReturn:
    """Run the command line; every error of ours is one line and its exit code, and so is a missing extra."""
    try:
        if not _ASKS_FOR_HELP.intersection(words):
            check_variables()
        sys.exit(build(app)(args=list(words), prog_name="headrace", standalone_mode=False) or 0)
    except HeadraceError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except _CLICK_ERRORS as error:
        _wrong_usage(error)
    except typer.Abort:
        print_error("aborted")
        sys.exit(HeadraceError.exit_code)
    except ModuleNotFoundError as error:
        message = advice(error.name, words)
        if message is None:
            raise
        print_error(message)
        sys.exit(StackError.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        print_error(f"{error.filename}: {error.strerror}")
        sys.exit(HeadraceError.exit_code)


def _wrong_usage(error: Any) -> NoReturn:
    message = " ".join(error.format_message().split())
    if type(error).__name__ == "NoArgsIsHelpError" or not message:  # it has printed the help, or is that
        error.show()
    else:
        where = error.ctx.command_path if error.ctx is not None else "headrace"
        print_error(f"{message.rstrip('.')}: see `{where} -h`")
    sys.exit(UsageError.exit_code)


def _escape_markup(command: Any) -> None:
    """Rich would take what stands in square brackets for its own markup, and show nothing of it."""
    for described in (command, *command.params):
        if described.help if hasattr(described, "help") else None:
            described.help = escape(described.help)
    if command.short_help:
        command.short_help = escape(command.short_help)


def _panel(name: str) -> str:
    *_, otherwise = PANELS
    return next((panel for panel, names in PANELS.items() if name in names), otherwise)


def _version_option() -> Any:
    probe = typer.Typer(add_completion=False)
    probe.command()(_with_version)
    return next(param for param in get_command(probe).params if param.name == "version")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headrace {version('headrace')}")
        raise typer.Exit


def _with_version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, expose_value=False, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Stands in for every command: typer makes options from functions alone."""
