"""The certificate that callers, carriers and relays of a stack see."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import CustomTimeouts, ResourceOptions
from pulumi_aws.acm.outputs import CertificateDomainValidationOption

PATIENCE = "20m"
"""ACM takes minutes. If it takes longer the zone is not the one that the world asks for the domain,
and waiting does not help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateArgs:
    """For every name directly below ``domain``; ``zone_id`` is where that domain is served."""

    domain: str
    zone_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BalancerCertificateArgs:
    """``names`` may begin with ``*.``; the first is the certificate's own."""

    names: tuple[str, ...]
    zone_id: str


class BalancerCertificate(pulumi.ComponentResource):
    """A public certificate of ACM that only load balancers show: its key cannot be exported.

    ``valid_arn`` is of the certificate once ACM has issued it.
    """

    def __init__(
        self, name: str, args: BalancerCertificateArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Certificate", name, None, opts)
        child = ResourceOptions(parent=self)
        first, *others = args.names
        wanted = aws.acm.Certificate(
            name,
            domain_name=first,
            subject_alternative_names=others,
            validation_method="DNS",
            key_algorithm="EC_prime256v1",
            opts=child,
        )
        # A wildcard is proven by the record of the name that it stands below.
        proven = dict.fromkeys(domain.removeprefix("*.") for domain in args.names)
        proofs = [
            aws.route53.Record(
                f"{name}-proof-{number}",
                zone_id=args.zone_id,
                name=_asked(wanted, domain).apply(lambda one: str(one.resource_record_name)),
                type="CNAME",
                records=[_asked(wanted, domain).apply(lambda one: str(one.resource_record_value))],
                ttl=300,
                # Certificates of several regions for one name are proven by the same record.
                allow_overwrite=True,
                opts=child,
            )
            for number, domain in enumerate(proven)
        ]
        valid = aws.acm.CertificateValidation(
            f"{name}-valid",
            certificate_arn=wanted.arn,
            validation_record_fqdns=[proof.fqdn for proof in proofs],
            opts=ResourceOptions(parent=self, custom_timeouts=CustomTimeouts(create=PATIENCE)),
        )
        self.valid_arn: pulumi.Output[str] = valid.certificate_arn
        self.register_outputs({})


def _asked(
    wanted: aws.acm.Certificate, domain: str
) -> pulumi.Output[CertificateDomainValidationOption]:
    """What ACM asks for, for one name: it gives the options in an order of its own."""
    return wanted.domain_validation_options.apply(
        lambda options: next(
            one for one in options if str(one.domain_name).removeprefix("*.") == domain
        )
    )


class Certificate(pulumi.ComponentResource):
    """A public certificate of ACM for ``*.<domain>``, whose private key nodes may export.

    ``arn`` is of the certificate, ``valid_arn`` the same once ACM has issued it: a listener and a
    node need the latter. Source: ACM user guide, "Exportable public certificates" (2026-11-21).
    """

    def __init__(
        self, name: str, args: CertificateArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Certificate", name, None, opts)
        child = ResourceOptions(parent=self)
        wanted = aws.acm.Certificate(
            name,
            domain_name=f"*.{args.domain}",
            validation_method="DNS",
            key_algorithm="EC_prime256v1",
            options=aws.acm.CertificateOptionsArgs(
                certificate_transparency_logging_preference="ENABLED", export="ENABLED"
            ),
            opts=child,
        )
        asked = wanted.domain_validation_options[0]
        proof = aws.route53.Record(
            f"{name}-proof",
            zone_id=args.zone_id,
            name=asked.resource_record_name,
            type=asked.resource_record_type,
            records=[asked.resource_record_value],
            ttl=300,
            # Stacks that share a domain are asked for the same record by ACM.
            allow_overwrite=True,
            opts=child,
        )
        valid = aws.acm.CertificateValidation(
            f"{name}-valid",
            certificate_arn=wanted.arn,
            validation_record_fqdns=[proof.fqdn],
            opts=ResourceOptions(parent=self, custom_timeouts=CustomTimeouts(create=PATIENCE)),
        )
        self.arn: pulumi.Output[str] = wanted.arn
        self.valid_arn: pulumi.Output[str] = valid.certificate_arn
        self.register_outputs({})
