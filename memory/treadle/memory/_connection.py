"""The connection of a saver or a store, shared by the copies that LangGraph makes of a saver."""

from contextlib import AsyncExitStack, ExitStack
from typing import Self

from treadle.core.errors import InputError
from treadle.memory._connect import connect, connect_sync
from treadle.memory._drivers import AsyncClient, Driver, SyncClient, driver_of


class Connection:
    """A client that somebody else owns, or a URL that is connected to while it is open."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._driver: Driver | None = None
        self._opens = False
        self._url: str | None = None
        self._closing = ExitStack()
        self._aclosing = AsyncExitStack()

    @classmethod
    def over(cls, client: SyncClient | AsyncClient, owner: str) -> Self:
        """Return a connection over a client, which it never closes.

        Args:
            client: the client.
            owner: the name of the class it works for, as messages call it.

        Raises:
            InputError: it is not a redis-py client.
        """
        connection = cls(owner)
        connection._driver = driver_of(client, owner)
        return connection

    @classmethod
    def to(cls, url: str | None, owner: str) -> Self:
        """Return a connection that is made when it is opened."""
        connection = cls(owner)
        connection._opens, connection._url = True, url
        return connection

    @property
    def driver(self) -> Driver:
        """What runs operations.

        Raises:
            InputError: the connection is not open.
        """
        if self._driver is None:
            raise InputError(
                f"This {self._owner} is not connected.",
                hint="Use it inside 'with' or 'async with'.",
            )
        return self._driver

    def open(self) -> None:
        """Connect for synchronous use."""
        if self._opens:
            client = self._closing.enter_context(connect_sync(self._url))
            self._driver = driver_of(client, self._owner)

    def close(self) -> None:
        """Undo `open`."""
        if self._opens:
            self._driver = None
            self._closing.close()

    async def aopen(self) -> None:
        """Connect for asynchronous use."""
        if self._opens:
            client = await self._aclosing.enter_async_context(connect(self._url))
            self._driver = driver_of(client, self._owner)

    async def aclose(self) -> None:
        """Undo `aopen`."""
        if self._opens:
            self._driver = None
            await self._aclosing.aclose()
