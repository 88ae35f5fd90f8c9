"""Who does the research, what is asked, for how much money, and in what time."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import ipywidgets as widgets

from sdr_kit.errors import SdrKitError
from sdr_kit.research.ready_made import (
    BRIEFS_BY_NAME,
    SANDBOX_LABEL,
    ReadyMade,
    ready_made,
)
from sdr_kit.settings import Settings
from sdr_kit.words import duration, time_span
from sdr_kit.workbench.parts import LABEL_WIDTH, row, show
from sdr_kit.worker import Researcher, check_researcher

WIDTH = {"width": "400px", "max_width": "100%"}
NARROW = {"width": "240px"}
MINUTE = 60.0
# A comma stands before three digits only: half of Europe writes 1,5 and means 1.5.
_AMOUNT = re.compile(r"(\d{1,3}(,\d{3})+|\d+)(\.\d*)?|\.\d+")


class Chooser:
    """The researcher, its brief when it has one, the budget and the deadline.

    Offered are the sandbox, the providers that the settings have a key or an address
    for, and what the caller brought.

    Args:
        researchers: What the caller brought, by name.
        settings: Which providers can be asked, and the budget to begin with.
        changed: Called when something is chosen.
        budgeted: Called when the budget is changed.
        timed: Called when the deadline is changed.

    Attributes:
        box: All of it, side by side.
        dropdown: The researchers by name.
    """

    def __init__(
        self,
        researchers: Mapping[str, Researcher],
        *,
        settings: Settings,
        changed: Callable[..., None],
        budgeted: Callable[..., None],
        timed: Callable[..., None],
    ) -> None:
        wide = {"description_width": LABEL_WIDTH}
        self.dropdown = widgets.Dropdown(
            options={
                **{each.label: each for each in ready_made(settings).values()},
                **{name: check_researcher(each) for name, each in researchers.items()},
            },
            description="Researcher",
            style=wide,
            layout=WIDTH,
        )
        self._brief = widgets.Dropdown(
            options=dict(BRIEFS_BY_NAME),
            description="Brief",
            style=wide,
            layout=WIDTH,
        )
        self._budget = widgets.Text(
            value=_written(settings.budget_usd),
            description="Budget in $",
            placeholder="no limit",
            continuous_update=False,
            style=wide,
            layout=NARROW,
        )
        self._deadline = widgets.Text(
            description="Deadline",
            placeholder="none, or 2 h",
            tooltip="So long after Run nothing more is started; a number is minutes",
            continuous_update=False,
            style=wide,
            layout=NARROW,
        )
        self.box = row([self._brief, self._budget, self._deadline])
        self._show_what_applies()
        self.dropdown.observe(lambda _change: self._show_what_applies(), "value")
        for each in (self.dropdown, self._brief):
            each.observe(changed, "value")
        self._budget.observe(budgeted, "value")
        self._deadline.observe(timed, "value")

    @property
    def researcher(self) -> Researcher:
        """Who is chosen.

        Raises:
            SettingsError: It cannot be made: a key or a price is wrong.
        """
        return _made(self.dropdown.value, self._brief.value)

    def choose(self, wanted: Callable[[Researcher], bool]) -> bool:
        """Chooses the first researcher and brief that is wanted, if there is one."""
        for label, offered in self.dropdown.options.items():
            briefs = BRIEFS_BY_NAME.values()
            for brief in briefs if isinstance(offered, ReadyMade) else [None]:
                with contextlib.suppress(SdrKitError):  # a price is wrong, perhaps
                    if wanted(_made(offered, brief)):
                        self.dropdown.label = label
                        self._brief.value = brief or self._brief.value
                        return True
        return False

    @property
    def budget_usd(self) -> float | None:
        """What a run may cost; None is no bound.

        Raises:
            ValueError: What is written is no amount.
        """
        written = self._budget.value.strip().lstrip("$").strip()
        if not written:
            return None
        usd = float(written.replace(",", "")) if _AMOUNT.fullmatch(written) else 0.0
        if not usd > 0:
            raise ValueError(
                f"The budget {self._budget.value!r} is no amount of US dollars. Write "
                "for instance 25 or 1.50, or nothing for no limit."
            )
        return usd

    @budget_usd.setter
    def budget_usd(self, usd: float | None) -> None:
        self._budget.value = _written(usd)

    @property
    def deadline_seconds(self) -> float | None:
        """How long after its start a run starts nothing more; None is no deadline.

        Raises:
            ValueError: What is written is no time.
        """
        written = self._deadline.value.strip()
        if not written:
            return None
        with contextlib.suppress(ValueError):
            seconds = time_span(written, alone=MINUTE)
            if 0 < seconds < math.inf:
                return seconds
        raise ValueError(
            f"The deadline {self._deadline.value!r} is no time from Run on. Write for "
            "instance 90 min or 2 h, or nothing for no deadline."
        )

    def write_deadline(self) -> None:
        """Writes the deadline with its unit: who writes 90 sees what is meant.

        Raises:
            ValueError: As `deadline_seconds`.
        """
        seconds = self.deadline_seconds
        if seconds is not None and time_span(duration(seconds)) == seconds:
            self._deadline.value = duration(seconds)

    def enable(self, *, free: bool) -> None:
        """Lets a person choose, or not; the budget may always be changed."""
        for each in (self.dropdown, self._brief, self._deadline):
            each.disabled = not free

    def _show_what_applies(self) -> None:
        """Hides the brief of researchers that have none, and what costs nothing."""
        chosen = self.dropdown.value
        show(self._brief, visible=isinstance(chosen, ReadyMade))
        show(self._budget, visible=self.dropdown.label != SANDBOX_LABEL)


def _made(offered: Any, brief: Any) -> Researcher:
    """Gives who is offered, asked about a brief where there is one."""
    ready_made = isinstance(offered, ReadyMade)
    return cast("Researcher", offered.about(brief) if ready_made else offered)


def _written(usd: float | None) -> str:
    """Writes an amount with all its digits, and no more."""
    return "" if usd is None else f"{Decimal(str(usd)).normalize():f}"
