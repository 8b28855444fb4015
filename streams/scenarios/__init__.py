"""The scenarios that Headrace brings; `pyproject.toml` names each under the entry point group `headrace.scenarios`."""
