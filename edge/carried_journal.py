"""The journal of a conversation that goes on from a replica: whole, or not there at all."""

from __future__ import annotations

import logging

from edge.carried import Carried
from edge.ledger import Place
from edge.patience import PatientJournal
from edge.session.errors import SessionError
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.replica_import import history_of, import_contents
from edge.session.store import SessionStore
from edge.session.vault import KeyVault
from regions.models import Operation

log = logging.getLogger(__name__)
BROUGHT = Place("caller", "replica", "")
"""Who brought what came from the other region: nothing between the regions did."""


async def write_carried(
    journal: Journal, carried: Carried, store: SessionStore, vault: KeyVault
) -> History:
    """Write the conversation into its new journal; returns it as a takeover would read it.

    When that fails, or is given up, the keys are destroyed and the session deleted: half a
    conversation is not to be resumed. Raises what the journal raises.
    """
    caller, replica = carried.caller, carried.replica
    ledger = journal.books.notary.ledger
    for data_class, size in replica.sizes.items():
        ledger.touch(BROUGHT, data_class, Operation.REPLICATE, received=size)
    try:
        await import_contents(PatientJournal(journal), replica.contents)
    except BaseException:
        try:
            await vault.destroy(caller.tenant, caller.session_id)
            await store.erase(caller.session_id)
        except SessionError as error:  # nobody has a token that resumes it, and it expires
            log.error("half a session was left", extra={"reason": type(error).__name__})
        raise
    return history_of(replica.contents, caller.agent, journal.tag)
