#!/bin/sh
# What `make run` shows: documents indexed, a question answered from them with sources, and a
# follow-up on the same thread that only the memory can answer.
set -eu

thread="first-run-$(date +%s)-$$"

say() { printf '\n\033[1;36m%s\033[0m\n' "$1"; }

say "treadle index $DOCS"
treadle index "$DOCS"

say "treadle ask --thread $thread"
treadle ask --thread "$thread" -- "$Q"

say "treadle ask --thread $thread     (the same thread: only its memory knows)"
treadle ask --thread "$thread" -- "$AGAIN"

if [ -z "${TREADLE_MODEL:-}" ]; then
    cat <<'END'

These answers came from the embedded model: it quotes what it finds, needs no key and no network,
and is no LLM. For a real one, set its key and its name, and run this again:

    export OPENAI_API_KEY=...
    export TREADLE_MODEL=openai:gpt-5-mini          # any OpenAI model, or provider:model
    export OPENAI_BASE_URL=http://localhost:11434/v1 # only for a server of your own

Next: .venv/bin/treadle chat    .venv/bin/treadle new my-agent    .venv/bin/treadle doctor
END
fi
