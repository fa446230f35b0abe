"""How an unmodified program is spoiled from outside: inputs changed on their way, more made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

Program: TypeAlias = Callable[[], None]
Spoil: TypeAlias = Callable[[Program], Program]
"""From a program to the same program, spoiled."""
Properties: TypeAlias = dict[str, Any]
PROVIDER = "pulumi:providers:aws"
ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"


def changing(
    type_: str, change: Callable[[Properties, ResourceOptions], None], name: str = ""
) -> Spoil:
    """Inputs and options of every resource of a type are changed, or of the one called ``name``."""

    def spoil(program: Program) -> Program:
        def transform(
            args: pulumi.ResourceTransformationArgs,
        ) -> pulumi.ResourceTransformationResult:
            properties = dict(args.props)
            if args.type_ == type_ and name in ("", args.name):
                change(properties, args.opts)
            return pulumi.ResourceTransformationResult(properties, args.opts)

        def spoiled() -> None:
            pulumi.runtime.register_stack_transformation(transform)
            program()

        return spoiled

    return spoil


def set_(type_: str, /, of: str = "", **properties: Any) -> Spoil:
    """Other inputs, in Python's spelling; None takes one away."""
    return changing(type_, lambda found, _: found.update(properties), of)


def options_set(type_: str, /, of: str = "", **given: Any) -> Spoil:
    """Other options, in Python's spelling."""

    def change(_: Properties, options: ResourceOptions) -> None:
        for name, value in given.items():
            setattr(options, name, value)

    return changing(type_, change, of)


def protect_off(type_: str) -> Spoil:
    return options_set(type_, protect=False)


def adding(make: Callable[[ResourceOptions], object]) -> Spoil:
    """More is made after the program, by its own provider."""

    def spoil(program: Program) -> Program:
        providers: list[aws.Provider] = []

        def notice(
            args: pulumi.ResourceTransformationArgs,
        ) -> pulumi.ResourceTransformationResult | None:
            if isinstance(args.resource, aws.Provider):
                providers.append(args.resource)
            return None

        def spoiled() -> None:
            pulumi.runtime.register_stack_transformation(notice)
            program()
            make(ResourceOptions(provider=providers[0]))

        return spoiled

    return spoil


def doing(act: Callable[[], object]) -> Spoil:
    """Something is done after the program, without a provider."""
    return adding(lambda _: act())


def wording(
    type_: str,
    reword: Callable[[list[dict[str, Any]]], Iterable[Mapping[str, Any]]],
    of: str = "",
    *,
    property_: str = "policy",
) -> Spoil:
    """The statements of policy documents are others."""

    def again(document: str) -> str:
        found = json.loads(document)
        return json.dumps({**found, "Statement": list(reword(found["Statement"]))})

    def change(found: Properties, _: ResourceOptions) -> None:
        if found.get(property_) is not None:
            found[property_] = pulumi.Output.from_input(found[property_]).apply(again)

    return changing(type_, change, of)


def also(type_: str, statement: Mapping[str, Any], of: str = "", **more: str) -> Spoil:
    """One statement more."""
    return wording(type_, lambda found: [*found, statement], of, **more)


def unsaid(type_: str, *sids: str) -> Spoil:
    """These statements are gone."""
    return wording(type_, lambda found: [one for one in found if one.get("Sid") not in sids])


def allow(action: str | Sequence[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def provider_in(region: str, account: str = ACCOUNT) -> ResourceOptions:
    """A second provider, of another region of the same account."""
    tags = {"inland:stack": "eu-central-1", "inland:jurisdiction": "eea"}
    provider = aws.Provider(
        "second",
        region=region,
        allowed_account_ids=[account],
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
    )
    return ResourceOptions(provider=provider)
