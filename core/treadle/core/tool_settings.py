"""The settings of the tools, as a project's ``treadle.toml`` has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WikipediaSettings(_Section):
    """Settings of the ``wikipedia`` tool.

    Attributes:
        language: the edition that is asked unless a call names another.
        api_url: the address of another MediaWiki's ``api.php``, used instead of wikipedia.org.
        zim: a ZIM file that is read instead of asking the network.
    """

    language: str = "en"
    api_url: str | None = None
    zim: Path | None = None


class WebSearchSettings(_Section):
    """Settings of the ``web_search`` tool.

    Attributes:
        region: the region of the results, such as ``us-en``; ``wt-wt`` for none.
        searxng_url: a SearXNG server that is asked when the first engine does not answer.
    """

    region: str = "wt-wt"
    searxng_url: str | None = None


CollectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class DocumentSettings(_Section):
    """Settings of the ``search_documents`` tool.

    Attributes:
        collection: the name of the project's index; made of the project's folder when not set.
        collections: further indexes by name, each with a sentence for the model on what it holds.
        vector_store: ``path.py:function``: is called with a collection's name and returns the
            LangChain vector store that keeps and finds its passages; Redis when not set.
        embeddings: ``minilm``, ``fastembed:MODEL`` or ``openai:MODEL``: passages in Redis are then
            found by meaning too; by words alone when not set. A vector store has its own.
    """

    collection: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    collections: Mapping[CollectionName, str] = Field(default_factory=dict)
    vector_store: str | None = Field(default=None, pattern=r"^[^:]+:[^:]+$")
    embeddings: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.vector_store is not None and self.embeddings is not None:
            raise ValueError("'embeddings' are of Redis, and 'vector_store' takes its place")
        return self


class FileSettings(_Section):
    """Settings of ``read_file``, ``write_file`` and ``list_files``.

    Attributes:
        root: the folder they work in; a relative path begins at the project's folder.
    """

    root: Path | None = None


class PythonSettings(_Section):
    """Settings of ``run_python``.

    Attributes:
        sandbox: ``monty``, an interpreter that knows no way outside, or ``bubblewrap``, all of
            CPython in namespaces of its own (Linux). One that is missing is an error.
    """

    sandbox: Literal["monty", "bubblewrap"] = "monty"


class ToolSettings(_Section):
    """Settings of the tools, a table each."""

    wikipedia: WikipediaSettings = WikipediaSettings()
    web_search: WebSearchSettings = WebSearchSettings()
    documents: DocumentSettings = DocumentSettings()
    files: FileSettings = FileSettings()
    run_python: PythonSettings = PythonSettings()
