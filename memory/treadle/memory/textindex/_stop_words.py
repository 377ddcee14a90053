"""Words too common to find anything by.

Only words that are nothing else: ``may``, ``will`` and ``can`` are also a month, a name and a tin.
A language that is not here has none; its commonest words then simply weigh very little.
"""

_ENGLISH = """
a about above after again against all also am an and any are as at be because been before being
below between both but by could d did do does doing don down during each few for from further had
has have having he her here hers herself him himself his how i if in into is isn it its itself
just ll m me more most my myself no nor not of off on once only or other our ours ourselves out
over own re s same she should so some such t than that the their theirs them themselves then
there these they this those through to too under until up ve very was wasn we were what when where
which while who whom whose why with would you your yours yourself yourselves
"""

STOP_WORDS = {"english": frozenset(_ENGLISH.split())}
"""The stop words of a language, casefolded."""
