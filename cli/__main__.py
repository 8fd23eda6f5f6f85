"""`python -m prefect_omnivideo.cli`."""

from prefect_omnivideo.cli.commands import main

main()
