"""The account around a machine, on moto."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import boto3

REGION = "eu-central-1"


class Operator:
    """Clients with an operator's credentials; ``url`` is moto's server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name=REGION)

    def client(self, service: str) -> Any:
        """A client of boto3."""
        return self._session.client(service, endpoint_url=self.url)

    def supply(self, name: str, value: str | None) -> None:
        """Make a secret, with a value unless that is None."""
        manager = self.client("secretsmanager")
        with suppress(manager.exceptions.ResourceExistsException):
            manager.create_secret(Name=name)
        if value is not None:
            manager.put_secret_value(SecretId=name, SecretString=value)

    def certificate(self, domain: str) -> str:
        """The ARN of an exportable certificate for every name below ``domain``."""
        answer = self.client("acm").request_certificate(
            DomainName=f"*.{domain}", Options={"Export": "ENABLED"}
        )
        return str(answer["CertificateArn"])

    def zone(self, domain: str) -> str:
        """The id of a new hosted zone."""
        answer = self.client("route53").create_hosted_zone(Name=domain, CallerReference="1")
        return str(answer["HostedZone"]["Id"]).rpartition("/")[2]

    def addresses(self, zone: str) -> dict[str, list[str]]:
        """The A records of a zone."""
        found = self.client("route53").list_resource_record_sets(HostedZoneId=zone)
        return {
            record["Name"].rstrip("."): [value["Value"] for value in record["ResourceRecords"]]
            for record in found["ResourceRecordSets"]
            if record["Type"] == "A"
        }
