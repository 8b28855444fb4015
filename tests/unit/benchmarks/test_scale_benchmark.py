"""How cost grows: the page shows each part beside the first."""

from benchmarks.machine import Machine
from benchmarks.race.measuring import Backlog
from benchmarks.race.workload import Size
from benchmarks.scale.measuring import Scaled
from benchmarks.scale.rows import Stored, StoreSize
from benchmarks.scale.scale_page import write


def test_the_page_shows_workers_against_one_and_bytes_by_history(tmp_path):
    cpu = {"worker": 0.2, "triton": 0.1, "kafka": 0.05, "redis": 0.02}
    one = Backlog(10, 1.0, 1_000.0, 9, cpu, {"worker": 300}, {})
    two = Backlog(10, 1.0, 1_500.0, 9, cpu, {"worker": 600}, {})
    found = Scaled(
        "a command",
        Machine("a processor", 2, 24.0, "Linux", "3.11", {}),
        1,
        Size(),
        [StoreSize(50, 1_800, 900)],
        [Stored(10_000, 3.0, 5.0, 20)],
        {"1": one, "2": two},
        [one],
    )
    page = write(found, tmp_path).read_text()
    assert "| 2 | 1,500 | 1.50 x | 0.30 | 0.15 | 0.07 | 0.03 | 600 |" in page
    assert "| 50 | 1,800 | 900 |" in page
