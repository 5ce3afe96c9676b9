"""Locks keep processes apart, and end with them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.lake.storage import LakeBusyError

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys\nfrom pathlib import Path\nfrom pipelines.lake.local import LocalStorage\n"
    "with LocalStorage(Path(sys.argv[1])).lock(sys.argv[2], shared=sys.argv[3] == 'shared'):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


@contextmanager
def held_elsewhere(storage, name, mode="alone"):
    """Another process holds a lock."""
    words = [sys.executable, "-c", HOLD, str(storage.root), name, mode]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.stdin.close()


def is_free(storage, name, *, shared=False):
    try:
        with storage.lock(name, shared=shared, wait=0):
            return True
    except LakeBusyError:
        return False


def test_one_process_holds_a_lock_at_a_time(storage):
    with held_elsewhere(storage, "sync"):
        assert not is_free(storage, "sync")
        assert not is_free(storage, "sync", shared=True)
        assert is_free(storage, "publish")
    assert is_free(storage, "sync")


def test_a_shared_lock_is_held_by_many_but_not_beside_an_exclusive_one(storage):
    with held_elsewhere(storage, "lake", "shared"):
        assert is_free(storage, "lake", shared=True)
        assert not is_free(storage, "lake")


def test_the_lock_of_a_dead_process_is_no_obstacle(storage):
    with held_elsewhere(storage, "sync") as holder:
        holder.kill()
        holder.wait()
        assert is_free(storage, "sync")


def test_who_waits_gets_the_lock_when_it_is_free(storage):
    with ExitStack() as stack:
        holder = stack.enter_context(held_elsewhere(storage, "publish"))
        holder.stdin.close()  # ends, at some moment
        with storage.lock("publish"):
            assert not is_free(storage, "publish")


def test_a_busy_lake_is_said_in_words(storage):
    with (
        held_elsewhere(storage, "sync"),
        pytest.raises(LakeBusyError, match="Another process is working on the lake") as busy,
        storage.lock("sync", wait=0),
    ):
        pass
    assert busy.value.exit_code == 1
    assert str(storage.root) in busy.value.message


def test_a_lock_is_given_back_when_the_block_fails(storage):
    with pytest.raises(RuntimeError), storage.lock("lake"):
        raise RuntimeError
    assert is_free(storage, "lake")
