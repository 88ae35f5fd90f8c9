"""The OpenAPI document: what the framework cannot know of itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sdr_kit.research.ready_made import BRIEFS_BY_NAME
from sdr_kit.server.guard import OPEN
from sdr_kit.server.models import ProblemDetails
from sdr_kit.server.office import Office
from sdr_kit.server.problems import MEDIA_TYPE

DESCRIPTIONS = {
    400: "The request is broken.",
    401: "The token is missing or wrong.",
    404: "There is no such job.",
    409: "The job is not in a state for that, or another process works on it.",
    413: "The request is too large.",
    422: "Something in the request is not allowed; `errors` has the fields.",
    503: "The database cannot be used.",
}
EVENT = {  # one of a stream
    "type": "object",
    "properties": {
        "event": {"enum": ["progress", "end"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobState"},
        },
    },
}
EXAMPLE = "company_name,domain\nAcme GmbH,acme.de\nGlobex Corporation,globex.com\n"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documents the errors of an endpoint, besides those of all."""
    return {status: {"description": DESCRIPTIONS[status]} for status in statuses}


def complete(app: FastAPI, office: Office) -> None:
    """Has the app give a document with errors, the token, and what may be chosen."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(app, office)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(app: FastAPI, office: Office) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    details = ProblemDetails.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    schemas.update(details.pop("$defs"))
    schemas["ProblemDetails"] = details
    for path, operations in document["paths"].items():
        for operation in operations.values():
            own = {"400"} if "requestBody" in operation else set()
            _add_problems(operation["responses"], own, is_open=path == OPEN)
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"}
    }
    document["security"] = [{"token": []}]
    document["paths"][OPEN]["get"]["security"] = []
    _add_choices(schemas, office)
    return document


def _add_problems(responses: dict[str, Any], own: set[str], *, is_open: bool) -> None:
    own = own | {status for status in responses if int(status) >= 400}
    for status in own | (set() if is_open else {"401", "422", "503"}) | {"413"}:
        responses[status] = {
            "description": DESCRIPTIONS[int(status)],
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
            },
        }


def _add_choices(schemas: dict[str, Any], office: Office) -> None:
    """Says what the settings allow, and what is chosen when nothing is said."""
    top = office.settings.max_concurrency
    for name in ("Start", "Sampling", "Change", "Again"):
        number, _auto = schemas[name]["properties"]["concurrency"]["anyOf"]
        number["maximum"] = top
    for name in ("Start", "Sampling"):
        start = schemas[name]["properties"]
        start["researcher"]["enum"] = office.researchers
        start["brief"]["enum"] = list(BRIEFS_BY_NAME)
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("default", ...) is None:  # it is left out, not null
                del field["default"]
    upload = next(name for name in schemas if name.startswith("Body_upload"))
    schemas[upload]["properties"]["file"]["example"] = EXAMPLE
