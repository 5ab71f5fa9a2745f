"""The service's tools as a parameter of its routes."""

from typing import Annotated, Any

from fastapi import Depends, Request

from users.adapters.tools import Tools


async def _tools(request: Request) -> Any:
    return request.app.state.tools


ToolsDep = Annotated[Tools, Depends(_tools)]
