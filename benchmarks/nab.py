"""The detector of `headrace demand score` on the Numenta Anomaly Benchmark's series with public windows.

    python -m benchmarks.nab

Every series goes through the command's own code, as a file in and a file out; the official scoring is in
`nab_scoring`. Beside it the benchmark's Windowed Gaussian (window 6,400 readings, re-estimated every 100), run here on
the same series. The detector's views and their weights were chosen on these very series, so its score here is
optimistic; the windows of the other 23 series are not public here.
"""

import argparse
import csv
import json
import tarfile
import tempfile
import time
from datetime import datetime
from math import erfc, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.nab_scoring import PROFILES, Floats, Labelled, nab_score
from streams.anomaly.files import score_file
from streams.atomic import write_atomic
from streams.settings import settings

_OUT: Final = Path("benchmarks/results/nab.json")
_MACHINE: Final = "2 cores, x86-64, no GPU; one core used"


def main() -> None:
    """Score all series and write the results."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = settings().data / "nab"
    labels: dict[str, list[list[str]]] = json.loads((folder / "windows_public.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(folder / "data.tar.xz") as archive:
            archive.extractall(scratch, filter="data")
        found = _run(Path(scratch), labels)
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    write_atomic(_OUT.with_suffix(".md"), _page(found))
    print(_OUT.with_suffix(".md").read_text())


def _run(scratch: Path, labels: dict[str, list[list[str]]]) -> dict[str, Any]:
    contestants: dict[str, list[Labelled]] = {"headrace": [], "windowed_gaussian": [], "null": []}
    seconds, readings = 0.0, 0
    for name, windows in labels.items():
        source = next(path for path in scratch.rglob(Path(name).name) if str(path).endswith(name))
        began = time.perf_counter()
        score_file(source, scratch / "scored.csv", lambda *_: None)
        seconds += time.perf_counter() - began
        stamps, values, scores = _columns(scratch / "scored.csv")
        inside = _indices(stamps, windows)
        contestants["headrace"].append(Labelled(scores, inside))
        contestants["windowed_gaussian"].append(Labelled(windowed_gaussian(values), inside))
        contestants["null"].append(Labelled(np.zeros(len(values)), inside))
        readings += len(values)
    results = {
        name: {profile: nab_score(series, weights)._asdict() for profile, weights in PROFILES.items()}
        for name, series in contestants.items()
    }
    return {
        "command": "python -m benchmarks.nab",
        "machine": _MACHINE,
        "series": len(labels),
        "windows": sum(len(windows) for windows in labels.values()),
        "readings": readings,
        "readings_per_second": round(readings / seconds),
        "results": results,
    }


def windowed_gaussian(values: Floats, window: int = 6_400, step: int = 100) -> Floats:
    """The benchmark's own simple detector: how far up a reading lies under a normal curve of the window before it."""
    scores = np.zeros(len(values))
    past: list[float] = []
    fresh: list[float] = []
    mean, deviation = 0.0, 1.0
    for i, value in enumerate(values.tolist()):
        scores[i] = 1 - erfc((value - mean) / deviation / sqrt(2)) / 2 if past else 0.0
        if len(past) < window:
            past.append(value)
        else:
            fresh.append(value)
            if len(fresh) < step:
                continue
            past, fresh = past[step:] + fresh, []
        mean, deviation = float(np.mean(past)), float(np.std(past)) or 1e-6
    return scores


def _columns(scored: Path) -> tuple[list[datetime], Floats, Floats]:
    with scored.open(newline="") as rows:
        read = list(csv.DictReader(rows))
    stamps = [datetime.fromisoformat(row["timestamp"]) for row in read]
    return stamps, np.array([float(row["value"]) for row in read]), np.array([float(r["anomaly_score"]) for r in read])


def _indices(stamps: list[datetime], windows: list[list[str]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in windows:
        begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        inside = [i for i, stamp in enumerate(stamps) if begin <= stamp <= end]
        found.append((inside[0], inside[-1]))
    return found


def _page(found: dict[str, Any]) -> str:
    lines = "\n".join(_line(name, profiles) for name, profiles in found["results"].items())
    about = (__doc__ or "").split("\n\n")[2]
    return f"""# Numenta Anomaly Benchmark

`{found["command"]}`; {found["machine"]}. {found["series"]} series with {found["windows"]} labelled windows and
{found["readings"]:,} readings, {found["readings_per_second"]:,} a second. 0 = says nothing, 100 = perfect.

| detector | {" | ".join(PROFILES)} |
|---|---|---|---|
{lines}

{about}
"""


def _line(name: str, profiles: dict[str, dict[str, float]]) -> str:
    return f"| {name} | {' | '.join(format(profiles[profile]['score'], '.1f') for profile in PROFILES)} |"


if __name__ == "__main__":
    main()
