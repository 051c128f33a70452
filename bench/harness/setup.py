"""Getting ready: builds what is measured, installs what is missing, and says what has to be left out."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence, Set
from pathlib import Path

from harness.jobs import PIPELINE, ROOT

# What jobs need (`Job.needs`), and why it is not there.
Missing = dict[str, str]


def prepare(needs: Set[str]) -> Missing:
    """Builds and installs what is needed; answers what could not be had, and why."""
    missing: Missing = {}
    if "limits" in needs:
        _build("limits", "bench/limits/Cargo.toml", ["cargo", "build", "-q", "--release"], missing)
    if "redis-server" in needs and not shutil.which("redis-server") and not _install("redis-server"):
        missing["redis-server"] = "redis-server is not installed (apt-get install redis-server)"
    if "nats-server" in needs and not shutil.which("nats-server"):
        missing["nats-server"] = "nats-server is not installed"
    if "python" in needs:
        # As a user gets it: optimised.
        maturin = [sys.executable, "-m", "maturin", "develop", "--release", "-q"]
        _build("python", "python/pyproject.toml", maturin, missing)
    if "pipeline" in needs:
        cargo_bench = [*PIPELINE[: PIPELINE.index("--")], "--no-run"]
        _build("pipeline", "core/engine/benches/pipeline.rs", cargo_bench, missing)
    return missing


def step(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def _build(name: str, source: str, command: Sequence[str], missing: Missing) -> None:
    if not (ROOT / source).exists():
        missing[name] = f"{source} is not there"
        return
    step(f"building {name}")
    if not _run(command, where=(ROOT / source).parent):
        missing[name] = f"{source} did not build"


def _install(package: str) -> bool:
    """By apt-get, as root only; the service that comes with the package is not started."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    step(f"installing {package}")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    return _run(["apt-get", "update", "-qq"]) and _run([*quiet, *install])


def _run(command: Sequence[str], where: Path = ROOT) -> bool:
    """Whether it went well; what it says goes to standard error."""
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(command, cwd=where, env=environment, stdout=sys.stderr, check=False)
    return done.returncode == 0
