"""`python -m imagespace` is the command line."""

from imagespace.cli import main

main()
