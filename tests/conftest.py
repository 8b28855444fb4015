"""Where the tests' own stack lives: apart from any stack of the user's, made anew for each run."""

import os
import shutil
from pathlib import Path

HOME = Path(__file__).parents[1] / ".headrace" / "tests"

# A stack that is named by the environment is used as it is; else the tests bring their own.
os.environ.setdefault("HEADRACE_PORT_OFFSET", "2000")
if "HEADRACE_HOME" not in os.environ:
    os.environ["HEADRACE_HOME"] = str(HOME)
    if not (HOME / "run").exists():
        shutil.rmtree(HOME, ignore_errors=True)
