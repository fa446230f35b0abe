"""All rules by name, and how a whole stack is judged by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from infra.rules import (
    buckets,
    control_plane,
    copies,
    encryption,
    key_use,
    network,
    nodes,
    options,
    own_buckets,
    place,
    properties,
    records,
    references,
    roads,
    roles,
    words,
)
from infra.rules.model import Graph, Resource, ResourceRule, Scope, StackRule, Violation


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: one function that looks at resources one by one, or one that needs the whole stack.

    Some have both, where part of it can be said before the rest of the stack is known.
    """

    says: str
    resource: ResourceRule | None = None
    stack: StackRule | None = None


RULES: Final[Mapping[str, Rule]] = {
    # Where resources are made.
    "explicit-provider": Rule("every resource names its provider", place.explicit_provider),
    "account-pin": Rule("a provider serves the stack's account only", place.account_pin),
    "provider-region": Rule("a provider serves the stack's region only", place.provider_region),
    "effective-region": Rule(
        "every resource is made in the stack's region", place.effective_region
    ),
    "invoke-region": Rule("every question is put to the stack's region", stack=place.invoke_region),
    "type-allowed": Rule("every type is on the list of its kind of stack", place.type_allowed),
    "foreign-region-name": Rule(
        "no text names another region", place.foreign_region_name, place.foreign_output
    ),
    "foreign-account": Rule("no text names another account", place.foreign_account),
    "own-reference": Rule(
        "what a resource points to is of this stack", stack=references.own_reference
    ),
    "cross-region-inference": Rule(
        "no model that may answer from another region", place.cross_region_inference
    ),
    "default-tags": Rule("every resource says its stack and its law", words.default_tags),
    # Keys.
    "key-single-region": Rule("keys belong to one region", encryption.key_single_region),
    "key-rotation": Rule("keys rotate", encryption.key_rotation),
    "key-deletion-window": Rule("deleting a key can be undone", encryption.key_deletion_window),
    "key-policy": Rule("nobody of another account uses a key", encryption.key_policy),
    "key-use": Rule(
        "a key is used through a service, or for a tenant's sessions",
        key_use.key_use,
        key_use.role_key_use,
    ),
    "own-key": Rule("a key of this stack seals every store of data", encryption.own_key),
    "encrypted-volume": Rule("every disk is sealed", encryption.encrypted_volume),
    # The session store.
    "cache-sealed": Rule("the session store takes TLS only", encryption.cache_sealed),
    "cache-login": Rule("nobody reads the session store unnamed", encryption.cache_login),
    # Copies.
    "no-replication": Rule("no bucket is copied", copies.no_replication),
    "no-global-store": Rule("no store spans regions", copies.no_global_store),
    "no-key-copy": Rule("no key has a twin in another region", copies.no_key_copy),
    "no-secret-replica": Rule("no secret has a replica", copies.no_secret_replica),
    "no-snapshot": Rule("no backup, snapshot or image is kept", copies.no_snapshot),
    "public-sharing": Rule("nothing is shared by a list of its own", copies.public_sharing),
    # Buckets.
    "bucket-complete": Rule(
        "every bucket has its policy, key and owner", stack=buckets.bucket_complete
    ),
    "bucket-retention": Rule("recordings end, below every prefix", stack=buckets.bucket_retention),
    "bucket-public-access": Rule(
        "public access is blocked four times", stack=buckets.bucket_public_access
    ),
    "bucket-tls": Rule("buckets refuse plain HTTP", stack=buckets.bucket_tls),
    "bucket-endpoint": Rule(
        "buckets are reached through the stack's endpoint only", stack=buckets.bucket_endpoint
    ),
    "bucket-replication": Rule("buckets refuse to be replicated", stack=buckets.bucket_replication),
    "bucket-foreign-key": Rule(
        "recordings are not sealed with a foreign key", stack=buckets.bucket_foreign_key
    ),
    "policy-outsider": Rule("no resource lets outsiders in", buckets.policy_outsider),
    # The network.
    "world-open-port": Rule("the world reaches listed ports only", network.world_open_port),
    "world-open-protocol": Rule("nobody is let in by all protocols", network.world_open_protocol),
    "default-group-empty": Rule(
        "default security groups let nothing pass", stack=network.default_group_empty
    ),
    "inbound-source": Rule(
        "the world, carriers and the stack itself come in", stack=network.inbound_source
    ),
    "no-road-out": Rule("no network is joined to another", roads.no_road_out),
    "record-home": Rule("names lead to the stack's own balancers", stack=roads.record_home),
    "endpoint-policy": Rule(
        "no way to what is another account's", stack=own_buckets.endpoint_policy
    ),
    "no-access-logs": Rule("load balancers list no callers", roads.no_access_logs),
    "listener-tls": Rule("load balancers speak TLS 1.2 or later", control_plane.listener_tls),
    "subscription-home": Rule("messages stay at home", roads.subscription_home),
    # Roles.
    "role-trust": Rule("roles trust named services only", roles.role_trust),
    "role-actions": Rule(
        "roles do what is on the list", roles.role_actions, roles.role_actions_managed
    ),
    "role-boundary": Rule("roles have the boundary", stack=roles.role_boundary),
    "role-fence": Rule("roles deny themselves other regions", stack=roles.role_fence),
    "own-bucket": Rule("roles reach the stack's buckets only", stack=own_buckets.own_bucket),
    # Machines.
    "metadata-token": Rule("instance metadata asks for a token", nodes.metadata_token),
    "disk-ends": Rule("disks end with their machine", nodes.disk_ends),
    # What is kept.
    "holds-tag": Rule("what keeps data says what it keeps", records.holds_tag),
    "protected": Rule("keys, recordings and audit logs are protected", records.protected),
    "log-retention": Rule("logs end", records.log_retention),
    "log-home": Rule("flow logs stay in the stack", records.log_home),
    # What a program writes.
    "known-keys": Rule("no key is misspelt", words.known_keys),
    "known-properties": Rule(
        "a resource has no property that nobody thought about", properties.known_properties
    ),
    "no-side-door": Rule("no property leads round another rule", properties.no_side_door),
    "plain-options": Rule("nothing is imported, kept or made by others", options.plain_options),
    "ignored-changes": Rule("no property stays as it was", options.ignored_changes),
    "document-seen": Rule("every policy can be read before it holds", words.document_seen),
    "no-secret-export": Rule("no output is a secret", stack=words.no_secret_export),
    "no-secret-value": Rule("no secret is in a stack's state", words.no_secret_value),
    "no-stack-reference": Rule("no stack reads another", words.no_stack_reference),
    "no-lookup": Rule("nothing is taken over unjudged", words.no_lookup),
    # The control plane.
    "control-plane-holds-nothing": Rule(
        "a control plane keeps no data", control_plane.control_plane_holds_nothing
    ),
    "software-read-only": Rule(
        "no role writes the software", stack=control_plane.software_read_only
    ),
}
"""Every rule by its id. An id is part of the interface: messages begin with it."""


def check(graph: Graph, scope: Scope) -> tuple[Violation, ...]:
    """What is wrong with a stack, each thing once, sorted by rule, resource and words."""
    found = {
        violation
        for resource in graph.resources.values()
        for violation in check_resource(resource, graph, scope)
    }
    return tuple(sorted(found | set(check_stack(graph, scope))))


def check_resource(resource: Resource, graph: Graph, scope: Scope) -> Iterator[Violation]:
    """What one resource shows by itself; of ``graph`` only its provider is asked."""
    for name, rule in RULES.items():
        if rule.resource is not None:
            for message in rule.resource(resource, graph, scope):
                yield Violation(name, resource.urn, message)


def check_stack(graph: Graph, scope: Scope) -> Iterator[Violation]:
    """What only the whole stack shows."""
    for name, rule in RULES.items():
        if rule.stack is not None:
            for urn, message in rule.stack(graph, scope):
                yield Violation(name, urn, message)
