"""What a terminal would obey or not show is written out."""

import sys
import unicodedata

import pytest

from treadle.cli._safe import one_line, visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b", r"\x1b"),
        ("\x9b", r"\x9b"),
        ("\r", r"\r"),
        ("\u202e", r"\u202e"),  # reads from right to left from here on
        ("\u061c", r"\u061c"),
        ("\u200b", r"\u200b"),  # these take no place
        ("\u200c", r"\u200c"),
        ("\u200d", r"\u200d"),
        ("\ufeff", r"\ufeff"),
        ("\u00ad", r"\xad"),
        ("\U000e0041", r"\U000e0041"),  # a letter of a language tag
        ("\u2028", r"\u2028"),  # these break the line
        ("\u2029", r"\u2029"),
        ("\x85", r"\x85"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_hides_or_is_obeyed_is_written_out(hidden, shown):
    assert visible(f"pay{hidden}pal") == f"pay{shown}pal"


def test_no_character_of_unicode_is_hidden_and_all_others_stay():
    hiding = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        hides = unicodedata.category(character) in hiding and character not in "\n\t"
        assert (visible(character) != character) is hides, hex(point)


def test_a_line_is_one_line():
    assert one_line("a\nb\u2028c\t d", 40) == r"a b\u2028c d"
    assert one_line("0123456789", 5) == "0123…"
