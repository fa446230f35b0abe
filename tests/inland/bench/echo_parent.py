"""A parent for tests: starts a child, prints its process id, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from inland.bench.child import bench_child


async def main(folder: Path) -> None:
    async with bench_child("tests.inland.bench.echo_child", {}, folder) as (child, _):
        print(child.process.pid, flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
