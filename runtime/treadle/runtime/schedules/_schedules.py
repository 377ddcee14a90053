"""What a person and a program do with the schedules of a tenant."""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from treadle.agents import agent_files
from treadle.core.calendar import moments
from treadle.core.errors import ConfigError, InputError, UnknownNameError
from treadle.core.scheduling import ScheduleSettings
from treadle.core.settings import Settings, project_collection
from treadle.memory.scripts import encoded
from treadle.runtime.schedules._asked import Asked
from treadle.runtime.schedules._project import Written, project_schedules
from treadle.runtime.schedules._record import Fire, Schedule, settings_json
from treadle.runtime.schedules._store import ScheduleStore

COMMAND_LINE = "command line"
MAX_NAME_CHARS = 130
_TRIES = 20
_log = logging.getLogger("treadle.runtime")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the files of a project changed.

    Attributes:
        added, changed, removed: the schedules' names.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class UnpricedModel(Protocol):
    """See `Schedules`."""

    def __call__(self, name: str, /, *, is_limited: bool) -> str | None: ...


class Schedules:
    """The schedules of a tenant.

    Args:
        store: where they are kept.
        project: the project whose agents they ask.
        settings: its settings.
        unpriced_model: returns a model of an agent whose price is not known though a budget in
            money counts on it, given whether there is one beside the agent's own.
    """

    def __init__(
        self,
        store: ScheduleStore,
        project: Path,
        settings: Settings,
        unpriced_model: UnpricedModel,
    ) -> None:
        self._store = store
        self._unpriced_model = unpriced_model
        self._project = project
        self._settings = settings
        self._told: dict[str, str] = {}

    def why_not_here(self, schedule: Schedule) -> str:
        """Return why a schedule is not fired by this project's processes; empty where it is."""
        if schedule.project not in {"", self._id}:
            return (
                f"it stands in the files of another project ({schedule.project}). Give each a "
                "'tenant' of its own in treadle.toml"
            )
        if schedule.settings.agent not in agent_files(self._project):
            return f"the project has no agent {schedule.settings.agent!r}"
        return ""

    def serves(self, schedule: Schedule) -> bool:
        """Return whether this project's processes fire a schedule; the log says once why not."""
        why = self.why_not_here(schedule)
        if why and self._told.get(schedule.name) != why:
            self._told[schedule.name] = why
            _log.warning("The schedule %r is not fired here: %s.", schedule.name, why)
        return not why

    @property
    def _id(self) -> str:
        return project_collection(self._project, self._settings)

    async def add(
        self,
        name: str,
        settings: ScheduleSettings,
        *,
        source: str = COMMAND_LINE,
        project: str = "",
        asked: Asked | None = None,
        is_paused: bool = False,
    ) -> Schedule:
        """Add a schedule.

        Args:
            name: what it is called; letters, digits and ``. _ -``.
            settings: what it is told.
            source: where it comes from.
            project: which project's files it stands in, where it stands in any.
            asked: what its runs are asked for beyond that.
            is_paused: whether it rests until it is resumed.

        Raises:
            InputError: the name is taken or cannot be used, nothing would ever fire, or there is a
                budget in money and a model without a price.
            UnknownNameError: there is no such agent or notification.
        """
        if not name or len(name) > MAX_NAME_CHARS or encoded(name) != name or "@" in name:
            raise InputError(
                f"{name[:MAX_NAME_CHARS]!r} is no name for a schedule.",
                hint=f"Use 1 to {MAX_NAME_CHARS} of a-z, A-Z, 0-9 and . _ - only.",
            )
        self._check(settings)
        now = await self._store.now()
        made = Schedule(
            name, settings, source, now, project=project, asked=asked, is_paused=is_paused
        )
        made = replace(made, next=made.timing.after(now))
        if made.next is None and not project:
            is_ended = settings.end is not None and settings.at is None
            over = f"its end, {settings.end:%Y-%m-%d %H:%M}," if is_ended else settings.when()
            raise InputError(
                f"The schedule {name!r} never fires: {over} is over.",
                hint="Choose a moment to come.",
            )
        kept = await self._store.put(made)
        if kept is None:
            raise InputError(
                f"There is a schedule {name!r} already.",
                hint=f"Remove it with 'treadle schedule rm {name}', or choose another name.",
            )
        return kept

    async def list(self) -> list[Schedule]:
        """Return all schedules, by name; those that this version cannot read are left out."""
        return await self._store.all()

    def written(self) -> Mapping[str, Written]:
        """Return the schedules that stand in the project's files, by name.

        Raises:
            ConfigError: a file is wrong.
        """

        def refuse(_: str, error: ConfigError) -> None:
            raise error

        return project_schedules(self._project, self._settings, refuse)

    async def are_watched(self) -> bool:
        """Return whether a scheduler has looked at them lately."""
        return await self._store.are_watched()

    async def get(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            UnknownNameError: there is none of that name.
        """
        return await self._store.get(name)

    async def owned(self, owner: str) -> Sequence[Schedule]:
        """Return the schedules that were asked for by somebody, by name."""
        return await self._store.owned(owner)

    async def change(
        self, name: str, change: Callable[[Schedule], tuple[ScheduleSettings, Asked | None]]
    ) -> Schedule:
        """Change what a schedule is told and asked; it goes on resting if it rests.

        Args:
            name: which.
            change: returns what it is from now on; called again if another change came before.

        Raises:
            UnknownNameError: there is none of that name, or no such agent or notification.
            InputError: there is a budget in money and a model without a price.
        """

        def changed(found: Schedule, now: datetime) -> Schedule:
            settings, asked = change(found)
            self._check(settings)
            made = replace(found, settings=settings, asked=asked)
            if _moments(settings) == _moments(found.settings):
                return made
            return replace(made, next=made.timing.after(now))

        return await self._change(name, changed)

    async def pause(self, name: str) -> Schedule:
        """Let a schedule rest; what would fire meanwhile is not made up for.

        Raises:
            UnknownNameError: there is none of that name.
        """
        return await self._change(name, lambda found, _: replace(found, is_paused=True))

    async def resume(self, name: str) -> Schedule:
        """Let a schedule fire again, from its next moment on.

        Raises:
            UnknownNameError: there is none of that name.
        """
        return await self._change(
            name,
            lambda found, now: (
                replace(found, is_paused=False, next=found.timing.after(now))
                if found.is_paused
                else found
            ),
        )

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a schedule and its history; a run that is under way goes on.

        Args:
            name: which.
            force: also one that stands in a file, from where it comes back.

        Raises:
            UnknownNameError: there is none of that name.
            InputError: it stands in a file.
        """
        found = await self._store.get(name)
        if found.project and not force:
            raise InputError(
                f"The schedule {name!r} stands in {found.source}.",
                hint=f"Remove it there; or let it rest with 'treadle schedule pause {name}'.",
            )
        await self._store.remove(name)

    async def run_now(self, name: str) -> str:
        """Fire a schedule beside its plan, and return the fire's id.

        The policy for overlap holds, and a schedule that was paused fires as well.

        Raises:
            UnknownNameError: there is none of that name.
        """
        found = await self._store.get(name)
        id_ = f"{found.name}@{uuid.uuid4().hex}"
        if not await self._store.fire_now(name, id_):
            raise UnknownNameError("schedule", name, await self._store.names())
        return id_

    async def fire(self, id_: str) -> Fire | None:
        """Return a fire, or ``None`` when it is not kept."""
        return await self._store.fire(id_)

    async def history(self, name: str, limit: int = 20) -> Sequence[Fire]:
        """Return the fires of a schedule, the latest first.

        Raises:
            UnknownNameError: there is none of that name.
        """
        await self._store.get(name)
        return await self._store.history(name, limit)

    async def next(self, name: str, count: int = 10) -> Sequence[datetime]:
        """Return the next planned moments of a schedule.

        Raises:
            UnknownNameError: there is none of that name.
        """
        found = await self._store.get(name)
        now = await self._store.now()
        return list(islice(moments(found.timing, now), count))

    async def reconcile(self) -> Reconciled:
        """Make the schedules of this project what its files say.

        What was paused by hand rests on. A schedule whose moments did not change keeps its next.
        Those of an agent's file that is wrong stay as they are; the log says why.

        Raises:
            ConfigError: a schedule in ``treadle.toml`` names no agent.
            UnknownNameError: a schedule names no agent that there is.
            InputError: a name is taken by a schedule that was added by hand, or a budget is in
                money and a model without a price.
        """
        unreadable: set[str] = set()

        def leave(source: str, error: ConfigError) -> None:
            unreadable.add(source)
            _log.warning("The schedules in %s stay as they were: %s", source, error)

        written = project_schedules(self._project, self._settings, leave)
        for each in written.values():
            self._check(each.settings)
        project = self._id
        existing = {one.name: one for one in await self._store.all()}
        added, changed = [], []
        for name, each in written.items():
            found = existing.get(name) or await self._add(name, each, project)
            if found is None:
                added.append(name)
            elif not found.project:
                raise InputError(
                    f"{each.source} holds a schedule {name!r}, and one of that name was added by "
                    "hand.",
                    hint=f"Remove that with 'treadle schedule rm {name}', or rename this one.",
                )
            elif _differs(found, each) or found.project != project:
                if found.project != project:
                    _log.warning(
                        "The schedule %r was of another project (%s), and is this one's from now "
                        "on. Projects need a 'tenant' each in treadle.toml.",
                        name,
                        found.project,
                    )
                await self._change(name, _rewritten(each, project))
                changed.append(name)
        gone = [
            one.name
            for one in existing.values()
            if one.project == project and one.name not in written and one.source not in unreadable
        ]
        for name in gone:
            await self._store.remove(name)
        return Reconciled(tuple(added), tuple(changed), tuple(gone))

    async def _add(self, name: str, written: Written, project: str) -> Schedule | None:
        """Add a schedule of a file; return what another process added meanwhile instead."""
        try:
            await self.add(name, written.settings, source=written.source, project=project)
        except InputError:
            found = await self._store.find(name)
            if found is None:
                raise
            return found
        return None

    def _check(self, settings: ScheduleSettings) -> None:
        known = agent_files(self._project)
        if settings.agent not in known:
            raise UnknownNameError("agent", settings.agent, known)
        tellers = self._settings.notifications
        for name in settings.notify:
            if name not in tellers:
                hint = "They stand in treadle.toml under [notifications]."
                raise UnknownNameError("notification", name, tellers, hint=hint)
        self._check_priced(settings)

    def _check_priced(self, settings: ScheduleSettings) -> None:
        """See that what is limited in money can be counted: a run without would fail each time."""
        is_limited = settings.budget.usd is not None or settings.per_month.usd is not None
        try:
            model = self._unpriced_model(settings.agent, is_limited=is_limited)
        except ConfigError as error:  # The agent's file is wrong; whoever asks it is told.
            _log.warning("What the agent %r costs is not known: %s", settings.agent, error)
            return
        if model is not None:
            raise InputError(
                f"The agent {settings.agent!r} would run with a budget in US dollars, and the "
                f"price of the model {model!r}, which it needs, is not known.",
                hint="Set 'price' in a profile under [models] in treadle.toml, or limit tokens.",
            )

    async def _change(self, name: str, how: Callable[[Schedule, datetime], Schedule]) -> Schedule:
        for _ in range(_TRIES):
            found = await self._store.get(name)
            kept = await self._store.put(how(found, await self._store.now()))
            if kept is not None:
                return kept
        raise InputError(f"The schedule {name!r} is being changed by others; try again.")


def _differs(found: Schedule, written: Written) -> bool:
    is_same = settings_json(found.settings) == settings_json(written.settings)
    return not is_same or found.source != written.source


def _rewritten(written: Written, project: str) -> Callable[[Schedule, datetime], Schedule]:
    def rewrite(found: Schedule, now: datetime) -> Schedule:
        made = replace(found, settings=written.settings, source=written.source, project=project)
        if _moments(made.settings) == _moments(found.settings):
            return made
        return replace(made, next=made.timing.after(now))

    return rewrite


def _moments(settings: ScheduleSettings) -> tuple[object, ...]:
    return (settings.cron, settings.every, settings.at, settings.tz, settings.start, settings.end)
