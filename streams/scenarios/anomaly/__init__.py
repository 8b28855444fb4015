"""Anomaly scores in a stream of readings, from the past alone.

`series` scores any series; `files` does so for a CSV file. The parts: `tail` turns a statistic into the probability of
one so large, `novelty` says how far a reading lies from all earlier ones, `season` finds what repeats, and `suppressor`
keeps an anomaly from being reported again and again.
"""
