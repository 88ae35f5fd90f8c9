"""Who works on a job: a process of some machine, and whether it still lives.

A job has one holder, by a lease in the database that it renews. Who finds a lease that
has run out may take the job over, and need not wait for that when the holder was a
process of this machine that is gone.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from functools import cache

import psutil

LEASE_SECONDS = 30.0  # as long as a holder may be silent
FIRST_FENCE = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """A process.

    Attributes:
        host: The name of its machine.
        pid: Its number there.
        began: When it was started, in seconds; numbers are given again. On Linux since
            the machine was: there the time since 1970 moves when the clock is set.
    """

    host: str
    pid: int
    began: float

    @classmethod
    def read(cls, text: str) -> Holder:
        """Reads what `written` gave."""
        return cls(**json.loads(text))

    def written(self) -> str:
        """Writes it for the database."""
        return json.dumps(asdict(self))

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended; of another machine nobody knows."""
        if self.host != platform.node():
            return False
        try:
            began = _began(self.pid)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
        return abs(began - self.began) > 1

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _began(pid: int) -> float:
    since = psutil.boot_time() if psutil.LINUX else 0.0
    return float(psutil.Process(pid).create_time()) - since


@cache
def _of(pid: int) -> Holder:
    return Holder(host=platform.node(), pid=pid, began=_began(pid))


def this_process() -> Holder:
    """Gives the process that this runs in, also after a fork."""
    return _of(os.getpid())


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """What the database says of who holds a job.

    Attributes:
        holder: Who took it last; None when it was given back.
        until: Until when, in seconds since 1970.
        fence: Rises by one each time the job is taken; what is written under an older
            one is refused.
    """

    holder: Holder | None
    until: float
    fence: int

    @property
    def free(self) -> bool:
        """Whether the job may be taken."""
        return self.holder is None or self.until <= time.time() or self.holder.gone
