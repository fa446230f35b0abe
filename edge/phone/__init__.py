"""Phone calls on a node: who may call, where the call may go, and the joint of its two halves.

The dispatcher holds the signalling of every phone call, a worker the media and the conversation.
Between them runs one line per call (:mod:`edge.phone.line`).
"""
