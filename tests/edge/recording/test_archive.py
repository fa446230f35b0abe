"""What an archive promises, of a folder, of a bucket, and of the fake that other tests use."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.recording.archive import (
    ENDS,
    Archive,
    LegName,
    end_marker,
    end_of,
    segment_name,
    segment_of,
    session_folder,
)
from edge.recording.errors import ArchiveBroken, ArchiveBusy, NoRecording
from edge.recording.folder import FolderArchive
from edge.recording.retention import delete_session, sweep
from tests.edge.recording.parts import FOLDER, LEG, TENANT, MemoryArchive
from tests.edge.recording.s3_server import ACCOUNT, S3Server, s3_server
from tests.edge.session.parts import EU, IN, OTHER, SESSION


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "bucket", "memory"])
async def archive(
    request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server
) -> AsyncIterator[Archive]:
    made: Archive
    if request.param == "folder":
        made = FolderArchive(tmp_path / "recordings", EU)
    elif request.param == "bucket":
        made = s3.archive(s3.bucket(tmp_path.name.replace("_", "-").strip("-")[:60].lower() + "x"))
    else:
        made = MemoryArchive()
    await made.check()
    yield made
    await made.close()


class TestContract:
    async def test_what_was_put_is_there_until_it_is_deleted(self, archive: Archive) -> None:
        name = segment_name(FOLDER, LEG, 0)
        await archive.put(name, b"sealed")
        await archive.put(name, b"sealed")
        assert await archive.get(name) == b"sealed"
        await archive.delete((name,))
        await archive.delete((name,))
        with pytest.raises(NoRecording):
            await archive.get(name)

    async def test_names_are_in_order_and_only_those_asked_for(self, archive: Archive) -> None:
        names = [segment_name(FOLDER, LEG, number) for number in (2, 0, 11, 1)]
        other = segment_name(session_folder(TENANT, OTHER), LEG, 0)
        for name in (*names, other, end_marker(FOLDER, LEG.ends_at)):
            await archive.put(name, b"x")
        assert await archive.names(FOLDER) == tuple(sorted(names))
        assert await archive.names(session_folder(TENANT, "s_nobody")) == ()

    async def test_the_first_ends_come_first(self, archive: Archive) -> None:
        ends = [(300, SESSION), (20, SESSION), (1000, OTHER), (20, OTHER)]
        markers = [end_marker(session_folder(TENANT, who), end) for end, who in ends]
        for marker in markers:
            await archive.put(marker, b"")
        assert await archive.names(ENDS, 3) == tuple(sorted(markers)[:3])
        assert await archive.names(ENDS) == tuple(sorted(markers))

    async def test_a_session_is_deleted_with_everything(self, archive: Archive) -> None:
        for number in range(3):
            await archive.put(segment_name(FOLDER, LEG, number), b"x")
        await archive.put(end_marker(FOLDER, LEG.ends_at), b"")
        stays = segment_name(session_folder(TENANT, OTHER), LEG, 0)
        await archive.put(stays, b"y")
        assert await delete_session(archive, TENANT, SESSION) == 3
        assert await delete_session(archive, TENANT, SESSION) == 0
        assert await archive.names(ENDS) == ()
        assert await archive.get(stays) == b"y"

    async def test_what_is_over_is_swept_and_nothing_else(self, archive: Archive) -> None:
        other = session_folder(TENANT, OTHER)
        late = LegName.new(1, LEG.ends_at + 1)
        for folder, leg in ((FOLDER, LEG), (other, late)):
            await archive.put(segment_name(folder, leg, 0), b"x")
            await archive.put(end_marker(folder, leg.ends_at), b"")
        assert await sweep(archive, LEG.ends_at - 1) == 0
        assert await sweep(archive, LEG.ends_at) == 1
        assert await archive.names(FOLDER) == ()
        assert len(await archive.names(other)) == 1
        assert await sweep(archive, LEG.ends_at) == 0
        assert await sweep(archive, LEG.ends_at + 1) == 1
        assert await archive.names(ENDS) == ()

    async def test_many_are_swept_at_once(
        self, archive: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("edge.recording.retention.AT_ONCE", 2)
        for number in range(5):
            await archive.put(end_marker(session_folder(TENANT, f"s_{number}"), 10 + number), b"")
        assert await sweep(archive, 13) == 4


class TestNames:
    def test_a_leg_says_its_number_and_its_end(self) -> None:
        leg = LegName.new(12, 1_763_750_000)
        assert LegName.parse(leg.text) == leg
        assert LegName.new(12, 1_763_750_000) != leg

    def test_a_segment_is_read_back(self) -> None:
        name = segment_name(FOLDER, LEG, 7)
        assert name == f"clinic/{SESSION}/{LEG.text}/00000007"
        assert segment_of(FOLDER, name) == (LEG, 7)

    @pytest.mark.parametrize("name", ["", "x", "0001/0", f"{LEG.text}/7", f"{LEG.text}/../000001"])
    def test_what_nobody_here_wrote_is_none(self, name: str) -> None:
        assert segment_of(FOLDER, FOLDER + name) is None

    @pytest.mark.parametrize(
        ("tenant", "session"),
        [("..", "s"), ("a/b", "s"), ("clinic", ".."), ("clinic", "a/b"), ("clinic", ""), ("", "s")],
    )
    def test_no_id_leads_out_of_its_folder(self, tenant: str, session: str) -> None:
        with pytest.raises(ValueError, match="not the ids"):
            session_folder(tenant, session)

    def test_an_end_is_read_back(self) -> None:
        assert end_of(end_marker(FOLDER, 5)) == (5, FOLDER)
        assert end_of(".ends/x/clinic/s") is None
        assert end_of(".ends/000000000005/clinic/../x") is None


class TestFolder:
    async def test_nobody_else_may_read_it(self, tmp_path: Path) -> None:
        archive = FolderArchive(tmp_path / "r", EU)
        await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        for path in (tmp_path / "r").rglob("*"):
            assert path.stat().st_mode & 0o077 == 0
        (tmp_path / "r").chmod(0o755)
        with pytest.raises(ArchiveBroken, match="others may read it"):
            await archive.check()
        await archive.close()

    async def test_a_folder_that_cannot_be_written_is_said_to_be_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        archive = FolderArchive(tmp_path / "file" / "r", EU)
        with pytest.raises(ArchiveBroken):
            await archive.check()
        with pytest.raises(ArchiveBroken) as refused:
            await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        assert SESSION not in str(refused.value)
        await archive.close()

    @pytest.mark.parametrize("under", [FOLDER, ENDS])
    @pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), PermissionError(13, "no")])
    async def test_what_another_sweeper_deleted_is_not_there_and_what_cannot_be_read_is_not_empty(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under: str, error: OSError
    ) -> None:
        archive = FolderArchive(tmp_path, EU)
        await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        await archive.put(end_marker(FOLDER, 10), b"")
        late = LegName.new(2, 20)
        await archive.put(segment_name(FOLDER, late, 0), b"x")
        await archive.put(end_marker(FOLDER, 20), b"")
        whole = await archive.names(under)
        scan = os.scandir

        def failing(path: str) -> object:
            if str(path).endswith((late.text, f"{20:012d}")):
                raise error
            return scan(path)

        monkeypatch.setattr(os, "scandir", failing)
        if isinstance(error, FileNotFoundError):
            assert await archive.names(under) == whole[:1]
        else:
            with pytest.raises(ArchiveBroken):
                await archive.names(under)
        await archive.close()

    async def test_a_pipe_in_place_of_a_segment_holds_nobody_up(self, tmp_path: Path) -> None:
        archive = FolderArchive(tmp_path / "r", EU)
        name = segment_name(FOLDER, LEG, 0)
        (tmp_path / "r" / name).parent.mkdir(parents=True)
        os.mkfifo(tmp_path / "r" / name)
        (tmp_path / "r" / segment_name(FOLDER, LEG, 1)).symlink_to(tmp_path / "r" / name)
        for number in (0, 1):
            with pytest.raises(ArchiveBroken):
                await archive.get(segment_name(FOLDER, LEG, number))
        await archive.close()

    async def test_nothing_is_left_of_what_was_deleted(self, tmp_path: Path) -> None:
        archive = FolderArchive(tmp_path / "r", EU)
        await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        await archive.put(end_marker(FOLDER, LEG.ends_at), b"")
        await delete_session(archive, TENANT, SESSION)
        assert list((tmp_path / "r").rglob("*")) == []
        await archive.close()


class TestBucket:
    async def test_a_bucket_of_another_region_is_refused(self, s3: S3Server) -> None:
        archive = s3.archive(s3.bucket("of-mumbai", IN))
        with pytest.raises(ArchiveBroken, match=f"is in region {IN}, and this is {EU}"):
            await archive.check()
        await archive.close()

    async def test_nothing_is_written_to_it_either(self, s3: S3Server) -> None:
        """Also by a node that could not ask when it started."""
        archive = s3.archive(s3.bucket("of-mumbai-too", IN))
        with pytest.raises(ArchiveBroken):
            await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        await archive.close()
        client = s3.client(IN)
        assert client.list_objects_v2(Bucket="of-mumbai-too")["KeyCount"] == 0
        client.close()

    async def test_a_bucket_that_is_not_there_is_said_not_to_be(self, s3: S3Server) -> None:
        archive = s3.archive("nobody-made-this")
        with pytest.raises(ArchiveBroken, match="no such bucket"):
            await archive.check()
        await archive.close()

    async def test_a_service_that_is_away_is_waited_for(self) -> None:
        archive = S3Server("http://127.0.0.1:9").archive("some-bucket")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "a")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
            with pytest.raises(ArchiveBusy):
                await archive.check()
        await archive.close()

    async def test_objects_are_where_the_prefix_says(self, s3: S3Server) -> None:
        archive = s3.archive(s3.bucket("with-prefix"), prefix="calls")
        await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        client = s3.client()
        (entry,) = client.list_objects_v2(Bucket="with-prefix")["Contents"]
        assert entry["Key"] == f"calls/{segment_name(FOLDER, LEG, 0)}"
        client.close()
        await archive.close()

    async def test_the_buckets_key_and_owner_are_asked_for(self, s3: S3Server) -> None:
        key = f"arn:aws:kms:{EU}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        archive = s3.archive(s3.bucket("with-key"), kms_key=key, account=ACCOUNT)
        seen: list[dict[str, str]] = []
        archive._client.meta.events.register(
            "before-call.s3.PutObject", lambda params, **_: seen.append(dict(params["headers"]))
        )
        await archive.put(segment_name(FOLDER, LEG, 0), b"x")
        (headers,) = seen
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == key
        assert headers["x-amz-expected-bucket-owner"] == ACCOUNT
        await archive.close()

    async def test_it_talks_to_the_named_endpoint_whatever_the_machine_says(
        self, s3: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_REGION", IN)
        archive = s3.archive(s3.bucket("by-its-name"))
        await archive.check()
        await archive.close()
        assert archive.place.endpoint == s3.url.rstrip("/")
        assert archive.place.region == EU
