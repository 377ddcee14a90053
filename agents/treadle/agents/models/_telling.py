"""Telling LangChain's handlers of an answer's pieces while it is received as a whole."""

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk


class _Telling:
    """What is told of an answer: what LangChain tells of one that it puts together itself.

    Attributes:
        has_told: whether anything was told.
    """

    def __init__(self, run_id: object) -> None:
        # LangChain's prefix: whoever is told of the pieces knows the whole by it.
        self._id = f"lc_run--{run_id}"
        self.has_told = False
        self._is_over = False

    def named(self, message: AIMessage) -> AIMessage:
        """Return the whole answer, under the id of its pieces."""
        message.id = message.id or self._id
        return message

    def _shaped(self, piece: ChatGenerationChunk) -> ChatGenerationChunk:
        message = piece.message
        message.id = message.id or self._id
        message.response_metadata = {**(piece.generation_info or {}), **message.response_metadata}
        self.has_told = True
        self._is_over = getattr(message, "chunk_position", None) == "last"
        return piece

    def _ends(self) -> list[ChatGenerationChunk]:
        """Return the empty piece that says that there are no more, where none has said so."""
        if self._is_over or not self.has_told:
            return []
        last = AIMessageChunk(content="", chunk_position="last", id=self._id)
        return [ChatGenerationChunk(message=last)]


class Telling(_Telling):
    """Tells the handlers of a plain call.

    Args:
        manager: the handlers.
    """

    def __init__(self, manager: CallbackManagerForLLMRun) -> None:
        super().__init__(manager.run_id)
        self._manager = manager

    def tell(self, piece: ChatGenerationChunk) -> None:
        """Tell of the next piece."""
        self._manager.on_llm_new_token(piece.text, chunk=self._shaped(piece))

    def end(self) -> None:
        """Tell that there are no more."""
        for piece in self._ends():
            self.tell(piece)


class AsyncTelling(_Telling):
    """Tells the handlers of a call that is awaited.

    Args:
        manager: the handlers.
    """

    def __init__(self, manager: AsyncCallbackManagerForLLMRun) -> None:
        super().__init__(manager.run_id)
        self._manager = manager

    async def tell(self, piece: ChatGenerationChunk) -> None:
        """Tell of the next piece."""
        await self._manager.on_llm_new_token(piece.text, chunk=self._shaped(piece))

    async def end(self) -> None:
        """Tell that there are no more."""
        for piece in self._ends():
            await self.tell(piece)
