"""What training reads: a recorded stream folded as the worker folds it."""
