"""Health, probes, supervision, metrics and logs of workers."""
