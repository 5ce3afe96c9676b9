"""What the lake asks of a folder: whole files, compare-and-swap, links, private modes, locks ending with processes."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.lake.storage import LakeBusyError, SwapConflictError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


def put(storage, path, data=b"data", *, read_only=False):
    with storage.create(path, read_only=read_only) as stream:
        stream.write(data)


def write_half(stream):
    stream.write(b"half")
    raise RuntimeError


def every_file(storage):
    return sorted(path.relative_to(storage.root).as_posix() for path in storage.root.rglob("*") if path.is_file())


def test_a_file_is_read_back(storage):
    put(storage, "a/b/file.parquet", b"12345")
    assert storage.read("a/b/file.parquet") == b"12345"
    assert storage.size("a/b/file.parquet") == 5
    assert storage.open_input("a/b/file.parquet").read() == b"12345"
    assert storage.address("a/b/file.parquet") == str(storage.root / "a/b/file.parquet")


def test_what_is_not_there(storage):
    assert storage.read("nothing") is None
    assert storage.size("nothing") is None
    assert storage.list("nowhere") == []
    storage.delete("nowhere/nothing")
    with pytest.raises(FileNotFoundError):
        storage.open_input("nothing")


def test_a_file_is_not_visible_before_it_is_complete(storage):
    put(storage, "a/file.parquet", b"old")
    with storage.create("a/file.parquet") as stream:
        stream.write(b"new, half written")
        assert storage.read("a/file.parquet") == b"old"
        assert [file.path for file in storage.list("")] == ["a/file.parquet"]
        (temporary,) = set(every_file(storage)) - {"a/file.parquet"}
        assert temporary.split("/")[:2] == ["state", ".tmp"]
        assert not temporary.endswith(".parquet")
        assert stat.S_IMODE((storage.root / temporary).stat().st_mode) == 0o600
        assert storage.unfinished() == [temporary]
    assert storage.unfinished() == []
    assert storage.read("a/file.parquet") == b"new, half written"


def test_a_block_that_fails_leaves_nothing(storage):
    put(storage, "a/file.parquet", b"old")
    for path in ("a/file.parquet", "a/other.parquet"):
        with pytest.raises(RuntimeError), storage.create(path) as stream:
            write_half(stream)
    assert every_file(storage) == ["a/file.parquet"]
    assert storage.read("a/file.parquet") == b"old"


def test_a_process_that_is_killed_leaves_no_file_that_readers_see(storage):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom pipelines.lake.local import LocalStorage\n"
        "with LocalStorage(Path(sys.argv[1])).create('a/file.parquet') as stream:\n"
        "    stream.write(b'half')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(storage.root)], cwd=ROOT, check=False)
    assert storage.list("") == []
    assert len(every_file(storage)) == 1


def test_the_list_is_sorted_and_has_sizes(storage):
    for path in ("b/2.parquet", "b/10.parquet", "a.json", "b/c/d.json"):
        put(storage, path, path.encode())
    assert [(file.path, file.size) for file in storage.list("")] == [
        ("a.json", 6), ("b/10.parquet", 12), ("b/2.parquet", 11), ("b/c/d.json", 10)
    ]  # fmt: skip
    assert [file.path for file in storage.list("b/c")] == ["b/c/d.json"]


def test_files_are_for_owner_and_group_only(storage):
    put(storage, "state/file.json")
    put(storage, "days/file.parquet", read_only=True)
    with storage.lock("lake"):
        pass
    modes = {path: stat.S_IMODE((storage.root / path).stat().st_mode) for path in every_file(storage)}
    assert modes == {"days/file.parquet": 0o440, "state/file.json": 0o640, "state/locks/lake.lock": 0o640}
    folders = [path for path in storage.root.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(folder.stat().st_mode) & 0o007 for folder in [storage.root, *folders]} == {0}


def test_a_swap_needs_what_it_expects(storage):
    storage.swap("state/file.json", b"one", None)
    with pytest.raises(SwapConflictError):
        storage.swap("state/file.json", b"two", None)
    with pytest.raises(SwapConflictError):
        storage.swap("state/file.json", b"two", b"zero")
    with pytest.raises(SwapConflictError):
        storage.swap("state/none.json", b"two", b"one")
    storage.swap("state/file.json", b"two", b"one")
    assert storage.read("state/file.json") == b"two"
    assert storage.read("state/none.json") is None


def test_of_many_swaps_from_one_state_one_wins(storage):
    storage.swap("file", b"0", None)
    start, won = threading.Barrier(8), []

    def swap(number):
        start.wait()
        try:
            storage.swap("file", str(number).encode(), b"0")
        except SwapConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read("file") == str(won[0]).encode()


def test_a_link_is_the_file_once_more(storage):
    put(storage, "days/1/calls.parquet", b"one", read_only=True)
    put(storage, "days/2/calls.parquet", b"two", read_only=True)
    assert storage.link("days/1/calls.parquet", "calls/data.parquet")
    assert not storage.link("days/1/calls.parquet", "calls/data.parquet")
    assert (storage.root / "calls/data.parquet").samefile(storage.root / "days/1/calls.parquet")
    assert storage.link("days/2/calls.parquet", "calls/data.parquet")
    assert storage.read("calls/data.parquet") == b"two"
    assert storage.read("days/1/calls.parquet") == b"one"


def test_files_are_copied_where_links_are_not_supported(storage, monkeypatch):
    def refuse(*_):
        raise OSError

    put(storage, "days/1/calls.parquet", b"one", read_only=True)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert storage.link("days/1/calls.parquet", "calls/data.parquet")
    assert not storage.link("days/1/calls.parquet", "calls/data.parquet")
    assert storage.read("calls/data.parquet") == b"one"
    assert not (storage.root / "calls/data.parquet").samefile(storage.root / "days/1/calls.parquet")


def test_folders_that_become_empty_go_too(storage):
    put(storage, "days/1/a.parquet", read_only=True)
    put(storage, "days/2/a.parquet")
    storage.delete("days/1/a.parquet")
    assert not (storage.root / "days/1").exists()
    storage.delete("days/2/a.parquet")
    assert storage.root.exists()
    assert storage.folders("days") == []


def test_folders_are_listed_by_name_without_hidden_ones_and_files(storage):
    put(storage, "days/b/1/file")
    put(storage, "days/a/file")
    put(storage, "days/file")
    assert storage.folders("days") == ["a", "b"]
    assert storage.folders("nowhere") == []


def test_an_unfinished_file_is_on_the_file_system_of_its_target(storage):
    for path, folder in (("raw/x/file", "raw"), ("days/x/file", "days"), ("calls/x/file", "state"), ("file", "state")):
        with storage.create(path):
            assert [name.split("/")[0] for name in storage.unfinished()] == [folder]


def test_a_secret_is_its_owners_and_the_first_one_stays(storage):
    assert storage.create_secret("state/key", b"first") == b"first"
    assert storage.create_secret("state/key", b"second") == b"first"
    assert stat.S_IMODE((storage.root / "state/key").stat().st_mode) == 0o600
    assert storage.unfinished() == []


def test_a_secret_is_written_also_where_there_are_no_links(storage, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert storage.create_secret("state/key", b"first") == b"first"
    assert storage.read("state/key") == b"first"
    assert storage.unfinished() == []


HOLD = (
    "import sys\nfrom pathlib import Path\nfrom pipelines.lake.local import LocalStorage\n"
    "with LocalStorage(Path(sys.argv[1])).lock(sys.argv[2], shared=sys.argv[3] == 'shared'):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


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
