"""What all features build on: identities, fences, windows, money, row versions."""
