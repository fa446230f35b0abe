"""Certificate Manager."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, pascal, tag_list


def _request(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(
        inputs,
        SubjectAlternativeNames="subjectAlternativeNames",
        ValidationMethod="validationMethod",
        KeyAlgorithm="keyAlgorithm",
    )
    if inputs.get("options"):
        wanted["Options"] = pascal(inputs["options"])
    arn = aws.acm.request_certificate(
        DomainName=inputs["domainName"], Tags=tag_list(inputs), **wanted
    )["CertificateArn"]
    told = aws.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    asked = [
        {
            "domainName": option["DomainName"],
            "resourceRecordName": option["ResourceRecord"]["Name"],
            "resourceRecordType": option["ResourceRecord"]["Type"],
            "resourceRecordValue": option["ResourceRecord"]["Value"],
        }
        for option in told["DomainValidationOptions"]
    ]
    return Made(arn, {"arn": arn, "status": told["Status"], "domainValidationOptions": asked})


def _validate(aws: Aws, inputs: Values) -> Made:
    """AWS's provider waits here until ACM has seen the record; moto looks at none."""
    aws.acm.describe_certificate(CertificateArn=inputs["certificateArn"])
    return Made(inputs["certificateArn"].rpartition("/")[2])


def _delete(aws: Aws, kept: Kept) -> None:
    aws.acm.delete_certificate(CertificateArn=kept.id)


KINDS: Final = {
    "aws:acm/certificate:Certificate": Kind(
        _request,
        _delete,
        None,
        frozenset({"domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm"}),
        tagged=True,
    ),
    "aws:acm/certificateValidation:CertificateValidation": Kind(
        _validate, lambda aws, kept: None, None, frozenset({"certificateArn"})
    ),
}
