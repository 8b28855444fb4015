"""Commands that run things: the local stack, workers, the demonstration."""
