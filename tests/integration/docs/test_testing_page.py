"""What the pages on testing print works in a project of one's own, outside this one's folder."""

import os
import subprocess
import sys
from pathlib import Path

from streams.testing import Stack
from tests.integration.docs.pages import ROOT, blocks

PAGE = "docs/how-to/testing-your-own-consumer.md"


def test_the_examples_pass_in_a_project_of_ones_own(headrace_stack: Stack, tmp_path: Path):
    consumer, tests, *_ = blocks(PAGE, "python")
    [example] = [block for block in blocks("README.md", "python") if "headrace_worker" in block]
    for name, code in {"shop_front.py": consumer, "test_shop_front.py": tests, "test_readme.py": example}.items():
        (tmp_path / name).write_text(code, "utf-8")
    assert not tmp_path.is_relative_to(ROOT)
    servers = {"HEADRACE_KAFKA": headrace_stack.kafka, "HEADRACE_REDIS": headrace_stack.redis}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        # A reader's environment: where the servers are, and nothing of this project's tests.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTEST_"))},
            **servers,
            "HEADRACE_TRITON": headrace_stack.triton,
            "HEADRACE_METRICS_PORT": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "4 passed" in done.stdout
