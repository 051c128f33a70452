"""Many threads change one value, and no change is lost."""

from concurrent.futures import ThreadPoolExecutor

from folkmoot import ConflictError, Hub

with Hub.open(":memory:", durability="normal") as hub:
    hub.memory.set(
        "tally", {"lines": 0}, expected_version=0
    )  # 0: it must not be there yet
    try:
        hub.memory.set("tally", {"lines": 1}, expected_version=0)
    except ConflictError as error:
        print(f"refused: {error.details['current_version']=}")

    def count(lines: int) -> None:
        """Reads, changes and sets; tried again when another was quicker."""
        hub.memory.update("tally", lambda tally: {"lines": tally["lines"] + lines})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(1, 101)))
    tally = hub.memory.get("tally")
    print(f"{tally.value['lines']} lines after {tally.version} versions")

    hub.memory.increment("visits")
    print(f"visits = {hub.memory.get('visits').value}")
