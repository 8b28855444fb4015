"""A worker under a steady load for a long time: what grows."""
