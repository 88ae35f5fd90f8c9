"""An interactive notebook workbench that researches company accounts in parallel.

    import sdr_kit

    accounts = sdr_kit.load_accounts("accounts.csv")
    run = await sdr_kit.process(accounts, sdr_kit.Sandbox(), concurrency=5)
    run.frame

The names below are the public interface. They load when first used, so that
`import sdr_kit` costs next to nothing and needs neither Jupyter nor Plotly.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sdr_kit.account import Account, Outcome, Research
from sdr_kit.errors import (
    AccountsError,
    Permanent,
    RateLimited,
    SdrKitError,
    StopRun,
    Transient,
)

if TYPE_CHECKING:
    from sdr_kit.accounts import load_accounts
    from sdr_kit.batch import Job, process, run_sync, start
    from sdr_kit.benchmark import compare
    from sdr_kit.planning import Plan, plan
    from sdr_kit.recovery import jobs, resume
    from sdr_kit.research.anthropic import AnthropicResearcher
    from sdr_kit.research.openai import OpenAIResearcher
    from sdr_kit.research.sandbox import Sandbox
    from sdr_kit.settings import Settings
    from sdr_kit.store import Store
    from sdr_kit.workbench import Workbench

_LATE = {
    "AnthropicResearcher": "sdr_kit.research.anthropic",
    "Job": "sdr_kit.batch",
    "OpenAIResearcher": "sdr_kit.research.openai",
    "Plan": "sdr_kit.planned",
    "Sandbox": "sdr_kit.research.sandbox",
    "Settings": "sdr_kit.settings",
    "Store": "sdr_kit.store",
    "Workbench": "sdr_kit.workbench",
    "compare": "sdr_kit.benchmark",
    "jobs": "sdr_kit.recovery",
    "load_accounts": "sdr_kit.accounts",
    "plan": "sdr_kit.planning",
    "process": "sdr_kit.batch",
    "resume": "sdr_kit.recovery",
    "run_sync": "sdr_kit.batch",
    "start": "sdr_kit.batch",
}

__all__ = [
    "Account",
    "AccountsError",
    "AnthropicResearcher",
    "Job",
    "OpenAIResearcher",
    "Outcome",
    "Permanent",
    "Plan",
    "RateLimited",
    "Research",
    "Sandbox",
    "SdrKitError",
    "Settings",
    "StopRun",
    "Store",
    "Transient",
    "Workbench",
    "compare",
    "jobs",
    "load_accounts",
    "plan",
    "process",
    "resume",
    "run_sync",
    "start",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LATE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATE])
