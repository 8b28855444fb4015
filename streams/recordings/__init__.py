"""Recorded streams: read, write, validate, import, simulate, record and replay."""
