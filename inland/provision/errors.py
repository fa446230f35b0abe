"""What can go wrong while a region is provisioned.

ProvisionError
├── ProjectMissing   no such project or stack file
├── GateClosed       the stack breaks a rule or its file is wrong: nothing was run
├── PulumiMissing    the Pulumi command is not installed, or too old
├── EngineFailed     Pulumi ran and failed; running it again may help
└── CloudFailed      the AWS API refused or did not answer; running it again may help

The text of each is ready to be shown to an operator.
"""

from __future__ import annotations


class ProvisionError(Exception):
    """Anything that ends a command."""


class ProjectMissing(ProvisionError):
    """There is no such project or stack file."""


class GateClosed(ProvisionError):
    """The stack may not be provisioned as it is written."""


class PulumiMissing(ProvisionError):
    """The Pulumi command cannot be used."""


class EngineFailed(ProvisionError):
    """Pulumi ran, and did not do what was asked."""


class CloudFailed(ProvisionError):
    """The AWS API refused, or did not answer."""
