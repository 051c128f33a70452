"""P7: the whole life of a task: create, claim, complete."""

import time
from concurrent.futures import ThreadPoolExecutor

from harness.hub import FULL, NORMAL, open_hub, register
from harness.measure import SECONDS, attempt, figure, rate, wanted

WORKERS = 8
CYCLE = "task create, claim, complete"


def main() -> None:
    for durability, label in (("normal", NORMAL), ("full", FULL)):
        hub = open_hub(durability=durability)
        register(hub, "worker")
        rate("P7", "folkmoot", CYCLE, lambda _, h=hub: cycle(h, "worker"), **label)
        rate("P7", "folkmoot", f"{CYCLE}, batch=100", lambda _, h=hub: hundred(h), each=100, **label)
        hub.close()
    together()


def cycle(hub, agent: str) -> None:
    hub.tasks.create(creator_id=agent, title="measure")
    claim = hub.tasks.claim(agent)
    hub.tasks.complete(claim["task_id"], agent, claim["token"], result={})


def hundred(hub) -> None:
    hub.tasks.create_many(creator_id="worker", tasks=[{"title": "measure"}] * 100)
    claims = hub.tasks.claim_many("worker", 100)
    hub.tasks.complete_many(
        "worker", [{"task_id": c["task_id"], "token": c["token"]} for c in claims["tasks"]]
    )


def together() -> None:
    """Threads that wait at the same time are committed together: each sync serves several."""
    metric = f"{CYCLE}, {WORKERS} workers"
    if not wanted("P7"):
        return
    with attempt("P7", "folkmoot", metric):
        hub = open_hub(durability="full")
        agents = [f"worker-{number}" for number in range(WORKERS)]
        register(hub, *agents)
        start = time.perf_counter()

        def work(agent: str) -> int:
            done = 0
            while time.perf_counter() - start < 2 * SECONDS:
                cycle(hub, agent)
                done += 1
            return done

        with ThreadPoolExecutor(WORKERS) as workers:
            done = sum(workers.map(work, agents))
        figure("P7", "folkmoot", metric, done / (time.perf_counter() - start), "ops/s", **FULL)
        hub.close()


if __name__ == "__main__":
    main()
