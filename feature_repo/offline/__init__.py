"""The same folds over a recorded stream."""
