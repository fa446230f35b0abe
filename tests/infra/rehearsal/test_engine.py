"""The double behaves as Pulumi's engine where the rehearsals rely on it: small programs show it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.infra.rehearsal.cloud import Aws, Cloud
from tests.infra.rehearsal.rehearsal import Rehearsal

ACCOUNT, REGION = "111122223333", "eu-central-1"
HEAD = f"""
import pulumi
import pulumi_aws as aws

provider = aws.Provider(
    "home",
    region="{REGION}",
    allowed_account_ids=["{ACCOUNT}"],
    default_tags=aws.ProviderDefaultTagsArgs(tags={{"inland:stack": "small"}}),
)


def made(**options):
    return pulumi.ResourceOptions(provider=provider, **options)


config = pulumi.Config()
"""


class Small:
    """A project whose program a test writes."""

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        self.folder = folder
        self.aws = Aws(cloud, REGION)
        (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (folder / "Pulumi.test.yaml").write_text("config: {}\n")
        self.stack = Rehearsal(folder, "test", cloud, folder / "state.json")

    def program(self, text: str) -> Rehearsal:
        """The stack with another program."""
        (self.folder / "__main__.py").write_text(HEAD + textwrap.dedent(text))
        return self.stack

    def topics(self) -> set[str]:
        """Names of the topics that there are."""
        listed = self.aws.sns.list_topics()["Topics"]
        return {topic["TopicArn"].rpartition(":")[2] for topic in listed}


@pytest.fixture
def small(endpoint: str, tmp_path: Path) -> Iterator[Small]:
    with closing(Cloud(endpoint, ACCOUNT)) as cloud:
        found = Small(tmp_path, cloud)
        yield found
        found.stack.state.unprotect()
        assert found.stack.destroy().errors == []
        assert found.topics() == set()


def names(urns: set[str]) -> set[str]:
    return {urn.rpartition("::")[2] for urn in urns}


def test_what_a_program_drops_is_deleted(small: Small) -> None:
    two = small.program("for x in 'ab': aws.sns.Topic(x, name=x, opts=made())").up()
    assert (two.errors, names(two.only("create"))) == ([], {"a", "b"})
    one = small.program("aws.sns.Topic('a', name='a', opts=made())").up()
    assert (names(one.only("same")), names(one.only("delete"))) == ({"a"}, {"b"})
    assert small.topics() == {"a"}


def test_a_preview_deletes_nothing(small: Small) -> None:
    small.program("aws.sns.Topic('a', name='a', opts=made())").up()
    planned = small.program("pass").preview()
    assert names(planned.only("delete")) == {"a"}
    assert small.topics() == {"a"}


def test_a_change_that_aws_cannot_make_replaces_and_moves_what_depends_on_it(small: Small) -> None:
    text = """
    topic = aws.sns.Topic("t", name="{name}", opts=made())
    aws.cloudwatch.MetricAlarm(
        "alarm", name="alarm", comparison_operator="LessThanThreshold", evaluation_periods=1,
        namespace="n", metric_name="m", period=60, statistic="Sum", threshold=1,
        alarm_actions=[topic.arn], opts=made(),
    )
    """
    small.program(text.format(name="old")).up()
    moved = small.program(text.format(name="new")).up()
    assert names(moved.only("replace")) == {"t"}
    assert [moved.changed[urn] for urn in moved.only("update")] == [("alarmActions",)]
    assert small.topics() == {"new"}
    (alarm,) = small.aws.cloudwatch.describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"][0].endswith(":new")


@pytest.mark.parametrize("other", ["aws.sns.Topic('t', name='new', opts=made(protect=True))", ""])
def test_a_protected_resource_is_neither_replaced_nor_deleted(small: Small, other: str) -> None:
    small.program("aws.sns.Topic('t', name='old', opts=made(protect=True))").up()
    for refused in (small.program(other).preview(), small.program(other).up()):
        assert "it is protected" in refused.errors[0]
    assert small.topics() == {"old"}


def test_ignored_changes_are_no_changes(small: Small) -> None:
    text = "aws.sns.Topic('t', name='t', kms_master_key_id={key!r}, opts=made(ignore_changes={to}))"
    small.program(text.format(key="one", to=["kmsMasterKeyId"])).up()
    ignored = small.program(text.format(key="two", to=["kmsMasterKeyId"])).up()
    noticed = small.program(text.format(key="two", to=[])).up()
    assert (names(ignored.only("same")), names(noticed.only("update"))) == ({"t"}, {"t"})


def test_default_tags_reach_what_is_made(small: Small) -> None:
    small.program("aws.sns.Topic('t', name='t', tags={'own': 'x'}, opts=made())").up()
    arn = small.aws.sns.list_topics()["Topics"][0]["TopicArn"]
    tags = small.aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"inland:stack": "small", "own": "x"}


def test_what_a_component_waits_for_outlives_what_is_in_it(small: Small) -> None:
    text = """
    first = aws.sns.Topic("z-first", name="first", opts=made())
    box = pulumi.ComponentResource("a:box:Box", "box", None,
        pulumi.ResourceOptions(providers={"aws": provider}, depends_on=[first]))
    aws.sns.Topic("inside", name="inside", opts=pulumi.ResourceOptions(parent=box))
    """
    small.program(text).up()
    entries = small.stack.state.entries
    order = [entry.urn.rpartition("::")[2] for entry in small.stack.state.last_first(entries)]
    assert order == ["inside", "z-first"]


def test_outputs_are_those_of_the_program(small: Small) -> None:
    run = small.program("pulumi.export('arn', aws.sns.Topic('t', name='t', opts=made()).arn)").up()
    assert run.outputs == {"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("aws.sns.Topic('t')", "default providers are disabled"),
        ("aws.dynamodb.Table('t', opts=made())", "does not know the type aws:dynamodb/table"),
        (
            "aws.sns.Topic('t', name=pulumi.Output.secret('x'), opts=made())",
            "keeps no secrets",
        ),
        ("for _ in 'ab': aws.sns.Topic('t', name='t', opts=made())", "Duplicate resource URN"),
        ("aws.sns.Topic('t', name='no spaces', opts=made())", "Topic t: "),
        ("raise pulumi.RunError('not in this jurisdiction')", "not in this jurisdiction"),
        ("pulumi.log.error('two regions')", "two regions"),
        ("aws.get_region(opts=pulumi.InvokeOptions(provider=provider))", "Method not implemented"),
    ],
)
def test_what_fails_fails_in_words(small: Small, text: str, words: str) -> None:
    run = small.program(text).up()
    assert words in run.errors[0]


def test_what_was_made_before_a_failure_is_kept_in_mind(small: Small) -> None:
    text = """
    first = aws.sns.Topic("a", name="a", opts=made())
    aws.sns.Topic("b", name="no spaces", opts=made(depends_on=[first]))
    """
    failed = small.program(text).up()
    assert failed.errors
    assert names(set(small.stack.state.entries)) == {"a"}
    again = Rehearsal(small.folder, "test", small.aws.cloud, small.folder / "state.json")
    assert names(set(again.state.entries)) == {"a"}
