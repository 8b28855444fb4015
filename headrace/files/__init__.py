"""Files written whole or not at all, and input files read with one line for what is wrong with them."""
