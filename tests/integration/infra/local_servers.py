"""Settings and models for the tests of the local stack."""

from pathlib import Path

from headrace.settings.model import Settings

OFFSET = 3_100

#: Answers what it was asked; msgspec stands for the packages of this environment.
ECHO = """
import msgspec
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        inputs = [pb_utils.get_input_tensor_by_name(request, "x") for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("y", x.to_dlpack())]) for x in inputs]
"""
_CONFIG = """
backend: "python"
input [{ name: "x" data_type: TYPE_INT64 dims: [-1] }]
output [{ name: "y" data_type: TYPE_INT64 dims: [-1] }]
"""


def quiet(_: str) -> None:
    """A listener to progress that nobody reads."""


def local_settings(home: Path, offset: int = OFFSET, **external: str) -> Settings:
    """Settings of a local stack; only the servers in `external` are run elsewhere, whatever the environment says."""
    servers = {"kafka": None, "redis": None, "triton": None, **external}
    return Settings(home=home, port_offset=offset, model_repo=None, partitions=2, replication=1, **servers)


def add_model(models: Path, name: str, program: str) -> None:
    """Write version 1 of a model of one integer tensor into a repository."""
    version = models / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(program)
    (version.parent / "config.pbtxt").write_text(_CONFIG)
