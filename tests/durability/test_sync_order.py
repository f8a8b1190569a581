"""An answer leaves after the sync of what it acknowledges; the long form is `python tests/durability/sync_order.py`."""

from pathlib import Path

import pytest
from sync_order import early, events, mark, obstacle, traced

WRITE = f'7 pwrite64(9</tmp/x.db-wal>, "\\1{mark(1)}\\0"..., 4096, 32) = 4096'
NEXT = f'7 pwrite64(9</tmp/x.db-wal>, "\\1{mark(1)}{mark(2)}\\0"..., 4096, 32) = 4096'
OWN = '7 pwrite64(9</tmp/x.db-wal>, "\\1"..., 24, 32) = 24'
SYNC = "7 fdatasync(9</tmp/x.db-wal>)     = 0"
BEGUN = "7 fdatasync(9</tmp/x.db-wal> <unfinished ...>"
ENDED = "7 <... fdatasync resumed>)        = 0"
ANSWER = '6 write(12<socket:[4711]>, "HTTP/1.1 200 OK\\r\\n\\r\\n{\\"accepted\\":1}"..., 300) = 300'
OTHERS = [
    '6 write(5<anon_inode:[eventfd]>, "\\1", 8) = 8',
    "7 fdatasync(8</tmp/x.db>) = 0",
    '6 write(12<socket:[4711]>, "HTTP/1.1 200 OK\\r\\n\\r\\n{\\"status\\":\\"ready\\"}"..., 300) = 300',
    "+++ exited with 0 +++",
    "7 <... fdatasync resumed>) = 0",
]


@pytest.mark.service
async def test_no_answer_leaves_before_its_readings_are_on_disk(tmp_path: Path) -> None:
    why = obstacle()
    if why:
        pytest.skip(why)
    assert await traced(tmp_path, 100) == (100, [])


@pytest.mark.parametrize(
    ("lines", "too_early"),
    [
        ([WRITE, SYNC, ANSWER], []),
        ([WRITE, OWN, BEGUN, ENDED, ANSWER, NEXT, SYNC, ANSWER], []),
        ([WRITE, SYNC, OWN, ANSWER], []),
        ([OWN, SYNC, WRITE, ANSWER], ["not synced"]),
        ([OWN, SYNC, ANSWER], ["not even written"]),
        ([WRITE, SYNC, ANSWER, NEXT, ANSWER, SYNC], ["not synced"]),
        ([WRITE, ANSWER, SYNC], ["not synced"]),
        ([WRITE, BEGUN, ANSWER, ENDED], ["not synced"]),
        ([SYNC, WRITE, ANSWER], ["not synced"]),
        ([WRITE, SYNC, ANSWER, ANSWER], ["not even written"]),
        ([WRITE, SYNC, ANSWER, SYNC, ANSWER], ["not even written"]),
        ([WRITE, SYNC.replace("= 0", "= -1 EIO"), ANSWER], ["not synced"]),
        ([WRITE, *OTHERS, ANSWER], ["not synced"]),
    ],
)
def test_a_trace_is_read_right(lines: list[str], too_early: list[str]) -> None:
    answers, found = early(events(lines))
    assert answers == lines.count(ANSWER)
    assert [each.why for each in found] == too_early
