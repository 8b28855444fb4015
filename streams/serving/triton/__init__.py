"""The Triton client, its breaker, and checks of what models answer."""
