"""Voices, each in the voice worker's process. Nothing outside that process imports an engine.

espeak-ng and piper are GPL-3 programs; the rest of Inland speaks to the worker over a socket
(``protocol``), and a crash or a lock of an engine stays there.
"""
