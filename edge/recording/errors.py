"""What can go wrong in this package, and whether doing it again helps.

RecordingError
├── ArchiveBusy      the folder or bucket had no time: do the same again
├── ArchiveBroken    it cannot be used: full, gone, not ours, in another region (no retry)
├── NoRecording      there is none of that session or leg (no retry)
└── Altered          a recording is not what was sealed here; the text says where (no retry)
"""

from __future__ import annotations


class RecordingError(Exception):
    """Anything of this package."""


class ArchiveBusy(RecordingError):
    """The place of recordings had no time, or cannot be reached. The same again is safe."""


class ArchiveBroken(RecordingError):
    """The place of recordings cannot be used; the text says why."""


class NoRecording(RecordingError):
    """There is no such recording."""


class Altered(RecordingError):
    """A recording was cut, mixed up, exchanged or changed; the text says where."""
