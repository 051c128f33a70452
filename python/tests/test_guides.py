"""The guides' blocks run from top to bottom, each guide as one program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.mark.parametrize("name", ["agents", "messages", "memory", "events", "hooks", "time-travel"])
def test_a_guide_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (GUIDES / f"{name}.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 3
    program = [sys.executable, "-c", "\n".join(blocks)]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_guide_is_in_the_index() -> None:
    index = (GUIDES.parent / "README.md").read_text(encoding="utf-8")
    missing = [guide.name for guide in GUIDES.glob("*.md") if f"(guides/{guide.name})" not in index]
    assert missing == []
