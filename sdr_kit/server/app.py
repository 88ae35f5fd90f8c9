"""The endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

import anyio
import anyio.to_thread
import pandas as pd
from fastapi import APIRouter, FastAPI, Path, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from sdr_kit.accounts import Accounts
from sdr_kit.deliver import check_merged
from sdr_kit.export import objects
from sdr_kit.results import evidence_frame
from sdr_kit.server import document
from sdr_kit.server.events import events
from sdr_kit.server.guard import Guard
from sdr_kit.server.models import (
    MAX_ID,
    AccountPage,
    Again,
    Change,
    Format,
    Health,
    JobPage,
    JobPlan,
    JobState,
    JobSummary,
    Sampling,
    Sort,
    Start,
    Started,
    Status,
    Tier,
    Uploaded,
)
from sdr_kit.server.office import Office
from sdr_kit.server.problems import Problem, handle_problems, wrong
from sdr_kit.settings import Settings
from sdr_kit.store import Store

SHOWN_ROWS = 100  # of what was left out of a list
PAGE = 100
MAX_PAGE = 1_000
MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
    "html": "text/html",
}

JobId = Annotated[int, Path(ge=1, le=MAX_ID, description="The number of the job.")]
Offset = Annotated[int, Query(ge=0, le=MAX_ID, description="So many are passed over.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="At most so many.")]

api = APIRouter(prefix="/api")


def create_app(store: Store, settings: Settings, *, token: str) -> FastAPI:
    """Puts the API together.

    Args:
        store: Whose jobs it shows.
        settings: How runs are made, and what is let in.
        token: What every request shows, but those for `/api/health`.
    """
    office = Office(store, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(office.close)

    app = FastAPI(
        title="sdr_kit",
        summary="Researches lists of company accounts, several at a time.",
        version=version("sdr_kit"),
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
    )
    app.state.office = office
    # One list at a time, and one file: they take memory. Who waits for that holds no
    # thread that other requests need.
    app.state.reading = anyio.CapacityLimiter(1)
    app.state.writing = anyio.CapacityLimiter(1)
    app.include_router(api)
    handle_problems(app)
    document.complete(app, office)
    megabyte = 1_000_000
    app.add_middleware(
        Guard, token=token, upload_bytes=int(settings.api_max_upload_mb * megabyte)
    )
    return app


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


@api.get("/health")
async def health() -> Health:
    """Says that the server is there; needs no token."""
    return Health(status="ok", version=version("sdr_kit"))


@api.post("/jobs", status_code=201)
async def upload(request: Request, response: Response, file: UploadFile) -> Uploaded:
    """Takes a list, a CSV or a workbook, and keeps it as a job that is to be begun.

    Says what became of each row. Nothing is researched yet.
    """
    office = _office(request)

    def add() -> Uploaded:
        return _report(*office.add(file.file, file.filename or "upload"))

    uploaded = await anyio.to_thread.run_sync(add, limiter=request.app.state.reading)
    response.headers["Location"] = f"/api/jobs/{uploaded.job_id}"
    return uploaded


def _report(job_id: int, accounts: Accounts) -> Uploaded:
    return Uploaded(
        job_id=job_id,
        source=accounts.source,
        layout=accounts.layout,
        rows_read=accounts.rows_read,
        ready=len(accounts),
        duplicates=_rows(accounts.duplicates),
        duplicates_total=len(accounts.duplicates),
        rejected=_rows(accounts.rejected),
        rejected_total=len(accounts.rejected),
        columns=_rows(accounts.recognised),
    )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    shown = frame.head(SHOWN_ROWS)
    return list(objects(shown, pd.DataFrame(), positions=range(len(shown))))


@api.post("/process/start", responses=document.problems(404, 409))
def start(request: Request, body: Start) -> Started:
    """Begins a job, or goes on with one that has accounts left; answers at once."""
    job = _office(request).start(**body.chosen)
    now, choice = job.progress, job.concurrency
    return Started(
        job_id=job.id,
        mode="sequential" if now.sequential else "parallel",
        concurrency=choice,
        researcher=job.asked.name,
        budget_usd=now.budget_usd,
        total=now.total,
        pending=now.pending,
        reused=now.reused,
    )


@api.post("/plan", status_code=202, responses=document.problems(404, 409))
def plan(request: Request, response: Response, body: Sampling) -> JobPlan:
    """Begins a job with a sample; answers at once, before its plan is known.

    The plan is at the address in `Location`. When the sample is done the job pauses and
    asks: resume it to go on, cancel it to leave the others pending.
    """
    office = _office(request)
    office.sample(**body.chosen)
    response.headers["Location"] = f"/api/jobs/{body.job_id}/plan"
    return JobPlan(**office.plan(body.job_id))


@api.get("/jobs/{job_id}/plan", responses=document.problems(404))
def planned(
    request: Request,
    job_id: JobId,
    deadline_seconds: Annotated[
        float | None,
        Query(
            gt=0,
            le=MAX_ID,
            description="When the others must be done, from now; the deadline that "
            "the sample was begun with.",
        ),
    ] = None,
) -> JobPlan:
    """Says what the accounts without a result will take, at each concurrency.

    Nothing is researched for it. Without `rows` nobody has been answered yet.
    """
    office = _office(request)
    return JobPlan(**office.plan(job_id, deadline_seconds=deadline_seconds))


@api.get("/jobs")
def list_jobs(request: Request, offset: Offset = 0, limit: Limit = PAGE) -> JobPage:
    """Lists the jobs of the store, the newest first."""
    total, jobs = _office(request).states(offset=offset, limit=limit)
    return JobPage(
        total=total, offset=offset, jobs=[JobSummary(**each) for each in jobs]
    )


@api.get("/jobs/{job_id}", responses=document.problems(404))
async def job(request: Request, job_id: JobId) -> JobState:
    """Says how a job is doing, at most a quarter of a second ago."""
    office = _office(request)
    state = office.maybe_told(job_id)
    if state is None:
        state = await anyio.to_thread.run_sync(office.state, job_id)
    return JobState(**state)


@api.patch("/jobs/{job_id}", responses=document.problems(404, 409))
def change(request: Request, job_id: JobId, body: Change) -> JobState:
    """Changes the concurrency or the budget of a job while it runs."""
    office = _office(request)
    if not body.chosen:
        raise Problem(422, "nothing is to be changed; name concurrency or budget_usd")
    office.change(job_id, **body.chosen)
    return JobState(**office.state(job_id))


@api.delete("/jobs/{job_id}", status_code=204, responses=document.problems(404, 409))
def delete(request: Request, job_id: JobId) -> None:
    """Deletes a job and its results."""
    _office(request).delete(job_id)


@api.post("/jobs/{job_id}/pause", responses=document.problems(404, 409))
def pause(request: Request, job_id: JobId) -> JobState:
    """Starts nothing more until it is resumed; what runs finishes."""
    office = _office(request)
    office.pause(job_id)
    return JobState(**office.state(job_id))


@api.post("/jobs/{job_id}/resume", responses=document.problems(404, 409))
def resume(request: Request, job_id: JobId) -> JobState:
    """Goes on with a job that is paused, or that has ended with accounts left."""
    office = _office(request)
    office.resume(job_id)
    return JobState(**office.state(job_id))


@api.post("/jobs/{job_id}/cancel", responses=document.problems(404, 409))
def cancel(request: Request, job_id: JobId) -> JobState:
    """Ends a job; accounts in flight return to pending."""
    office = _office(request)
    office.cancel(job_id)
    return JobState(**office.state(job_id))


@api.post("/jobs/{job_id}/retry", responses=document.problems(404, 409))
def retry(request: Request, job_id: JobId, body: Again | None = None) -> JobState:
    """Researches accounts of a job again, once it has ended."""
    office = _office(request)
    office.retry(job_id, **(body.chosen if body else {}))
    return JobState(**office.state(job_id))


@api.get("/jobs/{job_id}/accounts", responses=document.problems(404))
def accounts(
    request: Request,
    job_id: JobId,
    status: Status | None = None,
    tier: Tier | None = None,
    priority_min: Annotated[int, Query(ge=1, le=10)] = 1,
    priority_max: Annotated[int, Query(ge=1, le=10)] = 10,
    text: Annotated[str, Query(max_length=200)] = "",
    sort: Sort = "position",
    descending: bool = False,  # noqa: FBT001, FBT002 (a parameter of the address)
    offset: Offset = 0,
    limit: Limit = PAGE,
) -> AccountPage:
    """Gives the accounts of a job with what was found, those that fit all filters."""
    office = _office(request)

    def fits(frame: pd.DataFrame) -> pd.Series[bool]:
        wanted = pd.Series(data=True, index=frame.index)
        if status is not None:
            wanted &= frame["status"] == status
        if tier is not None:
            wanted &= frame["tier"] == tier
        if (priority_min, priority_max) != (1, 10):
            between = frame["priority_score"].between(priority_min, priority_max)
            wanted &= between.fillna(value=False)
        return wanted

    job, rows = office.accounts(
        job_id, text=text, fits=fits, sort=sort, descending=descending
    )
    page = rows.iloc[offset : offset + limit]
    places = page.index.tolist()
    outcomes = job.results(first=min(places), last=max(places)) if places else []
    evidence = evidence_frame(
        job.accounts.frame, [each for each in outcomes if each.position in set(places)]
    )
    page = page.rename(columns={"position": "source_position"})
    page.insert(0, "position", places)
    return AccountPage(
        total=len(rows),
        offset=offset,
        synthetic=job.asked.synthetic,
        accounts=list(objects(page, evidence, positions=places)),
    )


@api.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        **document.problems(404),
        200: {
            "content": {"text/event-stream": {"schema": document.EVENT}},
            "description": "Events `progress`, and `end` at last, with a JobState.",
        },
    },
)
async def stream(request: Request, job_id: JobId) -> StreamingResponse:
    """Tells how a job is doing whenever that changes, at most four times a second."""
    office = _office(request)
    await anyio.to_thread.run_sync(office.state, job_id)
    return StreamingResponse(
        events(office, job_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@api.get(
    "/jobs/{job_id}/export",
    response_class=Response,
    responses={
        **document.problems(404),
        200: {
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in MEDIA_TYPES.values()
            },
            "description": "The file.",
        },
    },
)
async def export(
    request: Request,
    job_id: JobId,
    format: Format = "csv",  # noqa: A002 (a parameter of the address)
    merged: bool = False,  # noqa: FBT001, FBT002
    invented: bool = False,  # noqa: FBT001, FBT002
) -> Response:
    """Gives the results as a file: a table, JSON lines, or a report.

    `merged` is the list's own table with the results behind (csv and xlsx). What a
    sandbox has made up is left blank unless it is asked for (`invented`).
    """
    office, kind = _office(request), f".{format}"
    try:
        check_merged(kind, merged=merged)
    except ValueError as error:
        raise wrong("merged", merged, "false, or the format csv or xlsx") from error

    def contents() -> bytes:
        return office.job(job_id).contents(kind, merged=merged, invented=invented)

    try:
        file = await anyio.to_thread.run_sync(
            contents, limiter=request.app.state.writing
        )
    except ValueError as error:  # it is more than a sheet holds
        fields = {"field": "format", "value": format, "allowed": "csv or jsonl"}
        raise Problem(422, str(error), [fields]) from error
    name = f"job-{job_id}.{format}"
    return Response(
        file,
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
