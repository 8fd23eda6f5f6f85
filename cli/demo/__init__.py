"""The demo: production flows against simulated gateways, with everything that can go wrong."""

from prefect_omnivideo.cli.demo.story import run_demo

__all__ = ["run_demo"]
