"""A catalogue that does not hold together is refused, with what is wrong in it."""

from datetime import date

import pytest
from pydantic import ValidationError

from regions.models import (
    Alias,
    Catalogue,
    DataClass,
    Jurisdiction,
    Narrowing,
    Region,
    Rule,
    TenantPolicy,
)
from tests.regions.worlds import law, region, rule, world

R = region("ra", "la")


def problem(
    regions: tuple[Region, ...] = (R,),
    laws: tuple[Jurisdiction, ...] = (law("la"),),
    rules: tuple[Rule, ...] = (),
) -> str:
    with pytest.raises(ValidationError) as caught:
        Catalogue(version="1", regions=regions, jurisdictions=laws, rules=rules)
    (detail,) = caught.value.errors()
    return str(detail["ctx"]["error"])


def test_a_region_listed_twice_is_refused() -> None:
    assert problem(regions=(R, R)) == "regions[1].id: region 'ra' is listed twice"


def test_a_jurisdiction_listed_twice_is_refused() -> None:
    assert "jurisdiction 'la' is listed twice" in problem(laws=(law("la"), law("la")))


def test_a_country_under_two_jurisdictions_is_refused() -> None:
    other = law("lb").model_copy(update={"countries": ("AA", "BB")})
    words = problem(laws=(law("la"), other))
    assert "country 'AA' is listed twice (in la, lb): one jurisdiction binds it" in words


def test_a_country_listed_twice_in_one_jurisdiction_is_refused() -> None:
    twice = law("la").model_copy(update={"countries": ("AA", "AA")})
    assert "country 'AA' is listed twice" in problem(laws=(twice,))


def test_a_region_under_an_unknown_jurisdiction_is_refused() -> None:
    assert problem(regions=(region("ra", "lb"),)) == (
        "regions[0].jurisdiction: region 'ra' names unknown jurisdiction 'lb'"
    )


def test_a_region_in_a_country_that_its_jurisdiction_lacks_is_refused() -> None:
    astray = R.model_copy(update={"country": "ZZ"})
    assert "not a country of its jurisdiction 'la'" in problem(regions=(astray,))


def test_a_rule_that_allows_an_unknown_region_is_refused() -> None:
    assert problem(rules=(rule("la", regions=("ra", "moon")),)) == (
        "rules[0].regions[1]: allows unknown region 'moon'"
    )


def test_a_rule_of_or_for_an_unknown_jurisdiction_is_refused() -> None:
    assert "rules[0].jurisdiction: names unknown jurisdiction 'lb'" in problem(
        rules=(rule("lb", regions=()),)
    )
    assert "rules[0].in_jurisdictions[0]: names unknown jurisdiction 'lc'" in problem(
        rules=(rule("la", inside=("lc",)),)
    )


def test_a_rule_that_says_nothing_of_where_is_refused() -> None:
    with pytest.raises(ValidationError, match="says nothing of where"):
        rule("la")


@pytest.mark.parametrize(
    ("aliases", "words"),
    [
        ((Alias(cloud="Other", names=("x1",), place="X", region="rx"),), "'x1' names unknown reg"),
        ((Alias(cloud="Other", names=("ra",), place="X"),), "alias 'ra' is a region of this"),
        ((Alias(cloud="Other", names=("x1", "x1"), place="X"),), "alias 'x1' is listed twice"),
    ],
)
def test_an_alias_that_misleads_is_refused(aliases: tuple[Alias, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Catalogue(version="1", regions=(R,), jurisdictions=(law("la"),), rules=(), aliases=aliases)


def test_every_problem_is_named_at_once() -> None:
    words = problem(regions=(R, R), rules=(rule("la", regions=("moon",)),))
    assert words == (
        "regions[1].id: region 'ra' is listed twice; "
        "rules[0].regions[0]: allows unknown region 'moon'"
    )


def test_lookups_find_what_is_there() -> None:
    catalogue = world((R,), ())
    assert catalogue.region("ra") is R
    assert catalogue.jurisdiction("lb").countries == ("BB",)
    assert catalogue.jurisdiction_of("BB") == "lb"
    assert catalogue.jurisdiction_of("ZZ") is None
    with pytest.raises(KeyError):
        catalogue.region("moon")


def test_the_digest_is_of_the_content_alone() -> None:
    one, same = world((R,), ()), world((R,), ())
    other = world((R,), (rule("la", regions=("ra",)),))
    assert one.digest == same.digest != other.digest
    assert one.policy == f"1#{one.digest}"
    assert len(one.digest) == 12


def test_a_later_reading_of_the_source_changes_the_digest() -> None:
    one = world((R,), ())
    later = law("la").model_copy(update={"read_on": date(2027, 1, 1)})
    reread = Catalogue(
        version="1",
        regions=one.regions,
        jurisdictions=(later, *one.jurisdictions[1:]),
        rules=(),
    )
    assert reread.digest != one.digest


def test_a_tenant_policy_names_the_regions_that_the_catalogue_lacks() -> None:
    policy = TenantPolicy(
        regions=("ra", "mars"),
        deny=("moon",),
        classes={DataClass.AUDIO: Narrowing(regions=("venus",), deny=("ra",))},
    )
    assert [str(fault) for fault in policy.faults(world((R,), ()))] == [
        "regions[1]: the catalogue has no region 'mars'",
        "deny[0]: the catalogue has no region 'moon'",
        "classes.audio.regions[0]: the catalogue has no region 'venus'",
    ]
    assert [*TenantPolicy().faults(world((R,), ()))] == []


def test_a_tenant_in_a_sector_that_the_catalogue_lacks_is_a_fault() -> None:
    faults = [*TenantPolicy(sectors=("helth",)).faults(world((R,), ()))]
    assert [str(fault) for fault in faults] == [
        "sectors[0]: the catalogue has no sector 'helth': it has health, payments"
    ]
