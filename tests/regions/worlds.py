"""Small catalogues for tests, by hand and by Hypothesis."""

from datetime import date

from hypothesis import strategies as st

from regions.models import (
    Adequacy,
    Catalogue,
    DataClass,
    Jurisdiction,
    Narrowing,
    Operation,
    Region,
    Rule,
    Sector,
    SectorRule,
    TenantPolicy,
)

LAWS = ("la", "lb", "lc", "ld")
COUNTRIES = ("AA", "BB", "CC", "DD")
ATTRIBUTES = ("dedicated", "hipaa-baa")
SECTORS = ("health", "payments")
CLASSES = (DataClass.AUDIO, DataClass.TRANSCRIPT)
OPERATIONS = (Operation.PROCESS, Operation.STORE)


def region(name: str, law: str, attributes: tuple[str, ...] = ()) -> Region:
    return Region(
        id=name,
        name=name,
        cloud="aws",
        country=COUNTRIES[LAWS.index(law)],
        jurisdiction=law,
        latitude=0.0,
        longitude=0.0,
        attributes=attributes,
    )


def law(name: str) -> Jurisdiction:
    return Jurisdiction(
        id=name,
        name=f"land {name}",
        countries=(COUNTRIES[LAWS.index(name)],),
        source="a statute",
        read_on=date(2026, 11, 21),
    )


def rule(
    law: str,
    *,
    regions: tuple[str, ...] | None = None,
    inside: tuple[str, ...] | None = None,
    classes: tuple[DataClass, ...] = CLASSES,
    operations: tuple[Operation, ...] = OPERATIONS,
    reason: str = "so says the law",
    term: tuple[date | None, date | None] = (None, None),
    unless_adequate: bool = False,
) -> Rule:
    return Rule(
        jurisdiction=law,
        classes=classes,
        operations=operations,
        regions=regions,
        in_jurisdictions=inside,
        unless_adequate=unless_adequate,
        valid_from=term[0],
        valid_until=term[1],
        source="a section",
        reason=reason,
    )


def sector_rule(
    sector: str,
    law: str | None = None,
    *,
    attributes: tuple[str, ...] = (),
    inside: tuple[str, ...] | None = None,
    classes: tuple[DataClass, ...] = CLASSES,
    operations: tuple[Operation, ...] = OPERATIONS,
    term: tuple[date | None, date | None] = (None, None),
) -> SectorRule:
    return SectorRule(
        sector=sector,
        jurisdiction=law,
        classes=classes,
        operations=operations,
        attributes=attributes,
        in_jurisdictions=inside,
        valid_from=term[0],
        valid_until=term[1],
        source="a standard",
        reason="so says the trade",
    )


def adequacy(
    law: str,
    recognises: str,
    *,
    classes: tuple[DataClass, ...] = CLASSES,
    but: tuple[str, ...] = (),
    term: tuple[date | None, date | None] = (None, None),
) -> Adequacy:
    return Adequacy(
        jurisdiction=law,
        recognises=recognises,
        classes=classes,
        except_sectors=but,
        valid_from=term[0],
        valid_until=term[1],
        source="a decision",
        decided_on=date(2026, 1, 1),
    )


def world(
    regions: tuple[Region, ...],
    rules: tuple[Rule, ...],
    sector_rules: tuple[SectorRule, ...] = (),
    adequacy: tuple[Adequacy, ...] = (),
) -> Catalogue:
    return Catalogue(
        version="1",
        regions=regions,
        jurisdictions=tuple(law(name) for name in LAWS),
        rules=rules,
        sectors=tuple(Sector(id=name, name=name) for name in SECTORS),
        sector_rules=sector_rules,
        adequacy=adequacy,
    )


def _some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True).map(tuple)


@st.composite
def worlds(draw: st.DrawFn) -> Catalogue:
    """A catalogue of up to six regions and eight rules."""
    count = draw(st.integers(1, 6))
    regions = tuple(
        region(f"r{i}", draw(st.sampled_from(LAWS)), draw(_some(ATTRIBUTES))) for i in range(count)
    )
    ids = tuple(found.id for found in regions)
    rules = draw(
        st.lists(
            st.builds(
                rule,
                st.sampled_from(LAWS),
                regions=_some(ids),
                inside=_some(LAWS),
                classes=st.lists(st.sampled_from(CLASSES), min_size=1, unique=True).map(tuple),
                operations=st.lists(st.sampled_from(OPERATIONS), min_size=1, unique=True).map(
                    tuple
                ),
            ),
            max_size=8,
        )
    )
    return world(regions, tuple(rules))


DAYS = (date(2026, 1, 1), date(2026, 6, 1), date(2026, 11, 21), date(2027, 6, 1))
TERMS = (
    (None, None),
    (None, None),
    (None, DAYS[1]),
    (DAYS[1], None),
    (DAYS[1], DAYS[2]),
    (None, DAYS[0]),
)
_laws = st.sampled_from(LAWS)
_inside = st.sets(_laws).map(lambda names: tuple(sorted(names)))
_classes = st.sampled_from((CLASSES, CLASSES[:1], CLASSES[1:]))
_operations = st.sampled_from((OPERATIONS, OPERATIONS[:1], OPERATIONS[1:]))
_terms = st.sampled_from(TERMS)


@st.composite
def dated_worlds(draw: st.DrawFn) -> Catalogue:
    """Like :func:`worlds`, with sectors, adequacy decisions and dates."""
    places = draw(
        st.lists(st.tuples(_laws, st.sampled_from(((), *zip(ATTRIBUTES)))), min_size=2, max_size=6)
    )
    rules = st.builds(
        rule,
        _laws,
        inside=_inside,
        classes=_classes,
        operations=_operations,
        term=_terms,
        unless_adequate=st.booleans(),
    )
    sector_rules = st.builds(
        sector_rule,
        st.sampled_from(SECTORS),
        st.none() | _laws,
        attributes=st.sampled_from(tuple(zip(ATTRIBUTES))),
        inside=st.none() | _inside,
        classes=_classes,
        operations=_operations,
        term=_terms,
    )
    decisions = st.builds(
        adequacy,
        st.sampled_from(LAWS[:2]),
        st.sampled_from(LAWS[2:]),
        classes=_classes,
        but=st.sampled_from(((), *zip(SECTORS))),
        term=_terms,
    )
    return world(
        tuple(region(f"r{i}", law, having) for i, (law, having) in enumerate(places)),
        tuple(draw(st.lists(rules, min_size=2, max_size=6))),
        tuple(draw(st.lists(sector_rules, max_size=3))),
        tuple(draw(st.lists(decisions, max_size=3))),
    )


def narrowings(regions: tuple[str, ...]) -> st.SearchStrategy[Narrowing]:
    return st.builds(
        Narrowing,
        regions=st.none() | _some(regions),
        deny=_some(regions),
        attributes=_some(ATTRIBUTES),
    )


@st.composite
def tenants(draw: st.DrawFn, catalogue: Catalogue) -> TenantPolicy:
    """A policy over the regions of ``catalogue``."""
    ids = tuple(found.id for found in catalogue.regions)
    whole = draw(narrowings(ids))
    classes = draw(st.dictionaries(st.sampled_from(CLASSES), narrowings(ids)))
    return TenantPolicy(
        regions=whole.regions, deny=whole.deny, attributes=whole.attributes, classes=classes
    )
