"""The names that metrics had in the release before are exposed beside the new ones, with equal values."""

import pytest
from prometheus_client import REGISTRY, generate_latest

from streams.operations import metrics


@pytest.fixture(autouse=True)
def counted():
    metrics.BATCH_RECORDS.labels("aliased").observe(5)
    for step in ("serialise", "build", "evaluate", "read"):
        metrics.STEP_SECONDS.labels("aliased", step).observe(2)
    metrics.SKIPPED_CONTEXT.labels("aliased").inc(3)
    metrics.LATE_UPDATES.inc()
    metrics.OUTPUT_DELAY.observe(0.3)


@pytest.mark.parametrize(
    ("new", "labels", "old", "old_labels"),
    [
        ("headrace_batch_records_sum", {"pipeline": "aliased"}, "headrace_chunk_records_sum", {"road": "aliased"}),
        (
            "headrace_batch_records_bucket",
            {"pipeline": "aliased", "le": "16.0"},
            "headrace_chunk_records_bucket",
            {"road": "aliased", "le": "16.0"},
        ),
        *(
            (
                "headrace_pipeline_step_seconds_sum",
                {"pipeline": "aliased", "step": step},
                "headrace_step_seconds_sum",
                {"road": "aliased", "step": before},
            )
            for step, before in {"serialise": "pack", "build": "say", "evaluate": "conclude", "read": "read"}.items()
        ),
        (
            "headrace_context_skipped_total",
            {"topic": "aliased"},
            "headrace_context_left_out_total",
            {"topic": "aliased"},
        ),
        ("headrace_late_item_updates_total", {}, "headrace_late_deltas_total", {}),
        ("headrace_output_delay_seconds_count", {}, "headrace_answer_delay_seconds_count", {}),
    ],
)
def test_an_old_name_has_the_value_of_the_new_one(new, labels, old, old_labels):
    value = REGISTRY.get_sample_value(new, labels)
    assert value
    assert REGISTRY.get_sample_value(old, old_labels) == value


def test_the_exposition_says_what_replaces_an_old_name():
    text = generate_latest(REGISTRY).decode()
    assert "# HELP headrace_chunk_records Deprecated, removed in the next release: use headrace_batch_records." in text
    assert "# TYPE headrace_late_deltas_total counter" in text
