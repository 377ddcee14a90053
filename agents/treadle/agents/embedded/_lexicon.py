"""The words the embedded model knows something about: small, fixed lists."""

STOPWORDS = frozenset(
    """
    a about above actually after again all also am an and any anyone anything are aren around as at
    be been before being below between both but by can cannot could couldn did didn do does doesn
    doing don down during each either else ever every few for from further get gets getting give
    gives go goes got had has have having he hello her here hers herself hey hi him himself his how
    however i if in into is isn it its itself just kindly know let ll may maybe me might more most
    much must my myself need no nor not now of off ok okay on once one only or other our ours out
    over own per please quite rather re really s same shall she should shouldn so some somebody
    someone something such t than thank thanks that the their theirs them themselves then there
    these they this those though through to too under until up upon us ve very via was wasn we well
    were weren what whatever when where whether which while who whom whose why will with within
    without won would wouldn yes yet you your yours yourself
    tell explain describe say says said show find look give define mean means meaning search
    want wondering wonder like many exactly briefly detail details simple simply short question
    """.split()  # noqa: SIM905 - a list of 200 quoted words is not easier to read
)

FOREIGN_STOPWORDS = (
    frozenset(
        """
        der die das und ist sind war waren wie was wer wo wann warum welche welcher welches ein eine
        einen einem im den dem des mit von zu zum zur auf für nicht ich du er sie es wir ihr bitte
        kann man hat haben wird werden über bei nach aus
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        le la les un une des du de et est sont était qui que quoi quel quelle quels quelles quand où
        pourquoi comment en dans pour pas avec sur je tu il elle nous vous qu ce cette au aux se
        a l d
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        el la los las un una uno unos y es son fue qué quién cuál cuáles cuándo dónde por
        cómo del de
        en con para no se su al lo que a me mi
        """.split()  # noqa: SIM905
    ),
    frozenset(
        """
        il lo la gli le i di che chi è sono quando dove perché come un una e del della dei per con
        non si a da in nel qual quale
        """.split()  # noqa: SIM905
    ),
)
"""German, French, Spanish and Italian."""


IRREGULAR = {
    form: base
    for base, *forms in (
        line.split()
        for line in [
            "be been",
            "become became",
            "begin began begun",
            "break broke broken",
            "bring brought",
            "build built",
            "buy bought",
            "catch caught",
            "choose chose chosen",
            "come came",
            "cut cutting",
            "draw drew drawn",
            "drive drove driven",
            "eat ate eaten",
            "fall fell fallen",
            "feel felt",
            "fight fought",
            "fly flew flown",
            "forget forgot forgotten",
            "freeze froze frozen",
            "go went gone",
            "grow grew grown",
            "hold held",
            "keep kept",
            "know knew known",
            "lead led",
            "leave left",
            "lose lost",
            "make made",
            "mean meant",
            "meet met",
            "pay paid",
            "ride rode ridden",
            "rise rose risen",
            "run ran",
            "sell sold",
            "send sent",
            "show shown",
            "shrink shrank shrunk",
            "sing sang sung",
            "sink sank sunk",
            "sleep slept",
            "speak spoke spoken",
            "spend spent",
            "stand stood",
            "steal stole stolen",
            "swim swam",
            "take took taken",
            "teach taught",
            "tell told",
            "think thought",
            "throw threw thrown",
            "understand understood",
            "wear wore worn",
            "win won",
            "write wrote written",
            "child children",
            "person people",
            "man men",
            "woman women",
            "mouse mice",
            "foot feet",
            "tooth teeth",
            "wolf wolves",
            "life lives",
            "index indices indexes",
            "datum data",
        ]
    )
    for form in forms
}
"""Forms that no rule leads back to their base."""


SYNONYM_LINES = (
    "start starts started launch boot begin run",
    "stop stops stopped end terminate shutdown shut halt quit exit",
    "delete remove erase forget drop purge",
    "make create build construct develop design write define",
    "invent create devise patent",
    "found establish create start",
    "write author compose",
    "buy purchase acquire",
    "cost price expense",
    "big large size",
    "tall height high elevation",
    "climb ascend ascent",
    "long length duration",
    "old age",
    "deep depth",
    "heavy weight mass weigh",
    "fast speed quick",
    "born birth",
    "die death dead",
    "install setup installation",
    "config configure setting option",
    "error failure fail exception",
    "persist persistence durable durability survive",
    "save store keep",
    "default defaults",
    "limit maximum max most",
    "least minimum min",
    "allow permit can",
    "support work compatible",
    "require need necessary requirement",
    "license licence",
    "file files document",
    "father parent child son daughter",
    "mother parent child son daughter",
    "wife husband spouse marry",
    "citizen inhabitant resident population people",
    "live inhabit habitat reside",
    "eat diet feed food",
    "cause causes reason because",
    "difference differ unlike whereas",
    "use used usage purpose",
)
"""Words that often stand for one another in a question and its answer, a group a line."""
