"""The detector of `headrace demand score` on the Numenta Anomaly Benchmark's series with public windows.

    python -m benchmarks.nab.nab

Every series goes through the command's own code, as a file in and a file out; the official scoring is in
`nab_scoring`. Two figures a detector: with the threshold that is best for all series, as the benchmark has it, and of
families of series left out one at a time (`nab_families`), with the threshold that the others choose. Beside it the
benchmark's Windowed Gaussian (window 6,400 readings, re-estimated every 100, both tails), run here on the same series.

For `headrace_chosen` the others choose the settings too, among those of the second table. What no figure here is free
of: which views there are was found on all of these series. The windows of the other 23 series are not public here.
"""

import argparse
import csv
import json
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from math import erfc, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.nab.families import LeftOut, Scored, left_out
from benchmarks.nab.scoring import PROFILES, Floats, Labelled, nab_score
from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.scenarios.anomaly.files import score_file
from streams.scenarios.anomaly.series import SHIPPED, DetectorSettings, SeriesDetector
from streams.scenarios.anomaly.stamps import Stamps

_OUT: Final = Path("benchmarks/results/nab.json")
_MACHINE: Final = "2 cores, x86-64, no GPU; one core used, beside other work"
_SHIPPED: Final = "as shipped"
_VARIANTS: Final = {
    "no hour of the day": SHIPPED._replace(hour=0),
    "all weights 1": SHIPPED._replace(value=1, season=1),
    "shapes of 8": SHIPPED._replace(shape=8),
    "extremes of 20": SHIPPED._replace(reach=20),
    "extremes of 100": SHIPPED._replace(reach=100),
    "tail of 2 %": SHIPPED._replace(top_share=0.02),
    "tail of 5 %": SHIPPED._replace(top_share=0.05),
    "quiet for 100": SHIPPED._replace(quiet=100),
    "quiet for 300": SHIPPED._replace(quiet=300),
}
"""One setting changed at a time."""


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
    sources = {
        name: next(path for path in scratch.rglob(Path(name).name) if str(path).endswith(name)) for name in labels
    }
    began = time.process_time()
    for source in sources.values():
        score_file(source, source.with_suffix(".scored"), lambda _done, _all: None)
    seconds = time.process_time() - began
    series = {name: _columns(source.with_suffix(".scored")) for name, source in sources.items()}
    windows = {name: _indices(series[name][0], labels[name]) for name in labels}

    def scored(detect: Callable[[list[str], Floats, Floats], Floats]) -> Scored:
        return {name: Labelled(detect(*series[name]), windows[name]) for name in labels}

    headrace = scored(lambda _, __, scores: scores)
    contestants = {
        "headrace": headrace,
        "windowed_gaussian": scored(lambda _, values, __: windowed_gaussian(values)),
        "null": scored(lambda _, values, __: np.zeros(len(values))),
    }
    candidates = {_SHIPPED: headrace}
    for name, changed in _VARIANTS.items():
        print(name, flush=True)
        candidates[name] = scored(partial(_detect, changed))
    readings = sum(len(stamps) for stamps, _, _ in series.values())
    return {
        "command": "python -m benchmarks.nab.nab",
        "machine": _MACHINE,
        "series": len(labels),
        "windows": sum(map(len, windows.values())),
        "readings": readings,
        "readings_per_second": round(readings / seconds),  # by the processor's time: others may work beside
        "results": {name: _figures({name: found}) for name, found in contestants.items()}
        | {"headrace_chosen": _figures(candidates)},
        "settings": {name: _figures({name: found})["standard"] for name, found in candidates.items()},
    }


def _figures(candidates: dict[str, Scored]) -> dict[str, Any]:
    """By profile: families left out, and all series together with the first candidate."""
    first = list(next(iter(candidates.values())).values())
    return {
        profile: {"all": nab_score(first, weights)._asdict(), "left_out": _plain(left_out(candidates, weights))}
        for profile, weights in PROFILES.items()
    }


def _plain(found: LeftOut) -> dict[str, Any]:
    return found._asdict() | {"families": {name: family._asdict() for name, family in found.families.items()}}


def _detect(changed: DetectorSettings, stamps: list[str], values: Floats, _: Floats) -> Floats:
    detector, parse = SeriesDetector(changed), Stamps().parse
    return np.array([detector.score(parse(stamp), value) for stamp, value in zip(stamps, values.tolist(), strict=True)])


def windowed_gaussian(values: Floats, window: int = 6_400, step: int = 100) -> Floats:
    """The benchmark's own simple detector: one less the tail beyond a reading, on its side of the mean, under a normal
    curve of the window before it. A constant window counts as one of deviation 1e-6."""
    scores = np.zeros(len(values))
    mean, deviation = 0.0, 1.0
    for i in range(1, len(values)):
        slid = max(i - window, 0) // step * step
        if i <= window or (i - window) % step == 0:
            past = values[slid : min(i, window + slid)]
            mean, deviation = float(past.mean()), float(past.std()) or 1e-6
        scores[i] = 1 - erfc(abs(float(values[i]) - mean) / deviation / sqrt(2)) / 2
    return scores


def _columns(scored: Path) -> tuple[list[str], Floats, Floats]:
    """Time stamps, values and scores of a scored file."""
    with scored.open(newline="") as rows:
        read = list(csv.DictReader(rows))
    values, scores = (np.array([float(row[column]) for row in read]) for column in ("value", "anomaly_score"))
    return [row["timestamp"] for row in read], values, scores


def _indices(stamps: list[str], windows: list[list[str]]) -> list[tuple[int, int]]:
    moments = [datetime.fromisoformat(stamp) for stamp in stamps]
    found: list[tuple[int, int]] = []
    for first, last in windows:
        begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        inside = [i for i, moment in enumerate(moments) if begin <= moment <= end]
        found.append((inside[0], inside[-1]))
    return found


def _page(found: dict[str, Any]) -> str:
    results: dict[str, Any] = found["results"]
    lines = "\n".join(_line(name, profile, of[profile]) for name, of in results.items() for profile in PROFILES)
    variants = "\n".join(_line(name, "standard", of) for name, of in found["settings"].items())
    families = list(results["headrace"]["standard"]["left_out"]["families"])
    about = "\n\n".join((__doc__ or "").rstrip().split("\n\n")[2:])
    head = f"profile | left out: mean | left out: pooled | {' | '.join(families)} | all {found['series']} series |"
    rule = "|---" * (5 + len(families)) + "|"
    return f"""# Numenta Anomaly Benchmark

`{found["command"]}`; {found["machine"]}. {found["series"]} series with {found["windows"]} labelled windows and
{found["readings"]:,} readings, {found["readings_per_second"]:,} a second of the core's time. 0 = says nothing, 100 =
perfect.

| detector | {head}
{rule}
{lines}

{about}

One setting changed at a time:

| settings | {head}
{rule}
{variants}
"""


def _line(name: str, profile: str, figures: dict[str, Any]) -> str:
    left = figures["left_out"]
    numbers = [left["mean"], left["pooled"], *(family["score"] for family in left["families"].values())]
    return f"| {name} | {profile} | {' | '.join(f'{x:.1f}' for x in [*numbers, figures['all']['score']])} |"


if __name__ == "__main__":
    main()
