"""Opening, closing, configuration, pickling, the log: what the hub itself promises."""

import copy
import json
import logging
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import soon

import folkmoot
from folkmoot import ConflictError, Hub, InvalidInputError, StorageError, UnavailableError


def test_a_hub_in_memory_ends_with_its_handle() -> None:
    with Hub.open(":memory:") as hub:
        hub.memory.set("k", 1)
    with Hub.open(":memory:") as hub:
        assert hub.stats().memory_keys == 0


def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    with Hub.open(path) as hub:
        hub.memory.set("k", {"n": 1})
    with Hub.open(str(path)) as hub:
        assert hub.memory.get("k").value == {"n": 1}


def test_a_closed_hub_says_so(hub: Hub) -> None:
    hub.close()
    hub.close()
    assert hub.closed
    assert "closed" in repr(hub)
    for use in (lambda: hub.memory.get("k"), lambda: hub.memory.set("k", 1), hub.status, hub.subscribe):
        with pytest.raises(UnavailableError, match="closed") as caught:
            use()
        assert caught.value.hint == "open it again"


def test_two_handles_on_one_file_share_it_and_close_apart(path: Path) -> None:
    with Hub.open(path) as one:
        with Hub.open(path) as other:
            other.memory.set("k", 1)
        assert other.closed
        assert one.memory.get("k").value == 1


def test_another_configuration_of_an_open_file_is_a_conflict(path: Path) -> None:
    with Hub.open(path, durability="normal"), pytest.raises(ConflictError, match="another configuration"):
        Hub.open(path, durability="full")


def test_an_unknown_key_is_named_with_the_nearest_one(path: Path) -> None:
    with pytest.raises(InvalidInputError, match="lease_seconds") as caught:
        Hub.open(path, lease_secs=3)
    assert caught.value.details["field"] == "lease_secs"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"durability": "always"}, "durability"),
        ({"lease_seconds": "x"}, "lease_seconds"),
        ({"create": 1}, "create"),
    ],
)
def test_a_bad_value_of_the_configuration_names_its_key(path: Path, config: dict, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Hub.open(path, **config)
    assert caught.value.details["field"] == field


def test_keywords_win_over_the_environment_and_that_over_the_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "folkmoot.toml"
    file.write_text('durability = "memory"\nlease_seconds = 7\nretain_versions = 7\n')
    monkeypatch.setenv("FOLKMOOT_RETAIN_VERSIONS", "8")
    monkeypatch.setenv("FOLKMOOT_DURABILITY", "full")
    with Hub.open(path, config_file=file, environment=True, durability="normal") as hub:
        config = hub.config
    assert (config["durability"], config["retain_versions"], config["lease_seconds"]) == ("normal", 8, 7.0)


def test_a_file_that_is_no_hub_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no hub at all, but long enough to be read as one" * 100)
    with pytest.raises(StorageError):
        Hub.open(tmp_path / "notes.txt")
    with pytest.raises(StorageError):
        Hub.open(tmp_path / "no" / "such" / "folder.db")
    with pytest.raises(InvalidInputError, match="path"):
        Hub.open(7)


def test_a_hub_is_opened_and_not_constructed() -> None:
    with pytest.raises(TypeError, match=r"Hub\.open"):
        Hub()


def test_a_hub_on_a_file_pickles_as_its_path(hub: Hub) -> None:
    hub.memory.set("k", 1)
    with pickle.loads(pickle.dumps(hub)) as again:
        assert again.path == hub.path
        assert again.config["durability"] == "normal"
        assert again.memory.get("k").value == 1


def test_a_hub_in_memory_says_why_it_cannot_be_pickled() -> None:
    with Hub.open(":memory:") as hub, pytest.raises(TypeError, match="in memory"):
        pickle.dumps(hub)


def test_a_backup_is_a_hub(hub: Hub, tmp_path: Path) -> None:
    hub.memory.set("k", 1)
    hub.backup(tmp_path / "copy.db")
    with Hub.open(tmp_path / "copy.db") as copied:
        assert copied.memory.get("k").value == 1


def test_a_check_counts_what_it_saw(hub: Hub) -> None:
    hub.memory.set("k", 1)
    report = hub.check()
    assert report["events"] == 1
    assert report["rows_equal"] > 0


def test_status_and_stats_stand_on_the_hub(hub: Hub) -> None:
    hub.memory.set("k", 1)
    assert hub.status().seq == hub.call("hub.status")["seq"] == 1
    assert hub.stats().events == {"memory.updated": 1}


def test_call_takes_a_dict_or_keywords_or_both(hub: Hub) -> None:
    assert hub.call("memory.set", {"key": "a", "value": 1}).version == 1
    assert hub.call("memory.set", key="a", value=2).version == 2
    assert hub.call("memory.set", {"key": "a"}, value=3).version == 3


def test_importing_it_brings_in_no_event_loop_and_no_network() -> None:
    program = "import sys, folkmoot; print(*({'asyncio', 'concurrent', 'socket', 'ssl'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == []
    program = "import sys, folkmoot; folkmoot.AsyncHub; print('asyncio' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["True"]


def test_the_version_is_that_of_the_engine(hub: Hub) -> None:
    assert folkmoot.__version__ == hub.status().version


def test_everything_that_is_named_is_there() -> None:
    for name in folkmoot.__all__:
        assert getattr(folkmoot, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        folkmoot.nothing_of_ours  # noqa: B018


def test_nothing_is_written_to_stderr_by_itself(run, path: Path) -> None:
    """`run` fails on anything on stderr."""
    damaged = """
        import sys, folkmoot
        hub = folkmoot.Hub.open(sys.argv[1])
        hub.on("memory.updated", lambda event: 1 / 0)
        hub.memory.set("k", 1)
        import time; time.sleep(0.3)
        print("done")
    """
    assert run(damaged, path) == "done\n"


def test_the_engines_log_goes_to_logging(run, path: Path) -> None:
    """A file that is taken away under an open hub is something that the engine speaks of."""
    program = """
        import json, logging, os, sys, time, folkmoot
        lines = []
        class Keep(logging.Handler):
            def emit(self, record):
                lines.append((record.name, record.levelname, record.getMessage()))
        logging.getLogger("folkmoot").addHandler(Keep())
        hub = folkmoot.Hub.open(sys.argv[1])
        hub.memory.set("k", 1)
        os.rename(sys.argv[1], sys.argv[1] + ".away")
        for _ in range(100):
            if lines:
                break
            time.sleep(0.1)
        print(json.dumps(lines))
    """
    lines = json.loads(run(program, path))
    assert lines
    assert all(name.startswith("folkmoot.") and level in ("WARNING", "ERROR") for name, level, _ in lines)


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(StorageError):
        Hub.open(path)


def test_records_are_dicts_with_attributes(hub: Hub) -> None:
    entry = hub.memory.set("k", {"title": 1})
    assert entry.key == entry["key"] == entry.id == "k"
    assert entry.expires_at is None
    assert type(entry.value) is dict
    assert json.loads(json.dumps(entry)) == entry
    assert pickle.loads(pickle.dumps(entry)) == copy.deepcopy(entry) == entry
    assert "version" in dir(entry)
    with pytest.raises(AttributeError, match="no field 'titel'"):
        entry.titel  # noqa: B018
    assert repr(entry).startswith("Entry(key='k', value={'title': 1}, version=1")


def test_a_list_shows_as_a_table_in_notebooks(hub: Hub) -> None:
    hub.memory.set("<k>", "x" * 100)
    page = hub.memory.list()._repr_html_()
    assert "<th>key</th>" in page
    assert "&lt;k&gt;" in page
    assert "x" * 100 not in page
    assert "<th>field</th>" in hub.status()._repr_html_()


def test_a_field_that_is_a_word_of_pythons_has_an_underscore(hub: Hub) -> None:
    hub.memory.set("k", 1)
    hub.memory.set("k", 2)
    difference = hub.memory.diff("k", 1, 2)
    assert (difference.from_.value, difference.to.value) == (1, 2)


def test_the_log_of_handlers_names_what_failed(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def handler(event: folkmoot.Event) -> None:
        seen.append(event.data.key)
        if event.data.key == "bad":
            raise ValueError("not this one")

    with caplog.at_level(logging.ERROR, "folkmoot"), hub.on("memory.*", handler):
        for key in ("bad", "good"):
            hub.memory.set(key, 1)
        assert soon(lambda: len(seen) == 2)
    assert seen == ["bad", "good"]
    assert "memory.updated failed" in caplog.text
