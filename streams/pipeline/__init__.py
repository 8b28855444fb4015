"""The pipeline of an event: decode, read, fold, score, emit, write, commit. It knows no scenario."""
