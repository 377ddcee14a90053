"""The user's documents: indexed with `index`, found with the tool ``search_documents``.

A project has one collection without a name, and those that its settings name. `index` reads files
and folders and brings a collection up to date, `watch` keeps it so; `build` makes the tool that
answers from all of them; `indexed_files` and `drop` say what is in one and empty it.
"""

from treadle.tools.documents._collection import IndexedFile, drop, indexed_files
from treadle.tools.documents._indexing import IndexReport, index
from treadle.tools.documents._search import build
from treadle.tools.documents._watching import watch

__all__ = ["IndexReport", "IndexedFile", "build", "drop", "index", "indexed_files", "watch"]
