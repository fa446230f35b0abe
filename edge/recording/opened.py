"""The archive of a node's settings."""

from __future__ import annotations

from edge.recording.archive import Archive
from edge.recording.errors import ArchiveBusy
from edge.recording.folder import FolderArchive
from edge.recording.settings import RecordingsSettings


def open_archive(settings: RecordingsSettings, region: str) -> Archive:
    """Where the recordings of ``region`` are kept; nothing is asked yet. Raises
    ``ArchiveBroken``."""
    if settings.folder is not None:
        return FolderArchive(settings.folder, region)
    from edge.recording.bucket import BucketArchive  # only a node with a bucket needs the client

    return BucketArchive.open(settings, region)


async def check_archive(settings: RecordingsSettings | None, region: str) -> str | None:
    """See that the archive is there and in ``region``; why it could not be asked, or None.

    Raises ``ArchiveBroken``.
    """
    if settings is None:
        return None
    archive = open_archive(settings, region)
    try:
        await archive.check()
    except ArchiveBusy as busy:
        return str(busy)
    finally:
        await archive.close()
    return None
