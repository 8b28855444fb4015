"""What holds for every command: its help as it was written, `-h`, `--version`, a panel, errors in one line."""

from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.main import get_command

from headrace_cli import app
from headrace_cli.shell.command_line import PANELS, build, run, walk

WRITTEN = get_command(app)
"""As typer has it from the source, untouched."""


def paths(command: Any = WRITTEN, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    return [above, *(path for name, each in below.items() for path in paths(each, (*above, name)))]


def command_at(path: tuple[str, ...]) -> Any:
    command: Any = WRITTEN
    for name in path:
        command = command.commands[name]
    return command


def squeezed(text: str) -> str:
    """Without the frames, and however the lines are broken."""
    return " ".join(text.replace("│", " ").replace("\f", " ").split())


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as status:
        run(app, words)
    output = capsys.readouterr()
    return status.value.code or 0, output.out, output.err


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_a_help_text_says_what_its_source_says(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "1000")
    status, shown, _ = ended(capsys, *path, "-h")
    assert status == 0
    assert "--version" in shown
    command, message = command_at(path), squeezed(shown)
    described = [command, *(param for param in command.params if not getattr(param, "hidden", False))]
    for each in described:
        if getattr(each, "help", None):
            assert squeezed(each.help) in message
    for name, below in getattr(command, "commands", {}).items():
        first = squeezed(below.help.split("\n\n")[0]) if below.help else ""
        assert f"{name} {first}".strip() in message


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_every_command_says_its_version_before_it_asks_for_options(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    assert ended(capsys, *path, "--version") == (0, f"headrace {version('headrace')}\n", "")


def test_square_brackets_stay_in_help_texts(capsys: pytest.CaptureFixture[str]):
    small = typer.Typer(help="Reads [a, b] lists.")

    @small.command(help="Takes [red]lines[/red] of [item, …].")
    def read(path: str = typer.Option("", help="JSON [attribute, …]")) -> None: ...

    @small.command()
    def other() -> None: ...

    del read, other
    for words, expected in (
        (["-h"], ["Reads [a, b] lists.", "[red]lines[/red] of [item, …]."]),
        (["read", "-h"], ["[red]lines[/red] of [item, …].", "JSON [attribute, …]"]),
    ):
        with pytest.raises(SystemExit):
            run(small, words)
        shown = squeezed(capsys.readouterr().out)
        for text in expected:
            assert text in shown


def test_commands_stand_under_who_needs_them():
    root = build(app)
    panels = {name: command.rich_help_panel for name, command in root.commands.items()}
    assert set(panels.values()) == set(PANELS)
    assert {panels[name] for name in ("up", "worker", "status", "publish", "dead-letters")} == {"For operators"}
    assert {panels[name] for name in ("train", "evaluate", "import", "validate")} == {"For data scientists"}
    assert {panels[name] for name in ("bench", "demo")} == {"Benchmarks and the demonstration"}


def test_every_name_of_a_panel_is_a_command_or_one_to_come():
    named = frozenset[str]().union(*PANELS.values())
    assert named - set(WRITTEN.commands) <= {"learn"}


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train', 'pretrain'?: see `headrace -h`"),
        (["train", "--nope"], "No such option: --nope"),
        (["train"], "Missing option '--stream': see `headrace train -h`"),
        (["worker", "--processes", "0"], "Invalid value for '--processes'"),
        (["tail"], "Missing argument 'topic': see `headrace tail -h`"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words: list[str], output: str, capsys: pytest.CaptureFixture[str]):
    status, out, err = ended(capsys, *words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"headrace: {output}")


def test_a_group_alone_shows_its_commands(capsys: pytest.CaptureFixture[str]):
    status, out, err = ended(capsys, "evaluate")
    assert status == 2
    assert "next-item" in out + err


def test_the_tree_has_more_than_one_level():
    assert len(list(walk(build(app)))) == len(paths()) > len(WRITTEN.commands) > 10
