"""Errors as problem details (RFC 9457): what was wrong, and with which field."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from sdr_kit.errors import (
    AccountsError,
    JobHeldError,
    NoJobError,
    SdrKitError,
    StoreError,
    text_of,
)
from sdr_kit.plain import plain

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
VALUE_CHARACTERS = 200  # of a wrong value that is said again
# Said better than by the library, which tells its own classes.
ALLOWED = {
    ("body",): "a JSON object, sent with the header Content-Type: application/json",
    ("body", "file"): "a file, in a form; with curl: -F file=@accounts.csv",
}


class Problem(Exception):
    """A request that cannot be done.

    Args:
        status: The HTTP status.
        detail: What is wrong, for a person.
        errors: A mapping with `field`, `value` and `allowed` for each wrong field.
    """

    def __init__(
        self, status: int, detail: str, errors: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors


def wrong(field: str, value: object, allowed: str) -> Problem:
    """Says which value of a field is not allowed, and what is."""
    shown = _shown(value)
    hidden = shown is None and value is not None
    said = "" if hidden else f" is {json.dumps(shown, ensure_ascii=False)}; it"
    return Problem(
        422,
        f"{field}{said} must be {allowed}",
        [{"field": field, "value": shown, "allowed": allowed}],
    )


def answer(
    status: int,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Writes a problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Has the app answer with problems, whatever goes wrong."""
    statuses: dict[type[Exception], int] = {
        NoJobError: 404,
        JobHeldError: 409,
        AccountsError: 422,
        StoreError: 503,
        SdrKitError: 422,
    }
    for kind, status in statuses.items():
        app.add_exception_handler(kind, _said(status))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def _said(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def respond(_request: Request, error: Exception) -> JSONResponse:
        return answer(status, text_of(error))

    return respond


def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 (registered for it)
    return answer(error.status, error.detail, error.errors)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _on(request)):
        headers["allow"] = ", ".join(sorted(allowed))
    return answer(error.status_code, str(error.detail), headers=headers)


def _on(request: Request) -> set[str]:
    """Gives the methods of a path; the framework names those of one endpoint."""
    return {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.url.path)
        for method in operations
    }


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it)
    errors = [_field_problem(each) for each in error.errors()]
    said = "; ".join(f"{each['field']}: {each['allowed']}" for each in errors)
    return answer(422, said, errors)


def _field_problem(error: Mapping[str, Any]) -> dict[str, Any]:
    place = error["loc"]
    if error["type"] == "json_invalid":  # its place is a character
        said = f"JSON; at character {place[1]}: {error['ctx']['error']}"
        return {"field": "body", "value": None, "allowed": said}
    return {
        "field": ".".join(map(str, place[1:])) or str(place[0]),
        "value": _shown(error.get("input")),
        "allowed": ALLOWED.get(place) or str(error["msg"]),
    }


def _bug(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return answer(500, "an error of the server; its log has it")


def _shown(value: object) -> Any:
    """Gives a wrong value as JSON may say it again; None when it is long or deep."""
    try:
        said = plain(value)
        return said if len(repr(said)) <= VALUE_CHARACTERS else None
    except (ValueError, RecursionError):
        return None
