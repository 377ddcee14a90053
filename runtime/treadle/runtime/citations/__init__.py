"""Citations: what an answer rests on, and marks where nothing bears it out.

Links, quotations and numbers of an answer are compared with the texts that tools returned; each
sentence that cites a source is pointed to the part of the tool's result that it rests on.
"""

from treadle.runtime.citations._check import Checked, check, cite
from treadle.runtime.citations._evidence import Evidence, ToolText, sources_of

__all__ = ["Checked", "Evidence", "ToolText", "check", "cite", "sources_of"]
