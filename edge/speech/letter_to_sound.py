"""English letters to ARPAbet phones by rule, for the words that no dictionary has.

A rule reads: between *left* and *right*, *letters* sound as *phones*. The first rule that matches
at a position wins and its letters are consumed, as in the text-to-sound rules of Elovitz et al.
(NRL Report 7948, 1976). Good for names such as "kowalski"; an agent's file can say it better.
"""

from __future__ import annotations

import re
from collections import defaultdict

_V = "[aeiouy]"
_C = "[bcdfghjklmnpqrstvwxz]"

# (left context, letters, right context, phones); the contexts are regular expressions. No rule
# repeats inside a repetition, and words are short, so matching cannot blow up.
_RULES: tuple[tuple[str, str, str, str], ...] = (
    # a
    ("^", "aa", "", "AA"),
    ("", "air", "", "EH R"),
    ("", "ai", "", "EY"),
    ("", "ay", "", "EY"),
    ("", "augh", "", "AO"),
    ("", "au", "", "AO"),
    ("", "aw", "", "AO"),
    ("", "ae", "", "IY"),
    ("", "aa", "", "AA"),
    ("", "ar", f"(?!{_V}|r)", "AA R"),
    ("", "are", "$", "EH R"),
    ("w", "ar", "", "AO R"),
    ("", "ar", "r", "EH"),
    ("", "all", "$", "AO L"),
    ("", "alk", "", "AO K"),
    ("", "able", "$", "AH B AH L"),
    (_V + ".*", "al", "$", "AH L"),
    (_V + ".*", "an", "$", "AH N"),
    (_V + ".*", "ant", "$", "AH N T"),
    (_V + ".*", "ance", "$", "AH N S"),
    (_V + ".*", "age", "$", "IH JH"),
    ("", "ation", "", "EY SH AH N"),
    ("^.+", "a", "$", "AH"),
    ("", "a", f"{_C}es?$", "EY"),
    ("", "a", f"{_C}es$", "EY"),
    ("", "a", f"{_C}ing$", "EY"),
    ("", "a", f"{_C}i[aou]", "EY"),
    ("", "a", "sk|nd$|nt", "AE"),
    ("^[^aeiouy]*", "a", f"{_C}[aio]", "AA"),
    (_V + ".*", "a", f"{_C}[aeio]", "AH"),
    ("", "a", "", "AE"),
    # b
    ("", "bb", "", "B"),
    ("m", "b", "$", ""),
    ("", "b", "", "B"),
    # c
    ("", "ch", "r|l|n", "K"),
    ("s", "ch", "", "K"),
    ("", "ch", "", "CH"),
    ("", "ck", "", "K"),
    ("", "cc", "[eiy]", "K S"),
    ("", "cc", "", "K"),
    ("", "cz", "", "CH"),
    ("", "ci", "a|o", "SH"),
    ("s", "c", "[eiy]", ""),
    ("", "c", "[eiy]", "S"),
    ("", "c", "", "K"),
    # d
    ("", "dge", "", "JH"),
    ("", "dg", "[eiy]", "JH"),
    ("", "dd", "", "D"),
    ("", "dt", "$", "T"),
    ("", "d", "", "D"),
    # e
    ("", "eau", "", "OW"),
    ("", "eigh", "", "EY"),
    ("", "eer", "", "IH R"),
    ("", "ear", _C, "ER"),
    ("", "ear", "", "IH R"),
    ("", "ee", "", "IY"),
    ("", "ead", "", "EH D"),
    ("", "eath", "", "EH TH"),
    ("", "ea", "", "IY"),
    ("", "ew", "", "UW"),
    ("", "ein", "", "AY N"),
    ("", "ei", "", "IY"),
    ("", "eu", "", "Y UW"),
    ("", "ey", "$", "IY"),
    ("", "ey", "", "EY"),
    ("", "er", f"(?!{_V}|r)", "ER"),
    ("^.*" + _V + ".*", "er", _V, "ER"),
    ("", "er", "r", "EH"),
    ("[sxz]|ch|sh|c|g", "es", "$", "IH Z"),
    (_V + "[^aeiouy]*", "es", "$", "Z"),
    ("[td]", "ed", "$", "IH D"),
    (_V + ".*[pkfsx]|" + _V + ".*[cs]h", "ed", "$", "T"),
    (_V + ".*", "ed", "$", "D"),
    (_V + ".*", "el", "$", "AH L"),
    (_V + ".*", "en", "$", "AH N"),
    (_V + ".*", "ent", "$", "AH N T"),
    (_V + ".*", "ence", "$", "AH N S"),
    ("^[^aeiouy]*", "e", "$", "IY"),
    ("", "e", "$", ""),
    ("", "e", f"{_C}es?$", "IY"),
    ("", "e", "ly$|ment|less$|ful$", ""),
    (_V + ".*", "e", f"{_C}{_V}", "AH"),
    ("^(?:b|d|r|pr)", "e", f"{_C}{_V}", "IH"),
    ("^[^aeiouy]*", "e", "[lnrtv][aeio]", "EH"),
    ("", "e", f"{_C}[aio]", "IY"),
    ("", "e", "", "EH"),
    # f
    ("", "ff", "", "F"),
    ("", "f", "", "F"),
    # g
    ("^", "gh", "", "G"),
    ("", "gh", "", ""),
    ("^", "gn", "", "N"),
    ("", "gn", "$", "N"),
    ("", "gg", "", "G"),
    ("", "gu", "[ei]", "G"),
    ("", "ge", "o|a", "JH"),
    ("n", "g", "er$|ing", "G"),
    ("^", "g", "e[rt]|i[lv]|i$", "G"),
    ("", "g", "[eiy]", "JH"),
    ("", "g", "", "G"),
    # h
    ("^", "h", "", "HH"),
    (_V, "h", f"(?!{_V})", ""),
    ("", "h", _V, "HH"),
    ("", "h", "", ""),
    # i
    ("", "igh", "", "AY"),
    ("", "ign", "$", "AY N"),
    ("", "ier", "$", "IY ER"),
    ("", "iew", "", "Y UW"),
    ("", "ied", "$", "IY D"),
    ("", "ies", "$", "IY Z"),
    ("", "ie", "$", "IY"),
    ("", "ie", _C, "IY"),
    ("", "ir", f"(?!{_V}|r)", "ER"),
    ("", "ism", "$", "IH Z AH M"),
    ("", "ild", "$", "AY L D"),
    ("", "ind", "$", "AY N D"),
    ("", "ine", "$", "AY N"),
    ("", "ique", "$", "IY K"),
    ("", "ize", "$", "AY Z"),
    ("^[^aeiouy]*", "i", f"{_C}es?$", "AY"),
    ("^[^aeiouy]*", "i", f"{_C}er$", "AY"),
    ("", "i", f"{_C}es?$", "AY"),
    ("^[^aeiouy]*", "i", "$", "AY"),
    ("", "i", "$", "IY"),
    ("", "i", "[ao]", "IY"),
    ("", "i", "", "IH"),
    # j
    ("", "j", "", "JH"),
    # k
    ("^", "kn", "", "N"),
    ("", "kk", "", "K"),
    ("", "kh", "", "K"),
    ("", "k", "", "K"),
    # l
    (_C, "le", "$", "AH L"),
    (_C, "les", "$", "AH L Z"),
    ("", "ll", "", "L"),
    ("", "l", "", "L"),
    # m
    ("^", "mc", "k", "M AH"),
    ("^", "mc", "", "M AH K"),
    ("", "mm", "", "M"),
    ("", "m", "", "M"),
    # n
    ("", "nn", "", "N"),
    ("", "ng", "$", "NG"),
    ("", "ng", "s$|t|h", "NG"),
    ("", "ng", "[aou]|l|r", "NG G"),
    ("", "n", "k|c[^eiyh]|x", "NG"),
    ("", "n", "", "N"),
    # o
    ("", "ought", "", "AO T"),
    ("", "ough", "", "AH F"),
    ("", "oor", "", "AO R"),
    ("", "oo", "k", "UH"),
    ("", "oo", "d$", "UH"),
    ("", "oo", "", "UW"),
    ("", "oa", "", "OW"),
    ("", "oi", "", "OY"),
    ("", "oy", "", "OY"),
    ("", "our", "", "AO R"),
    ("", "ous", "$", "AH S"),
    ("", "ould", "", "UH D"),
    ("", "ou", "", "AW"),
    ("", "o", "wa", "AA"),
    ("", "ow", f"$|{_V}", "OW"),
    ("", "ow", "[nl]|d", "AW"),
    ("", "ow", "", "OW"),
    ("", "oe", "$", "OW"),
    ("", "or", f"(?!{_V})", "AO R"),
    (_V + ".*", "or", "$", "ER"),
    (_V + ".*", "on", "$", "AH N"),
    (_V + ".*[bdgkmnt]", "om", "$", "AH M"),
    ("", "old", "", "OW L D"),
    ("", "oll", "$", "OW L"),
    ("^[^aeiouy]*", "o", "$", "OW"),
    ("", "o", "$", "OW"),
    ("", "o", f"{_C}es?$", "OW"),
    ("", "o", f"{_C}[aiou]", "OW"),
    ("", "o", "s[tk]|lk", "OW"),
    ("", "o", "", "AA"),
    # p
    ("", "ph", "", "F"),
    ("^", "ps", "", "S"),
    ("^", "pn", "", "N"),
    ("", "pp", "", "P"),
    ("", "p", "", "P"),
    # q
    ("", "que", "$", "K"),
    ("", "qu", "", "K W"),
    ("", "q", "", "K"),
    # r
    ("^", "rh", "", "R"),
    ("", "rr", "", "R"),
    ("", "r", "", "R"),
    # s
    ("", "sch", "[wmln]|[aeiou]", "SH"),
    ("", "sh", "", "SH"),
    ("", "ssion", "", "SH AH N"),
    (_V, "sion", "", "ZH AH N"),
    ("", "sion", "", "SH AH N"),
    ("", "ss", "", "S"),
    ("", "sz", "", "SH"),
    ("[bdglmnrvw]|" + "[ao]y|ee|ie", "s", "$", "Z"),
    (_V, "s", "e$|es$|ing$", "Z"),
    ("", "s", "", "S"),
    # t
    ("", "tch", "", "CH"),
    ("", "tion", "", "SH AH N"),
    ("", "tia", "", "SH AH"),
    ("", "ture", "$", "CH ER"),
    ("", "th", "e[rn]", "DH"),
    ("", "th", "", "TH"),
    ("", "tt", "", "T"),
    ("", "tz", "", "T S"),
    ("", "t", "", "T"),
    # u
    ("", "ur", f"(?!{_V}|r)", "ER"),
    ("", "uy", "", "AY"),
    ("", "ui", "", "UW"),
    ("", "ue", "$", "UW"),
    ("^[^aeiouy]*[bcfmph]", "u", f"{_C}es?$", "Y UW"),
    ("", "u", f"{_C}es?$", "UW"),
    ("^", "u", "n[^i]|[mp]", "AH"),
    ("^", "u", f"{_C}{_V}", "Y UW"),
    ("", "u", f"{_C}[aio]", "UW"),
    ("", "u", f"$|{_V}", "UW"),
    ("", "us", "$", "AH S"),
    ("", "u", "", "AH"),
    # v
    ("", "v", "", "V"),
    # w
    ("^", "wr", "", "R"),
    ("^", "who", "", "HH UW"),
    ("", "wh", "", "W"),
    ("", "w", _V, "W"),
    ("sk|ck|l", "w", "", "W"),
    ("", "w", "", ""),
    # x
    ("^", "x", "", "Z"),
    ("", "x", "", "K S"),
    # y
    ("^", "y", "", "Y"),
    ("^[^aeiouy]*", "y", "$", "AY"),
    ("", "y", "$", "IY"),
    (_V, "y", "", "Y"),
    ("", "y", f"{_C}es?$", "AY"),
    ("", "y", "", "IH"),
    # z
    ("", "zz", "", "Z"),
    ("^", "zh", "", "ZH"),
    ("", "z", "", "Z"),
)

_Rule = tuple[re.Pattern[str], str, re.Pattern[str], tuple[str, ...]]


def _compile() -> dict[str, list[_Rule]]:
    by_letter: dict[str, list[_Rule]] = defaultdict(list)
    for left, letters, right, phones in _RULES:
        rule = (re.compile(f"(?:{left})$"), letters, re.compile(right), tuple(phones.split()))
        by_letter[letters[0]].append(rule)
    return dict(by_letter)


_BY_LETTER = _compile()


def spell_out(word: str) -> list[str]:
    """The phones of ``word``: lower-case ASCII letters only, at most 64 of them."""
    phones: list[str] = []
    position = 0
    while position < len(word):
        before = word[:position]
        for left, letters, right, sounds in _BY_LETTER.get(word[position], ()):
            end = position + len(letters)
            if (
                word.startswith(letters, position)
                and right.match(word, end)
                and left.search(before)
            ):
                phones.extend(sounds)
                position = end
                break
        else:
            position += 1
    return phones
