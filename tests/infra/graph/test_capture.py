"""A program's graph, from a program of its own."""

from __future__ import annotations

import gc
import json
import textwrap
import threading
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from infra.graph.capture import ProgramError, capture
from infra.rules.model import UNKNOWN, Graph

REGION = "eu-central-1"
ACCOUNT = "111122223333"


def small() -> None:
    """A program that knows components, secrets, computed values and dependencies."""
    config = pulumi.Config()
    provider = aws.Provider("home", region=config.require("region"), allowed_account_ids=[ACCOUNT])
    mine = pulumi.ResourceOptions(provider=provider)
    box = pulumi.ComponentResource(
        "test:box:Box", "box", None, pulumi.ResourceOptions(providers={"aws": provider})
    )
    inside = pulumi.ResourceOptions(parent=box)
    key = aws.kms.Key(
        "key", description="all", opts=pulumi.ResourceOptions(parent=box, protect=True)
    )
    bucket = aws.s3.Bucket("calls", bucket="inland-calls", opts=inside)
    aws.s3.BucketPolicy(
        "calls",
        bucket=bucket.bucket,
        policy=bucket.arn.apply(lambda arn: json.dumps({"Resource": f"{arn}/*"})),
        opts=inside,
    )
    aws.cloudwatch.LogGroup(
        "log",
        name="/inland/log",
        kms_key_id=key.arn,
        opts=pulumi.ResourceOptions(provider=provider, ignore_changes=["tags"]),
    )
    aws.ssm.Parameter("word", type="SecureString", value=pulumi.Output.secret("hush"), opts=mine)
    aws.ec2.Subnet("far", vpc_id="vpc-1", cidr_block="10.0.0.0/20", region="us-east-1", opts=mine)
    pulumi.export("key", key.arn)
    pulumi.export("word", pulumi.Output.secret("hush"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: small\nruntime: python\nconfig:\n  size: {type: integer, default: 3}\n"
    )
    (tmp_path / f"Pulumi.{REGION}.yaml").write_text(f"config:\n  small:region: {REGION}\n")
    return tmp_path


def main(project: Path, text: str) -> None:
    (project / "__main__.py").write_text(textwrap.dedent(text))


def one(graph: Graph, type_: str) -> dict[str, object]:
    (found,) = graph.of(type_)
    return dict(found.properties)


def test_a_graph_has_what_the_program_registered(project: Path) -> None:
    graph = capture(project, REGION, program=small)
    assert (graph.project, graph.stack) == ("small", REGION)
    names = [urn.partition("::small::")[2] for urn in graph.resources]
    assert names == sorted(
        [
            "pulumi:providers:aws::home",
            "test:box:Box::box",
            "test:box:Box$aws:kms/key:Key::key",
            "test:box:Box$aws:s3/bucket:Bucket::calls",
            "test:box:Box$aws:s3/bucketPolicy:BucketPolicy::calls",
            "aws:cloudwatch/logGroup:LogGroup::log",
            "aws:ssm/parameter:Parameter::word",
            "aws:ec2/subnet:Subnet::far",
        ]
    )
    (key,) = graph.of("aws:kms/key:Key")
    (log,) = graph.of("aws:cloudwatch/logGroup:LogGroup")
    (box,) = graph.of("test:box:Box")
    provider = graph.provider_of(key)
    assert provider is not None
    assert provider.properties["region"] == REGION
    assert (key.parent, key.protect, box.custom, box.parent) == (box.urn, True, False, "")
    assert log.dependencies is not None
    assert (log.dependencies["kmsKeyId"], log.depends_on) == ((key.urn,), (key.urn,))
    assert log.ignore_changes == ("tags",)


def test_secrets_are_read_and_their_places_kept(project: Path) -> None:
    graph = capture(project, REGION, program=small)
    (word,) = graph.of("aws:ssm/parameter:Parameter")
    assert (word.properties["value"], word.secrets) == ("hush", frozenset({"value"}))
    assert (graph.outputs["word"], graph.secret_outputs) == ("hush", frozenset({"word"}))


def test_computed_values_look_like_those_of_aws(project: Path) -> None:
    graph = capture(project, REGION, program=small)
    policy = one(graph, "aws:s3/bucketPolicy:BucketPolicy")["policy"]
    assert policy == '{"Resource": "arn:aws:s3:::inland-calls/*"}'
    key = str(graph.outputs["key"])
    assert key.startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert one(graph, "aws:cloudwatch/logGroup:LogGroup")["kmsKeyId"] == key


def test_in_a_preview_what_is_computed_is_unknown(project: Path) -> None:
    graph = capture(project, REGION, program=small, preview=True)
    assert one(graph, "aws:cloudwatch/logGroup:LogGroup")["kmsKeyId"] is UNKNOWN
    assert one(graph, "aws:s3/bucketPolicy:BucketPolicy") == {
        "bucket": "inland-calls",
        "policy": UNKNOWN,
    }
    assert graph.outputs["key"] is UNKNOWN


@pytest.mark.parametrize("preview", [False, True])
def test_two_captures_are_equal(project: Path, preview: bool) -> None:
    first = capture(project, REGION, program=small, preview=preview)
    assert capture(project, REGION, program=small, preview=preview) == first


def test_a_capture_runs_in_a_thread(project: Path) -> None:
    found: list[Graph] = []
    threads = [
        threading.Thread(target=lambda: found.append(capture(project, REGION, program=small)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == capture(project, REGION, program=small)


async def test_a_capture_runs_beside_a_loop(project: Path) -> None:
    assert capture(project, REGION, program=small).project == "small"


def test_the_projects_own_main_runs_with_its_configuration(project: Path) -> None:
    (project / "beside_this_program.py").write_text("WORD = 'beside'\n")
    main(
        project,
        """
        import beside_this_program
        import pulumi
        assert __name__ == "__main__"
        config = pulumi.Config()
        pulumi.export("said", [config.require("region"), config.get_int("size"),
            beside_this_program.WORD, pulumi.get_stack(), config.get_object("list")])
        """,
    )
    graph = capture(project, REGION, config={"list": [1, {"a": 2}]})
    assert graph.outputs["said"] == [REGION, 3, "beside", REGION, [1, {"a": 2}]]


def test_a_sealed_value_of_the_stack_stays_sealed(project: Path) -> None:
    (project / f"Pulumi.{REGION}.yaml").write_text("config:\n  small:word: {secure: AAA}\n")
    main(
        project,
        """
        import pulumi
        pulumi.export("word", pulumi.Config().require_secret("word"))
        """,
    )
    graph = capture(project, REGION)
    assert (graph.outputs["word"], graph.secret_outputs) == ("[secret]", frozenset({"word"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise pulumi.RunError('not in this jurisdiction')", "not in this jurisdiction"),
        ("1 / 0", "__main__.py:4: ZeroDivisionError: division by zero"),
        ("pulumi.Config().require('absent')", "small:absent"),
        ("pulumi.Output.from_input('x').apply(lambda x: x.y)", "AttributeError: 'str' object"),
        ("pulumi.log.error('two regions')", "two regions"),
        ("import sys; sys.exit('enough')", "SystemExit: enough"),
        (
            "aws.kms.Key('a', description=aws.kms.Key('b').arn.apply(lambda x: x[999]))",
            "__main__.py:4: IndexError",
        ),
        (
            "aws.kms.Key('a'); aws.kms.Key('a')",
            "Duplicate resource URN 'urn:pulumi:eu-central-1::small::aws:kms/key:Key::a'",
        ),
    ],
)
def test_a_failing_program_fails_in_its_own_words(
    project: Path, text: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    main(project, "import pulumi\nimport pulumi_aws as aws\naws.sns.Topic('t')\n" + text)
    with pytest.raises(ProgramError) as refused:
        capture(project, REGION)
    assert words in str(refused.value)
    assert "monitor.py" not in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert capture(project, REGION, program=small).resources


def test_a_stack_without_a_file_is_refused(project: Path) -> None:
    with pytest.raises(ProgramError, match=r"Pulumi\.mars-1\.yaml: there is no such file"):
        capture(project, "mars-1", program=small)


def test_questions_and_reads_are_written_down(project: Path) -> None:
    def asking() -> None:
        aws.get_availability_zones(state="available")
        aws.kms.Key.get("old", "1234abcd-12ab-34cd-56ef-1234567890ab")

    graph = capture(project, REGION, program=asking)
    (asked,) = graph.invokes
    assert asked.token == "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert (asked.arguments, asked.provider) == ({"state": "available"}, None)
    (old,) = graph.of("aws:kms/key:Key")
    assert old.read


def test_an_error_that_several_wait_for_is_placed_where_it_was_raised(project: Path) -> None:
    main(
        project,
        """\
        import pulumi
        import pulumi_aws as aws
        failed = pulumi.Output.from_input("x").apply(lambda x: x[9])

        async def asked_again():
            try:
                await failed.future()
            except IndexError:
                return await failed.future()

        aws.kms.Key("a", description=pulumi.Output.from_input(asked_again()))
        """,
    )
    with pytest.raises(ProgramError, match=r"__main__\.py:3: IndexError"):
        capture(project, REGION)
