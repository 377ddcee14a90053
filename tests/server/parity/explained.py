"""Where Treadle answers otherwise than ``langgraph dev``, and why.

Each entry is a row of ``docs/compatibility.md``. The patterns match the places of recorded answers
at which the two differ; entries without any are of what no recorded answer shows.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Explained:
    """A difference: what it is of, what stands there, what stands here, and why."""

    what: str
    theirs: str
    ours: str
    why: str
    places: tuple[str, ...] = ()

    def row(self) -> str:
        """Return it as a row of a table."""
        return f"| {self.what} | {self.theirs} | {self.ours} | {self.why} |"

    def covers(self, place: str) -> bool:
        """Return whether it explains a difference at a place."""
        return any(re.fullmatch(pattern, place) for pattern in self.places)


STREAM = r"(runs|threads)\.(join_)?stream[^\[]*"
STATE = r"(threads\.(get_state|get_history|create supersteps)[^.\[]*(\[\d+\])?)"
THREAD = r"threads\.(get(?!_)|create(?! supersteps)|update(?!_)|search)[^.\[]*(\[\d+\])?"
RUN = r"runs\.(list|create|get)[^.\[]*(\[\d+\])*"
TOLD = rf"{STREAM}(\[\d+\])+(\.payload|\.answer)?"

EXPLAINED = (
    Explained(
        "ids",
        "UUIDs only, otherwise 422",
        "any text up to 200 characters, without `/`",
        "conversations have names",
        (r"threads\.create by a name",),
    ),
    Explained(
        "a run's id",
        "a UUID with dashes",
        "32 hexadecimal digits, a UUID without them",
        "it is the id of the journal, in every protocol",
        (r".*\.run_id",),
    ),
    Explained(
        "an assistant's id",
        "its UUID",
        "or the agent's name",
        "a client need not search first",
    ),
    Explained(
        "deleting an agent's assistant",
        "removes it",
        "403",
        "the project decides",
        (r"assistants\.delete an agent's",),
    ),
    Explained(
        "an unknown assistant of a run",
        "422",
        "404",
        "as every other unknown name",
        (r"runs\.wait of no assistant\.refused with",),
    ),
    Explained(
        "an unknown checkpoint of a thread",
        "an empty state",
        "404",
        "a wrong id is no empty thread",
        (r"threads\.get_state at no checkpoint.*",),
    ),
    Explained(
        "`interrupts` and `error` of a new thread",
        "left out",
        "`{}` and `null`",
        "the client's types promise them",
        (rf"{THREAD}\.(interrupts|error)",),
    ),
    Explained(
        "`config` of a thread",
        "that of its latest run",
        "empty",
        "it may hold what the caller of that run alone should see",
        (rf"{THREAD}\.config\..*",),
    ),
    Explained(
        "metadata of a thread",
        "that of its first run as well",
        "the thread's own",
        "a thread's metadata is what it is searched by",
        (rf"{THREAD}\.metadata\.mine",),
    ),
    Explained(
        "values and status of a copied thread",
        "none, `idle`",
        "those of its state",
        "it has that state",
        (r"threads\.copy described\[0\]\.values",),
    ),
    Explained(
        "metadata of checkpoints, of runs and of what is streamed",
        "the server's version, plan and user, and that of thread and assistant",
        "the run's own metadata, `assistant_id` and `graph_id`",
        "it is written again with every checkpoint; the rest is known of the thread and the server",
        (
            rf"({STATE}|{TOLD})(\.metadata)?\.(langgraph_\w+|user_id|run_attempt|thread_id|graph_id)",
            rf"({STATE}|{TOLD})(\.metadata)?\.(kind|of|mine|created_by|lc_versions\..*)",
            rf"{RUN}\.metadata\.(assistant_id|graph_id|kind|of|mine)",
            rf"{TOLD}\.(parent_)?config\.configurable\..*",
        ),
    ),
    Explained(
        "a run's `kwargs` and `langsmith_session_name`",
        "what the server keeps of the request",
        "left out",
        "they hold the whole input again; the client's types do not know them",
        (rf"{RUN}\.(kwargs|langsmith_session_name)",),
    ),
    Explained(
        "status of a run that waits for a person",
        "`success`",
        "`interrupted`",
        "it is not at its end",
        (rf"{RUN}\.status",),
    ),
    Explained(
        "a run that is resumed",
        "is a new run",
        "is the same run, in its next attempt",
        "what it did is not done again",
        (r"runs\.stream resumed\[0\]\[1\]\.attempt",),
    ),
    Explained(
        "the first event of a stream",
        "the run's id",
        "its thread's as well",
        "a run without a thread can be joined",
        (rf"{STREAM}\[0\]\[1\]\.thread_id",),
    ),
    Explained(
        "the last event of a stream",
        "none",
        "`end`",
        "an end is told from a line that was cut",
        (rf"{STREAM}\[\d+\]",),
    ),
    Explained(
        "a graph that failed",
        "the exception's name and text",
        "`RunError`, and a sentence that names the agent and the exception",
        "it is what the run's record says",
        (rf"(runs\.wait|{STREAM}).*\.(error|message)",),
    ),
    Explained(
        "messages in `threads.stream`",
        "asked of the model in blocks of LangChain's output version 1, defaults left out",
        "as the graph wrote them, and in blocks only while they grow",
        "a graph keeps the same, whoever looks on",
        (
            r"threads\.stream\[\d+\](\[2\])?\.messages\[\d+\]\..*",
            r"threads\.stream\[\d+\]\[2\]\.(id|metadata)",
        ),
    ),
    Explained(
        "`input.requested`",
        "`payload`",
        "`value` as well",
        "LangGraph's client for Python reads that",
        (r"threads\.stream that asks\[\d+\]\[1\]\.value",),
    ),
    Explained(
        "a stream of a thread's events that starts without a number",
        "with the thread's first run",
        "with the run at work, or else the last",
        "a conversation may be long",
    ),
    Explained(
        "a person's messages",
        "as sent",
        "with `said_at` in `additional_kwargs`",
        "recall knows when it was said",
        (r".*\.additional_kwargs\.said_at",),
    ),
    Explained(
        "subgraphs of a checkpoint in `debug`",
        "`checkpoint` of a task",
        "`state`, its config",
        "as LangGraph itself",
        (rf"{STREAM}(\[\d+\])+\.payload\.tasks\[\d+\]\.(checkpoint|state)",),
    ),
    Explained(
        "`command` with `goto`",
        "does not go there",
        "goes there",
        "as LangGraph itself",
        (r"runs\.wait with command\.update and goto\..*",),
    ),
    Explained(
        "`multitask_strategy` `reject` beside a run that begins later",
        "refused",
        "accepted",
        "the thread is not busy until then",
        (r"runs\.create beside one that begins later",),
    ),
    Explained(
        "history before a checkpoint",
        "500",
        "the checkpoints",
        "the client offers it",
        (r"threads\.get_history limit and before",),
    ),
    Explained(
        "`checkpoint_ns` of a state read by `checkpoint_id`",
        "left out",
        "`''`",
        "as in every other state",
        (r"threads\.get_state by checkpoint_id\.checkpoint\.checkpoint_ns",),
    ),
    Explained(
        "pruning with `keep_latest`",
        "422",
        "keeps the latest checkpoint",
        "the client offers it",
        (r"threads\.prune",),
    ),
    Explained(
        "title of a subgraph's state schema",
        "`LangGraphState`",
        "`LangGraph_state`",
        "as LangGraph itself names it",
        (r"assistants\.get_subgraphs\..*\.title",),
    ),
    Explained(
        "an empty namespace in the store, a wrong `limit` of runs",
        "400",
        "422",
        "as every other wrong value",
        (r"store\.put_item nowhere\.refused with", r"runs\.list, a wrong limit"),
    ),
    Explained(
        "a cron without a schedule",
        "500",
        "422",
        "as every other wrong body",
        (r"crons\.create, no schedule",),
    ),
    Explained(
        "an odd `on_disconnect` of a run that nobody waits for",
        "accepted",
        "422",
        "as every other odd value",
        (r"runs\.create, an odd on_disconnect",),
    ),
    Explained(
        "joining an unknown run",
        "200, with an error in the answer",
        "404",
        "as every other unknown id",
        (r"runs\.join unknown\..*", r"runs\.join_stream, an odd id"),
    ),
    Explained(
        "copying an unknown thread",
        "409",
        "404",
        "as every other unknown id",
        (r"threads\.copy unknown\.refused with",),
    ),
    Explained(
        "cancelling a run that is at its end",
        "404",
        "409",
        "there is such a run",
        (r"runs\.cancel at its end\.refused with",),
    ),
    Explained(
        "resuming where nothing waits",
        "a run that fails with a `TypeError`",
        "409",
        "no run could do anything with the answer",
        (r"runs\.wait with nothing to resume\..*",),
    ),
    Explained(
        "threads by their values",
        "500 as soon as a thread has none",
        "the threads that have them",
        "a thread without values has not those",
        (r"threads\.search by a value",),
    ),
    Explained(
        "where a run without a thread is",
        "under `/runs`",
        "under its own thread",
        "it can be followed there like any other",
        (r"runs\.(create|stream), its headers without a thread\.(content-)?location",),
    ),
    Explained(
        "joining a stream without an event's id",
        "what comes from then on",
        "all of it",
        "nothing is missed",
    ),
    Explained(
        "a node in `interrupt_before`, `interrupt_after` that there is not",
        "passed over",
        "422",
        "as with `goto`",
    ),
    Explained(
        "`delete_threads` with an assistant",
        "removes its threads",
        "422",
        "`threads.prune` removes what it is told",
    ),
    Explained(
        "`lifecycle`, `state_update` of a thread's stream",
        "all that runs stream",
        "what their names say",
        "the client's description says so",
    ),
    Explained(
        "resuming streams",
        "where `stream_resumable` was said",
        "always",
        "a line can be cut anywhere",
    ),
    Explained(
        "`durability`",
        "as asked for",
        "`exit` keeps what `async` does",
        "a run whose worker died is taken up again",
    ),
    Explained(
        "a run that was rolled back",
        "is gone",
        "stays, as `interrupted`",
        "it was paid for",
        (r"runs\.create that rolls another back\[1\]",),
    ),
    Explained(
        "`schedule` of a cron",
        "also with seconds",
        "minutes are the finest",
        "a caller's rate is limited",
        (r"crons\.create with seconds",),
    ),
    Explained(
        "a cron that is over before it begins",
        "is created",
        "422",
        "it would never fire",
        (r"crons\.create over before it begins",),
    ),
    Explained(
        "an assistant that changed since",
        "runs of its crons follow",
        "as it was when the cron was created or last changed",
        "what runs unattended changes when somebody changes it",
    ),
    Explained(
        "body of a `webhook`",
        "the run with its `values`",
        "the run, and its answer in `data`",
        "a state may be large, and hold what nobody meant to send",
    ),
    Explained(
        "`feedback_keys`",
        "addresses at LangSmith",
        "addresses at this server",
        "it is kept with the run",
    ),
)
