"""Finding the earlier messages of a conversation that matter now, by words and by meaning.

`Recall` keeps a thread's messages in Redis where they are found again, within a number of messages
or of tokens; each is a `Recalled`. ``Embedder`` is what makes vectors of text.
"""

from treadle.memory.recall._embedder import Embedder
from treadle.memory.recall._recall import Recall, Recalled

__all__ = ["Embedder", "Recall", "Recalled"]
