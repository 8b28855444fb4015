"""A served program is traced on a CPU and answers on whichever device it is loaded to."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from headrace.errors import ModelError
from model_repo.headrace.programs import load_program, move_constants
from trainer.publishing.traced import write_traced

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")


class Places(nn.Module):
    """Makes a tensor of its own, as encoders do for positions and masks."""

    def forward(self, values: Tensor) -> Tensor:
        """Each value and its place."""
        return values + torch.arange(values.shape[1], device=values.device)


class Nested(nn.Module):
    """Has it deep inside, beside modules that are not called."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Sequential(Places()), nn.Dropout()])

    def forward(self, values: Tensor) -> Tensor:
        """As `Places`."""
        return self.inner[0](values)


class OneSize(nn.Module):
    """Makes as much as there is the first time."""

    def forward(self, values: Tensor) -> Tensor:
        """Each value and a random one."""
        return values + torch.ones(len(values.tolist()), values.shape[1])


class Repeating(nn.Module):
    """Answers with as many rows as there are the first time."""

    def forward(self, values: Tensor) -> Tensor:
        """One row, so many times."""
        return values[:1].expand(len(values.tolist()), -1)


class Counting(nn.Module):
    """Decides in Python."""

    def forward(self, values: Tensor) -> Tensor:
        """The values, as many times as there are rows."""
        return values * len(values.tolist())


def test_a_traced_program_answers_any_number_of_rows_and_columns(tmp_path: Path):
    write_traced(Nested(), (torch.zeros(3, 5),), (torch.zeros(1, 2),), tmp_path / "program.ts")
    program = load_program(tmp_path / "program.ts", CPU)
    assert program(torch.ones(1, 2)).tolist() == [[1, 2]]
    assert program(torch.ones(4, 9)).shape == (4, 9)


def test_what_fits_one_size_only_is_not_served(tmp_path: Path):
    with pytest.raises(ModelError, match="one program cannot be traced"):
        write_traced(OneSize(), (torch.ones(3, 5),), (torch.ones(2, 5),), tmp_path / "one.ts")


def test_an_answer_of_another_shape_is_not_the_same(tmp_path: Path):
    with pytest.raises(ModelError, match="answers otherwise"):
        write_traced(Repeating(), (torch.ones(3, 5),), (torch.ones(1, 5),), tmp_path / "repeating.ts")


def test_what_decides_in_python_is_not_served(tmp_path: Path):
    with pytest.raises(ModelError, match="decided program answers otherwise"):
        write_traced(Counting(), (torch.ones(3, 5),), (torch.ones(2, 5),), tmp_path / "decided.ts")
    assert not list(tmp_path.iterdir())


def test_what_a_program_makes_is_made_where_it_runs(tmp_path: Path):
    write_traced(Nested(), (torch.zeros(3, 5),), (torch.zeros(1, 2),), tmp_path / "program.ts")
    program = torch.jit.load(tmp_path / "program.ts")
    elsewhere = torch.ones(2, 4, device=ELSEWHERE)
    with pytest.raises(RuntimeError, match="expected device"):
        program(elsewhere)
    program = torch.jit.load(tmp_path / "program.ts")
    move_constants(program, ELSEWHERE)
    assert program(elsewhere).device == ELSEWHERE
