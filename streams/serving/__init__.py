"""Models on Triton, and what they are asked with."""
