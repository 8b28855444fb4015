"""Next-item evaluation on files of `user item item …`: read, hold out, fit, rank."""
