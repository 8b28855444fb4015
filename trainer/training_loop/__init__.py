"""How training is run: loop, checkpoints, tracking, cards."""
