"""The certificate: for which names, how it is proven, who may take its key."""

from __future__ import annotations

from pathlib import Path

from pulumi import ResourceOptions

from infra.components.certificate import Certificate, CertificateArgs
from infra.rules.model import Graph
from tests.infra.components.harness import graph_of, only

CERTIFICATE = "aws:acm/certificate:Certificate"
RECORD = "aws:route53/record:Record"


def certificate(folder: Path, *, preview: bool = False) -> Graph:
    def make(opts: ResourceOptions) -> None:
        Certificate(
            "certificate", CertificateArgs(domain="eu.example.org", zone_id="Z0EXAMPLE"), opts
        )

    return graph_of(folder, make, preview=preview)


def test_one_certificate_is_for_every_node_and_its_key_can_be_exported(tmp_path: Path) -> None:
    found = only(certificate(tmp_path), CERTIFICATE).properties
    assert found["domainName"] == "*.eu.example.org"
    assert found["options"]["export"] == "ENABLED"


def test_domain_is_proven_in_the_stacks_own_zone(tmp_path: Path) -> None:
    record = only(certificate(tmp_path), RECORD).properties
    assert record["zoneId"] == "Z0EXAMPLE"
    assert record["type"] == "CNAME"
    assert record["name"].endswith(".eu.example.org.")


def test_nobody_uses_it_before_it_is_issued(tmp_path: Path) -> None:
    graph = certificate(tmp_path)
    valid = only(graph, "aws:acm/certificateValidation:CertificateValidation")
    assert valid.dependencies is not None
    assert only(graph, RECORD).urn in valid.dependencies["validationRecordFqdns"]


def test_a_preview_needs_no_answer_of_acm(tmp_path: Path) -> None:
    assert len(certificate(tmp_path, preview=True).of(RECORD)) == 1
