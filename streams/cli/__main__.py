"""`python -m streams.cli`: the command line without an installed script."""

from streams.cli import main

main()
