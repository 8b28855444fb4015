"""`headrace rebuild`: the online store refolded from the topics' beginnings."""

from typing import Annotated

import typer

from streams.operations.console import JsonFlag, console, print_json, reporting

_Group = Annotated[str, typer.Argument(help="name of the new group: letters, digits, - and _")]
_Processes = Annotated[int, typer.Option(min=1, max=256, help="workers that fold")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rebuild)


def rebuild(group: _Group, processes: _Processes = 1, json: JsonFlag = False) -> None:
    """Refold the topics into a new group, which emits no answer twice, while the workers of HEADRACE_GROUP go on."""
    from headrace.settings.model import settings
    from streams.operations.rebuild import rebuild as refold

    with reporting("refolding") as report:
        done = refold(settings(), group, processes, report)
    if json:
        print_json(done)
        return
    console.print(
        f"{done.records} records folded in {done.seconds:.0f} s: {group} holds what {done.rebuild_of} holds.\n"
        f"Switch over: start workers with HEADRACE_GROUP={group} and HEADRACE_REBUILD_OF={done.rebuild_of}, "
        f"then stop those of {done.rebuild_of}."
    )
