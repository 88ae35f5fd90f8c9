"""Server-sent events: how a job is doing, while it is at work.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sdr_kit.errors import StoreError
from sdr_kit.progress import ENDED
from sdr_kit.server.office import STATE_SECONDS, Office

BEAT_SECONDS = 5.0  # a comment, so that nobody on the way takes the line for dead
QUIET_SECONDS = 60.0  # a browser opens the stream again by itself


async def events(office: Office, job_id: int) -> AsyncIterator[str]:
    """Tells how a job is doing whenever that changes, at most four times a second.

    The first event says how it is now, the last one is called `end` when the job has
    ended. The stream ends as well when nothing has changed for a minute (a paused job),
    when the job is deleted, and when the server ends.

    Args:
        office: Whom to ask.
        job_id: The job, which exists.
    """
    told: dict[str, Any] | None = None
    quiet = 0.0
    while not office.leaving.is_set() and quiet < QUIET_SECONDS:
        state = office.maybe_told(job_id)
        if state is None:
            try:
                state = await asyncio.to_thread(office.state, job_id)
            except StoreError:  # it was deleted, or the database is gone
                return
        if state != told:
            told, quiet = state, 0.0
            ended = state["state"] in ENDED
            yield _event("end" if ended else "progress", state)
            if ended:
                return
        elif quiet and quiet % BEAT_SECONDS == 0:
            yield ": nothing new\n\n"
        await asyncio.sleep(STATE_SECONDS)
        quiet += STATE_SECONDS


def _event(name: str, state: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(state)}\n\n"
