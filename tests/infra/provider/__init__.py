"""A judge from outside: Terraform's AWS provider reads what our programs register.

Pulumi's provider is made from Terraform's, so what the latter refuses, the former refuses too:
values outside an enumeration, names too long, properties that exclude each other, JSON that is no
policy. It reads and plans; it makes nothing and asks nobody. Set ``INLAND_TERRAFORM_AWS_PROVIDER``
to the path of a ``terraform-provider-aws`` of version 5 (plugin protocol 5); without it the tests
are skipped.

What it does not show:

- pulumi-aws 7 is made from version 6 of the provider. Properties that only that one has are listed
  in ``terms.NEWER`` and are not judged.
- Terraform refuses some things itself, before it asks a provider.
- AWS refuses more than any provider: quotas, names that are taken, rights that are missing.
"""
