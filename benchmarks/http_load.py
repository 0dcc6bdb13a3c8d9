"""A load of HTTP requests from one process, as light as it can be; for the benchmarks.

Each client keeps one connection open and sends its next request when it has the last
answer. Client and server share this machine's cores: what the client spends, the server
lacks, so the client reads no more of HTTP than it has to.
"""

import asyncio
import json
import statistics
import time


def post(path: str, body: dict) -> bytes:
    """A request, ready for the wire."""
    data = json.dumps(body, ensure_ascii=False).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


async def _answer(reader):
    """Status and body of one response with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)


async def _client(port, requests, number, count, until, most, seen):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    i = number
    try:
        while time.perf_counter() < until and len(seen) < most:
            start = time.perf_counter()
            writer.write(requests[i % len(requests)])
            status, body = await _answer(reader)
            end = time.perf_counter()
            seen.append((i % len(requests), end - start, status, body))
            i += count
    finally:
        writer.close()


def load(
    port: int,
    requests: list[bytes],
    clients: int,
    seconds: float,
    most: float = float("inf"),
) -> list:
    """What came back: (number of the request, seconds, status, body) of each.

    Args:
        requests: taken in turns, each client beginning with another.
        clients: at the same time.
        seconds: after which no client sends another one.
        most: answers after which none does.
    """
    seen = []

    async def run():
        until = time.perf_counter() + seconds
        jobs = (
            _client(port, requests, number, clients, until, most, seen)
            for number in range(clients)
        )
        await asyncio.gather(*jobs)

    asyncio.run(run())
    return seen


def summary(seen: list, seconds: float) -> dict:
    """Requests per second, and the median and 99th percentile in milliseconds."""
    times = sorted(1e3 * took for _, took, _, _ in seen)
    return {
        "requests": len(seen),
        "per_second": len(seen) / seconds,
        "p50_ms": statistics.median(times),
        "p99_ms": times[min(len(times) - 1, int(0.99 * len(times)))],
        "errors": sum(status != 200 for _, _, status, _ in seen),
    }
