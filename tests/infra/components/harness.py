"""Components alone: captured in the smallest project that holds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi

from infra.components.place import Place
from infra.components.provider import provider_of
from infra.graph.capture import capture
from infra.rules.model import Graph, Resource

PLACE = Place("eu-central-1", "eu-central-1", "111122223333", "EEA")
CONTROL = Place("control-plane", "ap-south-1", "111122223333", "none")
KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::111122223333:policy/inland-eu-central-1-boundary"


def graph_of(
    folder: Path,
    make: Callable[[pulumi.ResourceOptions], object],
    *,
    preview: bool = False,
    place: Place = PLACE,
) -> Graph:
    """What ``make`` registers under the options of a region's provider."""
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")

    def program() -> None:
        make(pulumi.ResourceOptions(providers={"aws": provider_of(place)}))

    return capture(folder, place.stack, preview=preview, program=program, config={})


def only(graph: Graph, type_: str) -> Resource:
    """The one resource of a type."""
    (found,) = graph.of(type_)
    return found


def named(graph: Graph, type_: str, name: str) -> Resource:
    """The resource of a type and a name in the program."""
    (found,) = [resource for resource in graph.of(type_) if resource.name == name]
    return found
