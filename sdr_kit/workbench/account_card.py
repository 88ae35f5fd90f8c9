"""One account, opened: what was found, how, and what a person says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import ipywidgets as widgets

from sdr_kit.account import PRIORITIES, TIERS, Edit
from sdr_kit.workbench import account_markup, markup
from sdr_kit.workbench.desk import Desk
from sdr_kit.workbench.parts import Guard, button, column, row, show, text

AS_IS = "as it is"


class AccountCard:
    """The account that is open, if one is.

    Args:
        desk: Where accounts and edits are.
        guard: See `Guard`.
        edited: Called after an edit was kept or taken back.
        dropped: Called after the account was dropped from the list.

    Attributes:
        position: Its place in the list; None when none is open.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        guard: Guard,
        edited: Callable[[], None],
        dropped: Callable[[], None],
    ) -> None:
        self.position: int | None = None
        self._filled = Edit()  # what the fields were filled with
        self._desk = desk
        self._edited = edited
        self._dropped = dropped
        self._head = text()
        self._facts = text()
        self._tier = widgets.Dropdown(
            description="Tier", options=[(AS_IS, ""), *((t, t) for t in TIERS)]
        )
        self._priority = widgets.Dropdown(
            description="Priority",
            options=[(AS_IS, 0), *((str(p), p) for p in reversed(PRIORITIES))],
        )
        self._owner = widgets.Text(description="Owner", placeholder=AS_IS)
        self._notes = widgets.Textarea(
            description="Notes",
            placeholder="What the next person should know",
            rows=3,
            layout={"width": "auto", "flex": "1 1 300px", "max_width": "640px"},
        )
        for field in (self._tier, self._priority, self._owner):
            field.layout.width = "230px"
        for field in (self._tier, self._priority, self._owner, self._notes):
            field.style.description_width = "60px"
        self._save = button(
            "Save",
            guard(self._save_edit),
            icon="check",
            style="primary",
            tooltip="Keep what you have set; research does not overwrite it",
        )
        self._undo = button(
            "Take back", guard(self._take_back), tooltip="Forget what you have set"
        )
        self._drop = button(
            "Drop from the list",
            guard(self._drop_row),
            icon="trash",
            tooltip="Leave this account out of the run",
        )
        self._saved = text()
        self.box = column(
            [
                self._head,
                row([self._tier, self._priority, self._owner]),
                row([self._notes], align_items="flex-start"),
                row([self._save, self._undo, self._drop, self._saved]),
                self._facts,
            ]
        )
        self.box.add_class("sdr-kit-details")
        show(self.box, visible=False)

    def open(self, position: int | None) -> None:
        """Shows the account at a position; None shows none.

        What a person is writing about the account stays while it is open, and is kept
        when another one is opened.
        """
        moved = position != self.position
        if moved and self.position is not None and self._written() != self._filled:
            self._keep(self.position)
        self.position = None  # until all of it is shown: an edit is for what is seen
        show(self.box, visible=position is not None)
        if position is None:
            return
        details = self._desk.details(position)
        self._head.value = account_markup.account_head(details.row, details.outcome)
        self._facts.value = account_markup.account_facts(
            details.row, details.outcome, details.attempts
        )
        if moved:
            self._saved.value = ""
            self._fill(details.edit)
        show(self._drop, visible=self._desk.job is None)
        self.position = position

    def close(self) -> None:
        """Shows no account; the list is another one, and nothing is kept."""
        self.position = None
        show(self.box, visible=False)

    def _fill(self, edit: Edit) -> None:
        self._filled = edit
        self._tier.value = edit.tier or ""
        self._priority.value = edit.priority_score or 0
        self._owner.value, self._notes.value = edit.owner or "", edit.notes or ""
        self._undo.disabled = not edit

    def _written(self) -> Edit:
        return Edit(
            tier=self._tier.value or None,
            priority_score=self._priority.value or None,
            owner=self._owner.value.strip() or None,
            notes=self._notes.value.strip() or None,
        )

    def _keep(self, position: int) -> Edit:
        """Keeps what was changed here; the rest may have been changed elsewhere."""
        written, filled = asdict(self._written()), asdict(self._filled)
        changed = {name: new for name, new in written.items() if new != filled[name]}
        edit = replace(self._desk.details(position).edit, **changed)
        self._desk.edit(position, edit)
        return edit

    def _save_edit(self) -> None:
        if self.position is not None:
            self._fill(self._keep(self.position))
            self._edited()
            self._saved.value = markup.quiet("Kept.")

    def _take_back(self) -> None:
        if self.position is not None:
            self._desk.edit(self.position, Edit())
            self._fill(Edit())
            self._edited()
            self._saved.value = markup.quiet("Taken back.")

    def _drop_row(self) -> None:
        if self.position is not None and self._desk.accounts is not None:
            label = self._desk.accounts.rows[self.position]
            self.close()
            self._desk.drop([label])
            self._dropped()
