"""`headrace evaluate reasons` on the small shop, as people and programs read it."""

import json
from pathlib import Path

import pytest
import typer
from small_shop import FittedShop
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli.evaluate import group as evaluate
from headrace_cli.evaluate import reasons
from trainer.evaluation.faithfulness import measure_reasons


@pytest.fixture(scope="module")
def commands() -> typer.Typer:
    app = typer.Typer()
    for group in (evaluate, reasons):
        group.register(app)
    return app


def test_the_command_prints_the_shares(
    commands: typer.Typer, fitted_shop: FittedShop, stream: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("trainer.evaluation.faithfulness._MOMENTS", 40)
    arguments = ["evaluate", "reasons", "--model", str(fitted_shop.folder), "--stream", str(stream)]
    result = CliRunner().invoke(commands, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert {"beats_random", "beats_newest", "same_category", "duplicates", "negative"} <= set(found)
    assert found["beats_random"] > 0.8
    assert found["duplicates"] == 0
    again = measure_reasons(stream, fitted_shop.folder, 0, lambda *_: None)
    assert found["beats_random"] == again.beats_random
    table = CliRunner().invoke(commands, arguments)
    assert f"{found['beats_random']:.1%}" in table.stdout


def test_a_folder_without_a_model_is_refused(stream: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="no trained model"):
        measure_reasons(stream, tmp_path, 0, lambda *_: None)
