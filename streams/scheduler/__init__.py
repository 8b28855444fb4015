"""What is read when, and which batches are in flight: pure."""
