"""Strings that tokenisers get wrong, for the tests of all of them."""

import functools
import sys
import unicodedata

from hypothesis import strategies as st

STRINGS = [
    "",
    " ",
    "   ",
    "\n\n \t\r\n  x  \n",
    "Hello, world!",
    "don't DON'T we'll WE'LL I've they're it's 's ' 'd'm'tt ''' you'RE",
    "  leading and trailing  ",
    "a  b   c    d",
    "tabs\tand\nnewlines\r\nand\x0bvertical\x0cfeeds",
    "nbsp\xa0and\u2003em\u3000ideographic\u200bzero\u2028line\u2029paragraph\u1680ogham\x85next",
    "\x00null \x01control \x1c\x1d\x1e\x1f separators \x7fdelete \x9f",
    "\ufeffbom \ufffdreplacement \u200dzwj \u202eoverride \xadsoft",
    "café naïve Ångström İstanbul ẞtraße ﬁne ①②③ ½ Ⅷ ΑΣ σς ǅ",
    "cafe\u0301 a\u0323\u0302 \u0301alone Z\u0351\u036b\u0343algo",
    "価格は1,234円です。日本語カタカナひらがな 中文字符 한국어 조선",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠀀𠮷 \U0002f800 \U000fffff",
    "emoji 😀😃 👩‍👩‍👧‍👦 🇩🇪 ☕️ ✈ 👍🏽",
    "русский текст ё Ё й العربية مَرْحَبًا עברית हिन्दी தமிழ் ไทย",
    "3.14159 1,000,000 1e-5 0x1F x2y3 ²³ ٣٤ 12345678901234567890",
    "def f(x):\n\treturn x**2  # comment\n",
    "http://example.com/a?b=c&d=e#f user@example.com C++ #tag $5 50% ^ ` ~ |",
    "“quotes” ‘single’ — – … · • † ‡ § ¶ ¿¡",
    "underscore_word __init__ kebab-case CamelCase",
    "x" * 101,
    "ab" * 60 + " tail",
    "aaaaaaaaaaaaaaaaaaaaaaaa!!!!!!!!!!!!!!!!!!!!!!!!        ........",
    "<|endoftext|> <|endoftext|>x [MASK] [CLS][SEP] [mask] [MASK",
]


@functools.cache
def settled_characters():
    """The characters that Unicode 3.2 had (2002) and whose category is still the same: libraries of different age agree on them."""
    old = unicodedata.ucd_3_2_0.category
    return [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if old(character) not in ("Cn", "Cs") and old(character) == unicodedata.category(character)
    ]


def texts():
    """Runs of any settled character, of ASCII, and of the strings above, in any order."""
    pieces = st.one_of(
        st.text(st.sampled_from(settled_characters()), max_size=6),
        st.text(st.sampled_from("aAbz019'’.,!? \t\n\r_-"), max_size=12),
        st.sampled_from(STRINGS),
    )
    return st.lists(pieces, max_size=6).map("".join)


def spread_characters():
    """Settled characters without most of the large blocks of alike ones."""
    alike = [
        (0x3400, 0x4DB5),
        (0x4E00, 0x9FA5),
        (0xAC00, 0xD7A3),
        (0xE000, 0xF8FF),
        (0x20000, 0x2A6D6),
        (0xF0000, 0x10FFFF),
    ]
    inside = [range(first + 20, last - 20) for first, last in alike]
    return [character for character in settled_characters() if not any(ord(character) in block for block in inside)]
