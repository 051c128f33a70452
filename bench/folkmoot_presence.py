"""P3: presence.update, which is acknowledged from memory and written behind."""

import itertools
import time

from harness.hub import last_seq, open_hub, register
from harness.measure import SECONDS, attempt, cost, figure, wanted

# Below the bound of the relaxed queue: past it updates are folded together, and each is wanted here.
MOST_WAITING = 20_000
STEP = 500


def main() -> None:
    hub = open_hub()
    agents = [f"agent-{number}" for number in range(100)]
    register(hub, *agents)
    update = hub.presence.update
    cost("P3", "folkmoot", "presence.update, a call", lambda: update("agent-1", tool_name="Edit", tokens=12))
    turn = itertools.cycle(agents)
    varied = lambda: update(next(turn), tool_name="Edit", tokens=12)
    cost("P3", "folkmoot", "presence.update, a call, 100 agents", varied)
    hub.close()
    sustained(agents)


def sustained(agents: list[str]) -> None:
    """As fast as events are written, none folded into another: the caller waits when too many wait."""
    metric = "presence.update, each event kept"
    if not wanted("P3"):
        return
    with attempt("P3", "folkmoot", metric):
        hub = open_hub()
        register(hub, *agents)
        before, calls, start = last_seq(hub), 0, time.perf_counter()
        while time.perf_counter() - start < 2 * SECONDS:
            for number in range(STEP):
                hub.presence.update(agents[number % len(agents)], tool_name="Edit", tokens=12)
            calls += STEP
            while calls - (last_seq(hub) - before) > MOST_WAITING:
                time.sleep(0.0005)
        kept = settled(hub) - before
        spent = time.perf_counter() - start
        hub.close()
        figure("P3", "folkmoot", metric, kept / spent, "ops/s", kept_share=round(kept / calls, 4))


def settled(hub) -> int:
    """The newest seq once nothing more is written."""
    seq, quiet_since = last_seq(hub), time.perf_counter()
    while time.perf_counter() - quiet_since < 0.05:
        time.sleep(0.001)
        if (now := last_seq(hub)) != seq:
            seq, quiet_since = now, time.perf_counter()
    return seq


if __name__ == "__main__":
    main()
