"""The package's own README does what it says."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_packages_readme_runs(run) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    said = run("\n".join(blocks), timeout=60).splitlines()
    assert [line.split()[1] for line in said[:3]] == ["task.created", "task.claimed", "task.completed"]
    assert said[3:] == ["completed"]
