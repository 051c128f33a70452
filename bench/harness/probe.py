"""What disk and CPU are like at the moment: taken beside each measurement, since both drift."""

import hashlib
import os
import time

from harness.measure import figure, percentile, scratch

SECONDS = 0.2


def main() -> None:
    """Says both figures."""
    figure("", "probe", "4 KiB overwrite and fdatasync", _disk_us(), "us")
    figure("", "probe", "SHA-256 of 1 MiB", _cpu_us(), "us")


def _disk_us() -> float:
    page = os.urandom(4096)
    file = os.open(scratch() / "probe", os.O_RDWR | os.O_CREAT)
    os.write(file, bytes(64 * 4096))
    os.fsync(file)

    def overwrite(number: int) -> None:
        os.pwrite(file, page, number % 64 * 4096)
        os.fdatasync(file)

    median = _median_us(overwrite)
    os.close(file)
    return median


def _cpu_us() -> float:
    block = os.urandom(1 << 20)
    return _median_us(lambda _: hashlib.sha256(block).digest())


def _median_us(call) -> float:
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        call(len(times))
        times.append((time.perf_counter_ns() - start) / 1e3)
    return percentile(times, 0.5)


if __name__ == "__main__":
    main()
