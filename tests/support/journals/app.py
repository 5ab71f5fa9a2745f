"""The journals service as one ASGI app."""

from fastapi import FastAPI

from journals import operations, routes
from journals.documents import Journal
from journals.settings import JournalsSettings
from kit.service import build_service

VERSION = "1.0.0"


def create_app(settings: JournalsSettings) -> FastAPI:
    return build_service(
        name="journals",
        version=VERSION,
        settings=settings,
        documents=(Journal,),
        routers=(routes.router,),
        planners={"changeJournal": operations.plan_change},
    )


def make() -> FastAPI:
    return create_app(JournalsSettings.load())
