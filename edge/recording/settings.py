"""The section ``recordings`` of a node's settings: where recordings of calls are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from edge.retention import Term
from edge.section import HomePath, Section
from edge.session.kms_settings import KeyArn, KeyName
from regions.providers import address_fault, origin_of

BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


def _endpoint(text: str) -> str:
    fault = address_fault(text)
    if fault is None and urlsplit(text).path.strip("/"):
        fault = "an endpoint is scheme://host[:port], without a path"
    if fault is not None:
        raise ValueError(fault)
    return origin_of(text)


class RecordingsSettings(Section):
    """A folder of this machine, or a bucket of this node's region.

    That agents record is written in their own files; without this section none may.
    """

    folder: HomePath | None = None
    bucket: BucketName | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """Of a service that speaks S3's API; by default AWS's own in the node's region."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "recordings"
    """What the names of a bucket's objects begin with."""
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] | None = None
    """The account that must own the bucket."""
    kms_key: KeyName | None = None
    """What the bucket encrypts with (SSE-KMS), besides what is sealed here."""
    keep: Term | None = Field(default=None)
    """How long a recording is kept, at most; by default as long as the session."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.folder is None) == (self.bucket is None):
            raise ValueError("name a folder, or a bucket")
        if self.folder is not None:
            given = {
                "endpoint": self.endpoint,
                "account": self.account,
                "kms_key": self.kms_key,
            }
            strays = [name for name, value in given.items() if value is not None]
            if strays:
                raise ValueError(f"{', '.join(strays)}: only a bucket has that")
        return self

    def problems(self, region: str) -> Iterator[str]:
        """What can be seen to be wrong from the words alone, on a node of ``region``."""
        arn = None if self.kms_key is None else KeyArn.parse(self.kms_key)
        problem = None if arn is None else arn.problem(region, self.account or arn.account)
        if problem is not None:
            yield f"kms_key: {problem}: name one of this region and account"

    def origin(self, region: str) -> str:
        """Scheme, host and port of the bucket's service; "" for a folder."""
        if self.bucket is None:
            return ""
        return self.endpoint or f"https://s3.{region}.amazonaws.com:443"
