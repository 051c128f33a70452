"""What the tests share: hubs on fresh files, and programs of their own."""

import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from folkmoot import AsyncHub, Hub

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


@pytest.fixture
def hub(path: Path) -> Iterator[Hub]:
    with Hub.open(path, durability="normal") as hub:
        yield hub


@pytest.fixture
async def ahub(path: Path) -> AsyncIterator[AsyncHub]:
    async with AsyncHub.open(path, durability="normal") as hub:
        yield hub


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a Python program; what it says arrives on its stdout, what went wrong on its stderr."""
    started: list[subprocess.Popen] = []

    def start(program: str, *arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", textwrap.dedent(program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen]) -> Callable[..., str]:
    """Runs a Python program to its end; answers what it said. It must end well and say nothing on stderr."""

    def run(program: str, *arguments: object, timeout: float = 30) -> str:
        process = start(program, *arguments)
        out, err = process.communicate(timeout=timeout)
        assert (process.returncode, err) == (0, "")
        return out

    return run
