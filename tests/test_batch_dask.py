"""The same run on a real Dask cluster, whose scheduler and workers are processes."""

from __future__ import annotations

import csv
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.study_trees import ASKED, COUNT

from osteotrace.batch import isolation, measure_tree, pools
from osteotrace.reports import results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from distributed import LocalCluster
    from tests.fixtures.command_line import Outcome
    from tests.fixtures.study_trees import Measured

    from osteotrace.batch import Progress
    from osteotrace.errors import OsteotraceError

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Start two workers, each a process of its own with a nanny that starts it anew."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as started:
        yield started


def worker_numbers(address: str) -> list[int]:
    with distributed.Client(address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_cluster_that_loses_a_worker_gives_the_tables_of_one_process(
    undisturbed: Measured, cluster: LocalCluster, tmp_path: Path
) -> None:
    address = cluster.scheduler_address
    first, _ = worker_numbers(address)
    told: list[Progress] = []

    def kill_one(far: Progress) -> None:
        told.append(far)
        if far.done == 1:
            os.kill(first, signal.SIGKILL)

    run = measure_tree(
        *(undisturbed.tree, undisturbed.protocol, tmp_path / "out"),
        scheduler=address,
        progress=kill_one,
        **ASKED,
    )
    assert (run.n_done, run.n_failed) == (COUNT, 0)
    assert undisturbed.tables(tmp_path / "out") == undisturbed.tables()
    assert any(one.done == 1 for one in told)
    assert first not in worker_numbers(address)
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert folders == {path.name for path in undisturbed.out.iterdir() if path.is_dir()}


def test_a_scheduler_that_goes_in_the_middle_is_one_clear_error_and_tables_that_are_whole(
    undisturbed: Measured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 2.0)
    out = tmp_path / "out"
    with distributed.LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as brief:
        call = (undisturbed.tree, undisturbed.protocol, out)
        error = refusal(
            lambda: measure_tree(
                *call,
                scheduler=brief.scheduler_address,
                progress=lambda far: brief.close() if far.done == 1 else None,
                **ASKED,
            )
        )
    # Its worker was a thread of this process.
    isolation.end_all()
    assert "a scheduler that is gone" in error.found
    assert "--resume" in error.advice
    with (out / results.CSV).open(encoding="utf-8", newline="") as stream:
        assert len({row["study_uid"] for row in csv.DictReader(stream)}) >= 1


def test_a_scheduler_that_is_not_there_is_one_clear_line(
    osteotrace: Callable[..., Outcome],
    undisturbed: Measured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 0.5)
    outcome = osteotrace(
        *("measure", undisturbed.tree, "--protocol", undisturbed.protocol),
        *("--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9"),
    )
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert "no Dask scheduler that answers" in line
    assert not (tmp_path / "out").exists()


def test_a_scheduler_without_workers_is_one_clear_line(
    undisturbed: Measured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    monkeypatch.setattr(pools, "WORKERS_SECONDS", 0.2)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty:
        error = refusal(
            lambda: measure_tree(
                *(undisturbed.tree, undisturbed.protocol, tmp_path / "out"),
                scheduler=empty.scheduler_address,
                **ASKED,
            )
        )
    assert "without a worker" in error.found


def test_without_dask_the_extra_is_named(
    undisturbed: Measured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    error = refusal(
        lambda: measure_tree(
            *(undisturbed.tree, undisturbed.protocol, tmp_path / "out"),
            scheduler="tcp://127.0.0.1:9",
            **ASKED,
        )
    )
    assert 'pip install "osteotrace[dask]"' in error.advice
