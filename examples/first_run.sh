#!/bin/sh
# What `make run` shows: documents indexed, a question answered from them with sources, and, where
# one is given, a follow-up on the same thread that only the memory can answer.
#
# The folder of the documents is the project, so that nothing else is found in its index.
set -eu

thread="first-run-$(date +%s)-$$"

say() { printf '\n\033[1;36m%s\033[0m\n' "$1"; }

if [ -d "$DOCS" ]; then project=$DOCS; else project=$(dirname "$DOCS"); fi

say "treadle index --project $project $DOCS"
treadle index --project "$project" "$DOCS"

say "treadle ask --project $project --thread $thread"
treadle ask --project "$project" --thread "$thread" -- "$Q"

if [ -n "$AGAIN" ]; then
    say "treadle ask --project $project --thread $thread     (the same thread: only its memory knows)"
    treadle ask --project "$project" --thread "$thread" -- "$AGAIN"
fi

if [ -z "${TREADLE_MODEL:-}" ]; then
    cat <<'END'

These answers came from the embedded model: it quotes what it finds, needs no key and no network,
and is no LLM. For a real one, set its key and its name, and run this again:

    export OPENAI_API_KEY=...
    export TREADLE_MODEL=openai:gpt-5-mini          # any OpenAI model, or provider:model
    export OPENAI_BASE_URL=http://localhost:11434/v1 # only for a server of your own

Next: .venv/bin/treadle chat --project FOLDER    .venv/bin/treadle new my-agent
END
fi
