"""The click head: fit, calibration, evaluation."""
