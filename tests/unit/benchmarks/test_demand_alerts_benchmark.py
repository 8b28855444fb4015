"""What the benchmark of demand alerts prints is what the README says of it."""

import json
from pathlib import Path

from benchmarks.demand.alerts import _FITTED_ON, headline

ROOT = Path(__file__).parents[3]


def test_the_headline_counts_what_was_found_and_false_alarms_against_those_asked_for():
    planted = {"model at 1e-06": {"planted": 30, "recall": 0.967, "false_episodes": 2, "watched_windows": 361_836}}
    quiet = {"model at 0.001": {"false_alarm_rate": 0.00112}, "model at 0.0003": {"false_alarm_rate": 0.00027}}
    assert headline(planted, quiet) == (
        "29 of 30, 2 false alarms in 361,836 windows; quiet shops: 1.12 and 0.90 times the false alarms asked for"
    )


def test_the_readme_says_what_was_measured_and_on_other_shops_than_fitted_on():
    found = json.loads((ROOT / "benchmarks/results/demand_alerts.json").read_text())
    assert f"[{found['headline']}]" in (ROOT / "README.md").read_text()
    first, seeds = found["conditions"]["first_seed"], found["conditions"]["seeds"]
    judged = {*range(first, first + seeds), *range(first + 100, first + 100 + seeds)}
    assert found["conditions"]["fitted_on_seed"] == _FITTED_ON
    assert _FITTED_ON not in judged
