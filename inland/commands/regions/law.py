"""``inland regions list | show | explain``: the catalogue, and who may hold a caller's data."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.commands.regions.actions import Actions
from inland.table import print_table

if TYPE_CHECKING:
    from regions.models import Catalogue, TenantPolicy
    from regions.policy import Decision

NO_FAILOVER = "none in country"


def configure(actions: Actions) -> None:
    """Add the actions."""
    listing = actions.add_parser("list", help="every region of the catalogue")
    listing.set_defaults(action=_list)
    show = actions.add_parser("show", help="one region: its law, its failover, who may call there")
    show.add_argument("region", metavar="REGION", help="its id: eu-central-1, …")
    show.set_defaults(action=_show)
    explain = actions.add_parser(
        "explain",
        help="which regions are allowed for a caller, and why",
        epilog="exit status: 0 some region is allowed, 1 none is, 2 the command or a file is wrong",
    )
    caller = explain.add_mutually_exclusive_group(required=True)
    caller.add_argument("--country", metavar="CC", help="where the caller is: DE, IN, AE, …")
    caller.add_argument(
        "--number", metavar="+49…", help="the dialled number: its country is where the caller is"
    )
    explain.add_argument(
        "--class",
        dest="data_class",
        default="audio",
        help="audio (default), recording, transcript, variables, metrics or routing",
    )
    explain.add_argument(
        "--op",
        dest="operation",
        default="process",
        help="process (default), store, replicate or export",
    )
    explain.add_argument("--tenant-file", type=Path, metavar="FILE", help="the tenants' file")
    explain.add_argument("--tenant", metavar="ID", help="narrow by this tenant's policy")
    explain.add_argument(
        "--sector", action="append", default=[], metavar="ID", help="health, payments; repeatable"
    )
    explain.add_argument(
        "--adequacy", action="store_true", help="use adequacy decisions, for process"
    )
    explain.add_argument("--date", metavar="DAY", help="as of this day (default: today, UTC)")
    explain.set_defaults(action=_explain)
    for action in (listing, show, explain):
        action.add_argument("--catalogue", type=Path, metavar="FILE", help="another catalogue")
        action.add_argument("--json", action="store_true", help="print JSON for programs")


def _list(arguments: argparse.Namespace) -> int:
    from regions.catalogue import load_catalogue
    from regions.geo import country_name
    from regions.policy import failover

    catalogue = load_catalogue(arguments.catalogue)
    others = {
        region.id: failover(catalogue, region.id, on=_today()) for region in catalogue.regions
    }
    if arguments.json:
        regions = [
            region.model_dump(mode="json") | {"failover": others[region.id]}
            for region in catalogue.regions
        ]
        _print_json({"policy": catalogue.policy, "regions": regions})
        return 0
    rows = [
        (
            region.id,
            region.name,
            country_name(region.country) or region.country,
            region.jurisdiction,
            region.cloud,
            _nearest(others[region.id]),
            ", ".join(region.attributes) or "-",
        )
        for region in catalogue.regions
    ]
    header = ("REGION", "NAME", "COUNTRY", "JURISDICTION", "CLOUD", "FAILOVER", "ATTRIBUTES")
    print_table(header, rows)
    print(f"\ncatalogue {catalogue.policy}")
    return 0


def _nearest(failover: Sequence[str]) -> str:
    if not failover:
        return NO_FAILOVER
    more = len(failover) - 1
    return f"{failover[0]} +{more}" if more else failover[0]


def _show(arguments: argparse.Namespace) -> int:
    from regions.catalogue import load_catalogue
    from regions.errors import ConfigError
    from regions.geo import country_name
    from regions.models import DataClass, Operation, TenantPolicy
    from regions.policy import allowed_set, failover

    catalogue = load_catalogue(arguments.catalogue)
    wanted: str = arguments.region
    region = next((known for known in catalogue.regions if known.id == wanted), None)
    if region is None:
        known = ", ".join(known.id for known in catalogue.regions)
        raise ConfigError(
            f"no region {wanted!r}{catalogue.hint(wanted)}; the catalogue has {known}"
        )
    law = catalogue.jurisdiction(region.jurisdiction)
    others = failover(catalogue, region.id, on=_today())
    question = (TenantPolicy(), DataClass.AUDIO, Operation.PROCESS)
    callers = [
        found
        for found in catalogue.jurisdictions
        if region.id in allowed_set(catalogue, (found.id,), *question, on=_today()).allowed
    ]
    if arguments.json:
        _print_json(
            {
                "policy": catalogue.policy,
                "region": region.model_dump(mode="json"),
                "law": law.model_dump(mode="json"),
                "failover": others,
                "callers": [found.id for found in callers],
            }
        )
        return 0
    country = country_name(region.country) or region.country
    print(f"region      {region.id}, {region.name}, {region.cloud}")
    print(f"stands in   {country} ({region.country})")
    print(f"law         {law.name}, {law.source}, read {law.read_on}")
    print(f"failover    {', '.join(others) or NO_FAILOVER}")
    print(f"callers in  {', '.join(found.name for found in callers) or 'no jurisdiction'}")
    print(f"attributes  {', '.join(region.attributes) or '-'}")
    print(f"catalogue   {catalogue.policy}")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from regions.catalogue import load_catalogue
    from regions.models import DataClass, Operation
    from regions.policy import allowed_set

    catalogue = load_catalogue(arguments.catalogue)
    on = _today() if arguments.date is None else _day(arguments.date)
    country = _of_number(arguments.number) if arguments.number else _country(arguments.country)
    data_class = DataClass(_word("--class", arguments.data_class, list(DataClass)))
    operation = Operation(_word("--op", arguments.operation, list(Operation)))
    tenant = _tenant_policy(arguments.tenant_file, arguments.tenant, catalogue)
    tenant = _with(tenant, arguments.sector, arguments.adequacy, catalogue)
    jurisdiction = catalogue.jurisdiction_of(country)
    binding = () if jurisdiction is None else (jurisdiction,)
    decision = allowed_set(catalogue, binding, tenant, data_class, operation, on=on)
    if arguments.json:
        _print_json(_as_json(country, tenant, decision))
    else:
        _print_decision(catalogue, country, arguments.tenant, tenant, decision)
    return 0 if decision.allowed else 1


def _as_json(country: str, tenant: TenantPolicy, decision: Decision) -> dict[str, Any]:
    return {
        "policy": decision.policy,
        "date": decision.on.isoformat(),
        "country": country,
        "sectors": list(tenant.sectors),
        "adequacy": tenant.adequacy,
        "jurisdictions": list(decision.jurisdictions),
        "class": decision.data_class,
        "operation": decision.operation,
        "allowed": list(decision.allowed),
        "regions": [
            {"region": verdict.region, "allowed": verdict.allowed, "reason": verdict.reason}
            for verdict in decision.verdicts
        ],
    }


def _print_decision(
    catalogue: Catalogue,
    country: str,
    tenant: str | None,
    policy: TenantPolicy,
    decision: Decision,
) -> None:
    from regions.geo import country_name

    place = f"{country_name(country) or country} ({country})"
    laws = [catalogue.jurisdiction(name) for name in decision.jurisdictions]
    bound = "; ".join(f"{law.name}, {law.source}, read {law.read_on}" for law in laws)
    print(f"caller      {place}")
    print(f"bound by    {bound or 'no jurisdiction of this catalogue: nothing is allowed'}")
    print(f"question    {decision.operation} {decision.data_class}")
    if tenant is not None:
        print(f"tenant      {tenant}")
    if policy.sectors:
        print(f"sectors     {', '.join(policy.sectors)}")
    if policy.adequacy:
        print("adequacy    decisions are used, for process")
    print(f"catalogue   {decision.policy}, on {decision.on}\n")
    rows, before = [], ""
    for verdict in sorted(decision.verdicts, key=lambda found: not found.allowed):
        reason = "the same" if verdict.reason == before else verdict.reason
        rows.append((verdict.region, "allowed" if verdict.allowed else "refused", reason))
        before = verdict.reason
    print_table(("REGION", "VERDICT", "REASON"), rows)
    if not decision.allowed:
        print("\nNo region may take this caller: the call would be refused.")


def _country(text: str) -> str:
    from regions.geo import country_names

    code = text.upper()
    names = country_names()
    if len(code) == 2 and code.isascii() and code.isalpha():
        return code
    meant = [known for known, name in names.items() if name.lower() == text.lower()]
    hint = f": did you mean {meant[0]}?" if meant else ", such as DE, IN or AE"
    raise argparse.ArgumentTypeError(
        f"--country {text!r} is no two-letter country code (ISO 3166-1){hint}"
    )


def _of_number(number: str) -> str:
    from edge.phone.numbers import country_of, is_e164

    if not is_e164(number):
        raise argparse.ArgumentTypeError(
            f"--number {number!r} is not in international form, such as +496912345678"
        )
    country = country_of(number)
    if country is None:
        raise argparse.ArgumentTypeError(
            f"--number {number} cannot tell its country (freephone and numbers of no country do "
            "not): give --country"
        )
    return country


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"--date {text!r} is no day, such as 2026-11-21") from None


def _with(
    tenant: TenantPolicy, sectors: Sequence[str], adequacy: bool, catalogue: Catalogue
) -> TenantPolicy:
    """The policy with what the command line adds to it."""
    for name in sectors:
        _word("--sector", name, [sector.id for sector in catalogue.sectors])
    together = tuple(dict.fromkeys((*tenant.sectors, *sectors)))
    return tenant.model_copy(update={"sectors": together, "adequacy": tenant.adequacy or adequacy})


def _word(option: str, text: str, words: Sequence[str]) -> str:
    if text in words:
        return text
    raise argparse.ArgumentTypeError(f"{option} {text!r} is none of {', '.join(words)}")


def _tenant_policy(path: Path | None, tenant: str | None, catalogue: Catalogue) -> TenantPolicy:
    from control_plane.tenants import TenantsFile
    from regions.errors import ConfigError
    from regions.models import TenantPolicy
    from regions.strict_yaml import load_yaml

    if path is None and tenant is None:
        return TenantPolicy()
    if path is None or tenant is None:
        raise argparse.ArgumentTypeError("--tenant-file and --tenant go together: give both")
    policies = {found.id: found.policy for found in load_yaml(path, TenantsFile).tenants}
    if tenant not in policies:
        raise ConfigError(f"{path}: no tenant {tenant!r}: it has {', '.join(sorted(policies))}")
    faults = [fault.words for fault in policies[tenant].faults(catalogue)]
    if faults:
        raise ConfigError(f"{path}: tenant {tenant!r}: {'; '.join(faults)}")
    return policies[tenant]


def _today() -> date:
    from regions.policy import day_of

    return day_of(time.time())


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
