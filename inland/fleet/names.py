"""What a machine is called."""

from __future__ import annotations

from infra.cloud_init.document import NodeDocument
from inland.fleet.metadata import Machine


def node_name(document: NodeDocument, machine: Machine) -> str:
    """``<region>-<instance>``: a name in the control plane and one label of the domain."""
    return f"{document.region}-{machine.instance_id}"


def host_name(document: NodeDocument, machine: Machine) -> str:
    """The name of the node's own address record."""
    return f"{node_name(document, machine)}.{document.domain}"
