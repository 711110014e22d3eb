"""The lease of a DuckDB destination belongs to its file and table, by whatever names they are given."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.errors import LockedError
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import execute_run, start_run
from rfm_pipeline.pipeline.run_records import RunStart
from support.cli import Rfm
from support.orders import refused
from support.shops import check_consistency, current, day, runs, write_orders

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="making a link takes a privilege on Windows")


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    write_orders(tmp_path)
    assert rfm("run", "orders.csv", "--as-of", day(10)).code == 0
    return tmp_path / "rfm.duckdb"


@contextmanager
def started(folder: Path, number: int, to: str = "rfm.duckdb") -> Iterator[tuple[RunStart, Plan]]:
    """Plan a run as of a day, and hold its lease."""
    flags = {"source": str(folder / "orders.csv"), "to": f"duckdb:{folder / to}", "as_of": day(number)}
    with start_run(load_configuration(flags), NullObserver(), kind="run") as (start, plan):
        yield start, plan


@pytest.mark.matrix
@needs_links
@pytest.mark.parametrize(
    "to",
    [
        "duckdb:link.duckdb",
        "duckdb:folder/rfm.duckdb",
        "duckdb:rfm.duckdb#RFM_Segments",
        pytest.param(
            "duckdb:elsewhere/shop.duckdb",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="the file is locked on Linux only"),
        ),
    ],
)
def test_a_second_run_finds_the_lease_by_another_name(
    to: str, published: Path, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "link.duckdb").symlink_to("rfm.duckdb")
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "shop.duckdb").hardlink_to(published)
    content = published.read_bytes()
    with started(tmp_path, 20):
        for command in (("run", "orders.csv"), ("rollback",)):
            sentence, hint = refused(rfm(*command, "--to", to), code=5)
            assert f"{to.partition('#')[0]}#" in sentence
            assert "wait for it to end" in hint
    assert published.read_bytes() == content
    assert rfm("run", "orders.csv", "--as-of", day(20), "--to", to).code == 0
    assert current(published)[0]["as_of_date"].isoformat() == day(20)


@pytest.mark.slow
@needs_links
def test_a_new_file_is_made_where_its_link_leads(rfm: Rfm, tmp_path: Path) -> None:
    write_orders(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "link.duckdb").symlink_to("shop/rfm.duckdb")
    ended = rfm("run", "orders.csv", "--to", "duckdb:link.duckdb", "--json")
    assert ended.json["destination"] == "duckdb:link.duckdb#rfm_segments"
    check_consistency(tmp_path / "shop" / "rfm.duckdb")
    assert (tmp_path / "link.duckdb").is_symlink()
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["rfm.duckdb"]


def test_two_tables_of_a_file_have_two_leases(published: Path, rfm: Rfm, tmp_path: Path) -> None:
    with started(tmp_path, 20):
        assert rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#weekly").code == 0


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_whose_lease_was_lost_does_not_publish_over_a_newer_result(
    is_new: bool, published: Path, rfm: Rfm, tmp_path: Path
) -> None:
    if is_new:
        published.unlink()
    with started(tmp_path, 20) as (start, plan):
        (tmp_path / "rfm.duckdb.rfm_segments.lease").unlink()
        assert rfm("run", "orders.csv", "--as-of", day(30)).code == 0
        newer = current(published), runs(published)
        with pytest.raises(LockedError, match=r"Another run has published to .* since this one began"):
            execute_run(start, plan, NullObserver())
    assert (current(published), runs(published)) == newer
    check_consistency(published)


@pytest.mark.slow
def test_a_rollback_whose_lease_was_lost_restores_nothing(
    published: Path, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfm_pipeline.pipeline import rollback

    assert rfm("run", "orders.csv", "--as-of", day(20)).code == 0
    check = rollback._check_history

    def publish_meanwhile(*arguments: object, **options: object) -> object:
        (tmp_path / "rfm.duckdb.rfm_segments.lease").unlink()
        assert rfm("run", "orders.csv", "--as-of", day(30)).code == 0
        return check(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rollback, "_check_history", publish_meanwhile)
    sentence, hint = refused(rfm("rollback"), code=5)
    assert sentence.startswith("Another run has published to duckdb:rfm.duckdb#rfm_segments")
    assert hint.startswith("run again")
    assert current(published)[0]["as_of_date"].isoformat() == day(30)


# Links in the place of rfm's own files


@pytest.mark.slow
@needs_links
@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_in_the_place_of_the_lease_is_not_followed(
    link: object, published: Path, rfm: Rfm, tmp_path: Path
) -> None:
    victim = tmp_path / "notes.txt"
    victim.write_text("not to be overwritten\n", encoding="utf-8")
    lease = tmp_path / "rfm.duckdb.rfm_segments.lease"
    link(victim, lease)  # type: ignore[operator]
    for command in (("run", "orders.csv"), ("rollback",)):
        sentence, hint = refused(rfm(*command), code=4)
        assert "can't be taken: rfm.duckdb.rfm_segments.lease is a link to another file" in sentence
        assert "delete it" in hint
    assert victim.read_text(encoding="utf-8") == "not to be overwritten\n"
    lease.unlink()
    assert rfm("run", "orders.csv", "--as-of", day(10)).code == 0


@needs_links
def test_a_link_in_the_place_of_a_rejected_result_is_not_followed(
    published: Path, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = "20260101T000000-abcdef"
    monkeypatch.setattr("rfm_pipeline.pipeline.run.new_run_id", lambda: run_id)
    kept = tmp_path / f"rfm.rfm_segments.rejected-{run_id}.duckdb"
    kept.symlink_to("stolen.duckdb")
    ended = rfm("run", "orders.csv", "--since", "2030-01-01", "--json")
    assert ended.code == 3, ended.stderr
    assert not (tmp_path / "stolen.duckdb").exists()
    assert not kept.is_symlink()
    assert kept.stat().st_mode & 0o077 == 0
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == json.dumps(
        sorted(["orders.csv", "rfm.duckdb", kept.name])
    )


@pytest.mark.slow
@needs_links
@pytest.mark.parametrize("suffix", ["wal", "wal.checkpoint", "wal.recovery"])
def test_a_link_in_the_place_of_a_log_is_not_followed(suffix: str, published: Path, rfm: Rfm) -> None:
    victim, log = published.with_name("precious.txt"), published.with_name(f"rfm.duckdb.{suffix}")
    victim.write_text("precious", encoding="utf-8")
    log.symlink_to(victim)
    before = current(published)
    sentence, hint = refused(rfm("run", "orders.csv", "--as-of", day(20)), code=4)
    assert sentence == f"rfm.duckdb.{suffix} is a link to another file, and DuckDB would write its log there."
    assert hint.startswith("find out who made it, and delete it")
    assert victim.read_text(encoding="utf-8") == "precious"
    log.unlink()
    assert current(published) == before
