"""The user's documents: indexed with `index`, found with the tool ``search_documents``.

An index belongs to a project and lives in Redis. `index` reads files and folders and brings the
index up to date; `build` makes the tool that answers from it; `indexed_files` and `drop` say what
is in it and empty it.
"""

from treadle.tools.documents._collection import IndexedFile, drop, indexed_files
from treadle.tools.documents._indexing import IndexReport, index
from treadle.tools.documents._search import build

__all__ = ["IndexReport", "IndexedFile", "build", "drop", "index", "indexed_files"]
