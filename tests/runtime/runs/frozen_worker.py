"""A process that asks one question and tells how that ended."""

import asyncio
import json
import sys

from treadle.agents import Agent
from treadle.core.settings import Settings
from treadle.runtime import Runtime


async def main() -> None:
    command = json.loads(sys.argv[1])
    settings = Settings.model_validate(command["settings"])
    async with Runtime.open(command["redis"], command["project"], settings=settings) as runtime:
        agent = Agent.model_validate(command["agent"])
        try:
            ended = (await runtime.ask(agent, "Do it.", thread="t")).text
        except Exception as error:
            ended = type(error).__name__
    sys.stdout.write(ended)


if __name__ == "__main__":
    asyncio.run(main())
