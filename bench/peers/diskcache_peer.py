"""diskcache: a key-value cache on SQLite that several processes may share."""

import diskcache

from harness.measure import TEXT, cost, rate, scratch


def main() -> None:
    cache = diskcache.Cache(str(scratch()))
    cache.set("k", TEXT)
    cost("P5", "diskcache", "get", lambda: cache.get("k"))
    rate("P2", "diskcache", "set", lambda number: cache.set(f"k{number % 1000}", TEXT), durability="NORMAL")
    cache.close()


if __name__ == "__main__":
    main()
