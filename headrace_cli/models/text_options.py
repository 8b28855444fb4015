"""Options that the commands for texts share."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.shell.arguments import LARGEST_SEED, device, method, readable_file

Train = Annotated[
    Path | None,
    typer.Option(
        "--train",
        callback=readable_file,
        help="CSV with text,label; or a label, a space and a text a line; or CLINC150's JSON",
    ),
]
Valid = Annotated[
    Path | None,
    typer.Option("--valid", callback=readable_file, help="decides when to stop; default: a tenth of --train"),
]
Test = Annotated[Path | None, typer.Option("--test", callback=readable_file, help="scored once; same form as --train")]
MethodName = Annotated[
    str, typer.Option("--method", callback=method, help="full, lora, adalora, prefix, adapters, ia3 or frozen")
]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="at most; the one that validates best is kept")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=LARGEST_SEED, help="the same seed and files give the same figures on a machine"),
]
Device = Annotated[str, typer.Option("--device", callback=device, help="auto, cpu or cuda")]
TextEncoder = Annotated[
    str | None, typer.Option("--text-encoder", help="Hugging Face name or folder; default: the installed MiniLM")
]
