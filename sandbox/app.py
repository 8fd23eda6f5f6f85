"""The gateways behind one port, and the sandbox's own endpoints."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from prefect_omnivideo.sandbox.apimart import APIMart
from prefect_omnivideo.sandbox.cassette import Cassette
from prefect_omnivideo.sandbox.gateway import Gateway
from prefect_omnivideo.sandbox.jimmyai import JimmyAI
from prefect_omnivideo.sandbox.omnirouters import OmniRouters
from prefect_omnivideo.sandbox.sora import SoraCompatible
from prefect_omnivideo.sandbox.state import State
from prefect_omnivideo.sandbox.twelveai import TwelveAI

_GATEWAYS: tuple[type[Gateway], ...] = (TwelveAI, OmniRouters, SoraCompatible, APIMart, JimmyAI)


def create_app(state: State) -> Starlette:
    """The five gateways under `/12ai`, `/omnirouters`, `/sora`, `/apimart` and `/jimmyai`, and `/_sandbox`."""
    mounts = [Mount(f"/{gateway.name}", routes=gateway(state).all_routes()) for gateway in _GATEWAYS]
    if state.settings.cassette:
        mounts.append(Mount("/cassette", routes=Cassette(state.settings.cassette).routes()))
    return Starlette(routes=[*mounts, Mount("/_sandbox", routes=_control(state))])


def _control(state: State) -> list[BaseRoute]:
    async def jobs(_: Request) -> Response:
        return JSONResponse(state.book.bill())

    async def reset(_: Request) -> Response:
        state.reset()
        return Response(status_code=204)

    async def stats(_: Request) -> Response:
        return JSONResponse(state.stats())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [
        Route("/jobs", jobs),
        Route("/jobs", reset, methods=["DELETE"]),
        Route("/stats", stats),
        Route("/health", health),
    ]
