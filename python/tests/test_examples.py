"""Each example is a program that ends by itself and shows what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
GUIDES = [
    path for path in sorted((ROOT / "docs" / "guides").glob("*.md")) if BLOCK.search(path.read_text("utf-8"))
]

SHOWN = {
    "two_agents": [
        "ana is active, last used web_search",
        "ana to bob: I found three",
        "the thread has 2 messages",
    ],
    "task_queue_with_a_crash": [
        "killed doomed at 40 %",
        "heir took it over: attempt 2",
        "the old token is refused: lease_lost",
        "Index the archive: completed by heir",
    ],
    "shared_memory": ["['current_version']=1", "5050 lines after 101 versions", "visits = 1"],
    "ask_and_answer": ["librarian: On the second shelf.", "no answer from the sleeper in time"],
    "watch_everything": [
        "1 memory.updated notes/0",
        "3 memory.updated notes/2",
        "4 task.created Read the notes",
    ],
}


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tried() -> None:
    assert {path.stem for path in (ROOT / "examples" / "python").glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_shows_what_it_promises(name: str, tmp_path: Path) -> None:
    shown = run(str(ROOT / "examples" / "python" / f"{name}.py"), folder=tmp_path)
    for line in SHOWN[name]:
        assert line in shown, shown


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_runs_from_top_to_bottom(guide: Path, tmp_path: Path) -> None:
    run("-c", "\n".join(BLOCK.findall(guide.read_text("utf-8"))), folder=tmp_path)


def test_the_rust_of_every_guide_is_run_by_cargo() -> None:
    crate = (ROOT / "core" / "folkmoot" / "src" / "lib.rs").read_text("utf-8")
    guides = (ROOT / "docs" / "guides").glob("*.md")
    with_rust = {guide.name for guide in guides if "```rust" in guide.read_text("utf-8")}
    assert {name for name in with_rust if f"docs/guides/{name}" not in crate} == set()


def test_every_guide_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    guides = (ROOT / "docs" / "guides").glob("*.md")
    assert [guide.name for guide in guides if f"(guides/{guide.name})" not in index] == []
