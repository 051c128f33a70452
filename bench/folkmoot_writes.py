"""P2 and P6: one durable write at a time, and compare-and-set."""

from harness.hub import FULL, NORMAL, open_hub
from harness.measure import BODY, cost, rate


def main() -> None:
    for durability, label in (("normal", NORMAL), ("full", FULL)):
        hub = open_hub(durability=durability)
        rate("P2", "folkmoot", "memory.set", lambda n, h=hub: h.memory.set(f"k/{n % 1000}", BODY), **label)
        publish = lambda _, h=hub: h.events.publish(event_type="bench", source_agent="a", payload=BODY)
        rate("P2", "folkmoot", "event.publish", publish, **label)
        compare_and_set(hub, label)
        hub.close()


def compare_and_set(hub, label) -> None:
    hub.memory.set("counter", BODY)
    version = 1

    def step() -> None:
        nonlocal version
        hub.memory.set("counter", BODY, expected_version=version)
        version += 1

    cost("P6", "folkmoot", "memory.set with expected_version", step, **label)


if __name__ == "__main__":
    main()
