"""The provider of a region: it knows one region and one account, and refuses any other."""

from __future__ import annotations

import pulumi_aws as aws

from infra.components.place import Place
from infra.components.tags import stack_tags

RETRIES = 10
"""Of a question that AWS throttles or does not answer, before the program gives up."""


def provider_of(place: Place) -> aws.Provider:
    """Pass it to the outermost component; everything below inherits it by its parent."""
    return aws.Provider(
        place.region,
        region=place.region,
        allowed_account_ids=[place.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=stack_tags(place)),
        max_retries=RETRIES,
        retry_mode="standard",
    )
