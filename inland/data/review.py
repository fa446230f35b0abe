"""Sessions that lie in the region's store, ruled on again by the law in force there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from edge.policy_node import NoLaw, law_kept
from edge.policy_rest import rule_at_rest
from edge.recording.errors import RecordingError
from edge.recording.reader import legs_of
from edge.session.errors import KeyRefused, SealError, UnknownSession
from edge.session.history import tag_of
from edge.session.keyring import RECORDED, SEALED, open_ring
from edge.session.store import SessionHeader, SessionStore
from inland.data.erase import Erased, destroy
from inland.data.errors import Unusable
from inland.data.recordings import again
from inland.data.site import Site, patiently
from regions.law import Law
from regions.models import DataClass
from regions.policy import day_of
from regions.tag import ResidencyTag

MAX_RULINGS = 1_000
"""Rulings that are kept: sessions of one tenant under one law are ruled on alike."""
ALL_TIME = 0.0
"""A moment at which nothing is over: what has expired, and is not swept yet, lies here too."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A session that may not be stored here any more, or of which nobody can say that it may.

    ``classes`` has the reason for each class that may not. ``unjudged`` says why its tag, or that
    the tag is its own, cannot be read; ``tenant`` is None where nothing else tells it.
    """

    session_id: str
    tenant: str | None
    policy: str | None = None
    """By which it was stored, as its tag says."""
    classes: Mapping[DataClass, str] = field(default_factory=dict)
    unjudged: str | None = None
    locked: bool = False
    """Whether the key service refuses its key for now."""
    recordings: int | None = 0
    """Segments of recordings; None when the place of recordings could not be asked."""
    erased: Erased | None = None

    @property
    def gone(self) -> bool:
        """Whether it was destroyed, its keys with it."""
        done = self.erased
        return done is not None and done.complete and (self.unjudged is None or done.keys > 0)


def law_of(site: Site) -> Law:
    """The law in force on the site's node. Raises ``Unusable``, ``ConfigError``."""
    try:
        return law_kept(site.settings)[0]
    except NoLaw as error:
        raise Unusable(str(error)) from error


class Review:
    """One pass over the sessions of a site; ``tenant`` keeps it to that one's.

    Without ``destroys`` nothing is changed. With it each session that is outside is erased when it
    is found, except one whose key is refused for now and that no rule keeps out: with the key given
    back it may be in order.
    """

    def __init__(
        self, site: Site, law: Law, *, tenant: str | None = None, destroys: bool = False
    ) -> None:
        self._site = site
        self._law = law
        self._tenant = tenant
        self._destroys = destroys
        self._ruled = lru_cache(maxsize=MAX_RULINGS)(partial(_rule, site, law))
        self.sessions = 0
        """How many were ruled on."""
        self.closed = 0
        """How many of them had no key left: nobody opens them again."""
        self.outside = 0
        self.left = 0
        """How many of those are still here."""

    async def run(self) -> AsyncIterator[Outside]:
        """Those that are outside, as they are found; live and expired ones are among them.

        That it was done is in the audit log at the end, and each erasure when it is ordered. Raises
        ``Unusable``, ``SessionError``.
        """
        for tenant, store in self._stores():
            page = await patiently(store.at_rest)
            while page.session_ids:
                for session_id in page.session_ids:
                    found = await self._rule(store, tenant, session_id)
                    if found is not None:
                        self.outside += 1
                        self.left += not found.gone
                        yield found
                page = await patiently(partial(store.at_rest, page.after))
        await self._site.note(
            "sessions_reviewed",
            **({} if self._tenant is None else {"tenant": self._tenant}),
            **self._why(),
            sessions=self.sessions,
            outside=self.outside,
            left=self.left,
        )

    def _why(self) -> dict[str, str | int]:
        return {"policy": self._law.policy, "serial": self._law.serial}

    def _stores(self) -> tuple[tuple[str | None, SessionStore], ...]:
        if self._tenant is None:
            return self._site.stores.each()
        store = self._site.stores.of(self._tenant)
        return tuple((owner, each) for owner, each in self._site.stores.each() if each is store)

    async def _rule(
        self, store: SessionStore, owner: str | None, session_id: str
    ) -> Outside | None:
        try:
            header = await patiently(lambda: store.header(session_id, ALL_TIME))
        except UnknownSession:  # gone meanwhile
            return None
        tenant, tag, broken = await self._whose(store, owner, session_id, header)
        if self._tenant is not None and tenant not in (None, self._tenant):
            return None
        self.sessions += 1
        if tag is None:
            found = Outside(session_id, tenant, unjudged=broken)
        else:
            found = await self._judge(tag, header)
        found = await self._with_recordings(found)
        if not found.classes and found.unjudged is None:
            return None
        if not self._destroys or (found.locked and not found.classes):
            return found
        return await self._destroy(found, header)

    async def _whose(
        self, store: SessionStore, owner: str | None, session_id: str, header: SessionHeader
    ) -> tuple[str | None, ResidencyTag | None, str | None]:
        """The tenant, the tag and, where there is none to go by, why."""
        if owner is None:
            records = await patiently(lambda: store.read_records(session_id=session_id, most=1))
            owner = records[0].tenant if records else None
        try:
            tag = tag_of(header, session_id)
        except SealError as error:
            return owner, None, str(error)
        if owner not in (None, tag.tenant):
            return owner, None, "the residency tag is of another tenant"
        return tag.tenant, tag, None

    async def _judge(self, tag: ResidencyTag, header: SessionHeader) -> Outside:
        """By the classes whose keys are there, also where their time is over."""
        site, region = self._site, self._site.settings.region
        held = dict.fromkeys(SEALED, tag.allowed_regions)
        unjudged: str | None = None
        locked = False
        wrapped = header.wraps.get(region)
        if wrapped is None:
            unjudged = f"it has no keys for {region}"
        else:
            try:
                opened = await patiently(
                    lambda: open_ring(
                        site.keys.provider, wrapped, region=region, tag=tag, now=ALL_TIME
                    )
                )
            except SealError as error:
                unjudged, locked = str(error), isinstance(error, KeyRefused)
            else:
                held = {name: key.tag.allowed_regions for name, key in opened.keys.items()}
                if not {*opened.keys, *opened.gone}.issuperset(SEALED):
                    unjudged = "the keys of a class are neither there nor known to be destroyed"
                self.closed += not held and unjudged is None
        classes = self._ruled(tag.tenant, tag.jurisdictions, tuple(held.items()))
        return Outside(tag.session, tag.tenant, tag.policy, classes, unjudged, locked)

    async def _with_recordings(self, found: Outside) -> Outside:
        """How much was recorded. A key without any recording keeps nobody out."""
        if found.tenant is None or not (found.classes or found.unjudged):
            return found
        count = await self._segments(found.tenant, found.session_id)
        classes = dict(found.classes)
        if count == 0:
            classes.pop(RECORDED, None)
        return replace(found, classes=classes, recordings=count)

    async def _segments(self, tenant: str, session_id: str) -> int | None:
        archive = self._site.recordings
        if archive is None:
            return None
        try:
            legs = await again(lambda: legs_of(archive, tenant, session_id))
        except RecordingError:
            return None
        return sum(len(leg.numbers) for leg in legs)

    async def _destroy(self, found: Outside, header: SessionHeader) -> Outside:
        if found.tenant is None:  # whose keys to destroy, nobody can say
            return found
        proof = header if found.unjudged is None else None
        erased = await destroy(self._site, found.tenant, found.session_id, proof, self._why())
        return replace(found, erased=erased)


def _rule(
    site: Site,
    law: Law,
    tenant: str,
    jurisdictions: tuple[str, ...],
    held: tuple[tuple[DataClass, tuple[str, ...]], ...],
) -> dict[DataClass, str]:
    return rule_at_rest(
        dict(held),
        jurisdictions,
        law,
        tenant=tenant,
        region=site.settings.region,
        on=day_of(site.clock.wall()),
    )
