"""The five gateways, simulated by a local server for dry runs, tests and the demo: no cost, no outside traffic.

It implements the gateways' documents independently of the clients in this package, so that a misreading of one is not
mirrored by the other.
"""

from prefect_omnivideo.sandbox.cassette import CassetteError
from prefect_omnivideo.sandbox.faults import Fault, FaultError, FaultPlan
from prefect_omnivideo.sandbox.server import Sandbox, running, serve
from prefect_omnivideo.sandbox.settings import Settings

__all__ = ["CassetteError", "Fault", "FaultError", "FaultPlan", "Sandbox", "Settings", "running", "serve"]
