"""The five gateways, played by a local server for dry runs, tests and the demo: no cost, no outside traffic.

It is a second reading of the gateways' documents, independent of the clients in this package, so that one misreading is
not mirrored.
"""

from prefect_omnivideo.sandbox.faults import Fault, FaultError, FaultPlan
from prefect_omnivideo.sandbox.server import Sandbox, running, serve
from prefect_omnivideo.sandbox.settings import Settings

__all__ = ["Fault", "FaultError", "FaultPlan", "Sandbox", "Settings", "running", "serve"]
