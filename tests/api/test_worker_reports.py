"""What the workers of one server tell each other."""

import multiprocessing
from collections import Counter
from pathlib import Path

from chargeport.api.worker_reports import GONE, READY, Tally, WorkerReports

ASKED = ("/healthz", 200)


def tally(count: int) -> Tally:
    return Tally(Counter({ASKED: count}))


def tell(folder: Path, number: int, count: int) -> None:
    WorkerReports(folder, number, 2).write(tally(count), READY)


def told_by_another(folder: Path, count: int) -> None:
    """Leave the report of a worker that has ended since."""
    process = multiprocessing.get_context("fork").Process(target=tell, args=(folder, 1, count))
    process.start()
    process.join()


def test_a_worker_that_has_not_reported_or_not_for_long_is_gone(tmp_path: Path) -> None:
    now = [100.0]
    first, second = (WorkerReports(tmp_path, number, 2, lambda: now[0]) for number in range(2))
    assert first.statuses() == {0: READY, 1: GONE}
    second.write(tally(1), "the disk is full")
    assert first.statuses() == {0: READY, 1: "the disk is full"}
    now[0] += 6
    assert first.statuses() == {0: READY, 1: GONE}


def test_a_worker_whose_process_has_ended_is_gone_immediately_and_its_counts_stay(tmp_path: Path) -> None:
    told_by_another(tmp_path, 3)
    first = WorkerReports(tmp_path, 0, 2)
    assert first.statuses() == {0: READY, 1: GONE}
    assert first.total(tally(4)).answered[ASKED] == 7


def test_what_waits_now_is_added_up_and_not_taken_over_from_the_one_before(tmp_path: Path) -> None:
    first, second = (WorkerReports(tmp_path, number, 2) for number in range(2))
    second.write(Tally(waiting=5), READY)
    assert first.total(Tally(waiting=2)).waiting == 7
    assert WorkerReports(tmp_path, 1, 2).total(Tally(waiting=1)).waiting == 1


def test_a_worker_continues_with_the_counts_of_the_one_before(tmp_path: Path) -> None:
    told_by_another(tmp_path, 3)
    next_one = WorkerReports(tmp_path, 1, 2)
    assert next_one.total(tally(2)).answered[ASKED] == 5
    next_one.write(tally(2), READY)
    assert WorkerReports(tmp_path, 0, 2).total(tally(0)).answered[ASKED] == 5
