"""The command line."""


def main() -> None:
    """Run the ``treadle`` command."""
    raise SystemExit(0)
