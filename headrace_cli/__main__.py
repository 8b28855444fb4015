"""`python -m headrace_cli`: the command line without an installed script."""

from headrace_cli import main

main()
