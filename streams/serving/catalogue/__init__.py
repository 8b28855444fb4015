"""The catalogue that every worker holds, and what models are told of it."""
