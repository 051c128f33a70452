#!/usr/bin/env python3
"""Runs the limits, the peers and folkmoot in turn, and judges the result by the goals.

    python3 bench/run.py [--quick] [--only P3,P5 [--keep]] [--rounds 3]

The first thing it does is to start itself again in `bench/.venv`, with the pinned peers installed there.
A full run writes `bench/latest.json` and `docs/benchmarks.md`. One with `--only` writes nothing, unless
`--keep` puts its figures in the place of those of the same goals.
"""

import argparse
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
VENV = BENCH / ".venv"
TARGETS = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P11", "P12", "FEED")


def main() -> None:
    arguments = parse()
    if Path(sys.prefix) != VENV:
        enter_venv()
    sys.path.insert(0, str(BENCH))
    measure_and_judge(arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures folkmoot beside its limits and its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", default="", metavar="P3,P5", help="only these goals")
    parser.add_argument("--keep", action="store_true", help="with --only: write what was measured, too")
    parser.add_argument("--rounds", type=int, help="how often everything is repeated")
    arguments = parser.parse_args()
    arguments.only = [target.upper() for target in arguments.only.split(",") if target]
    if unknown := set(arguments.only) - set(TARGETS):
        parser.error(f"unknown goal {', '.join(sorted(unknown))}: one of {', '.join(TARGETS)}")
    return arguments


def enter_venv() -> None:
    """Goes on in `bench/.venv`; made, or brought up to date, if the requirements are newer."""
    python, mark = VENV / "bin" / "python", VENV / "installed"
    requirements = BENCH / "requirements.txt"
    if not mark.exists() or mark.read_text() != requirements.read_text():
        print("== installing the peers into bench/.venv", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        mark.write_text(requirements.read_text())
    os.execv(python, [str(python), *sys.argv])


def measure_and_judge(arguments: argparse.Namespace) -> None:
    from harness import figures, history, jobs, page, table, targets

    pace = jobs.QUICK if arguments.quick else jobs.THOROUGH
    pace = dataclasses.replace(pace, rounds=arguments.rounds or pace.rounds)
    lines, left_out = measure(pace, arguments.only)

    measured = figures.gather(lines)
    verdicts = targets.verdicts(measured, set(arguments.only))
    run = history.record(measured, verdicts, pace, left_out)
    table.print_table(verdicts)
    for reason in left_out:
        print(f"left out: {reason}")
    compare(run)
    if arguments.only and arguments.keep:
        run, measured = history.renewed(run, measured, arguments.only)
        verdicts = targets.verdicts(measured, set())
        run["scores"] = history.scores(verdicts)
    if arguments.keep or not arguments.only:
        history.save(run)
        page.write(run, measured, verdicts)
        print("written: bench/latest.json, docs/benchmarks.md")


def measure(pace, only):
    """Every line of every round, and a sentence for each program that could not run or failed."""
    from harness import jobs, setup

    chosen = jobs.jobs(pace, only)
    missing = setup.prepare({job.needs for job in chosen})
    lines, left_out = [], {job.name: missing[job.needs] for job in chosen if job.needs in missing}
    for number in range(pace.rounds):
        for job in chosen:
            if job.name in left_out or (number and job.once):
                continue
            setup.step(f"round {number + 1} of {pace.rounds}, {job.name}")
            lines += jobs.run(jobs.PROBE, pace, [])[0]
            printed, problem = jobs.run(job, pace, only)
            lines += printed
            if problem:
                left_out[job.name] = problem
    return lines, [f"{name}: {reason}" for name, reason in left_out.items()]


def compare(run) -> None:
    from harness import history, table

    if before := history.committed():
        table.print_changes(history.regressions(before, run), f"{before['when']} ({before['commit']})")
        if before["quick"] != run["quick"]:
            print("  (one of the two runs was quick: expect differences)")
    else:
        print("\nThere is no committed run to compare with yet.")


if __name__ == "__main__":
    main()
