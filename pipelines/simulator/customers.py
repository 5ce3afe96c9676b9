"""Who calls: a crowd of customers, many of whom call again, with numbers that can belong to nobody.

Every number is from a range that is set aside for fiction, or has a prefix that no operator holds.
"""

from __future__ import annotations

import random

_US_AREAS = ("212", "312", "415", "206", "617", "305", "404", "503", "702", "713", "303", "619", "918", "804", "207")
_UK_AREAS = ("2079460", "1214960", "1614960", "1134960", "1414960", "7700900")
_FR_AREAS = ("19900", "26191", "35301", "46571", "53649", "63998")
_CROWD = 1_500
_REGULARS = 1.6  # the higher, the more calls come from the same few customers
_HIDDEN = 0.015
_ODD = 0.015


def _american(who: int) -> str:
    return f"+1{_US_AREAS[who % len(_US_AREAS)]}55501{who // len(_US_AREAS) % 100:02d}"


def _british(who: int) -> str:
    return f"+44{_UK_AREAS[who % len(_UK_AREAS)]}{who // len(_UK_AREAS) % 1000:03d}"


def _spanish(who: int) -> str:
    return f"+34555{who:06d}"  # Spanish numbers begin with 6 to 9


def _french(who: int) -> str:
    return f"+33{_FR_AREAS[who % len(_FR_AREAS)]}{who // len(_FR_AREAS):04d}"


def _emirati(who: int) -> str:
    return f"+97157{who:07d}"  # no operator holds 057


# Where the customers who speak a language live; each customer has one home.
_HOMES = {
    "en": (_american, _american, _american, _british),
    "es": (_spanish, _spanish, _american),
    "fr": (_french,),
    "ar": (_emirati, _emirati, _british),
}


def customer_number(rng: random.Random, language: str, *, hides: bool) -> str | None:
    """The number a call is from or to.

    Args:
        rng: The call's stream.
        language: What the customer speaks: en, es, fr or ar.
        hides: Whether the number may be withheld, as an inbound caller's may.

    Returns:
        Mostly a number in E.164; now and then one in local format, with 00, or a SIP address; a hidden one is
        `anonymous` or None.
    """
    if hides and rng.random() < _HIDDEN:
        return rng.choice(("anonymous", "anonymous", None))
    who = int(_CROWD * rng.random() ** _REGULARS)
    homes = _HOMES[language]
    number = homes[who % len(homes)](who)
    if rng.random() >= _ODD:
        return number
    return rng.choice(
        (
            f"({number[2:5]}) {number[5:8]}-{number[8:]}" if number.startswith("+1") else f"00{number[1:]}",
            f"sip:{number}@sip.example.com",
            number[2:],
        )
    )


def colleague_number(rng: random.Random) -> str:
    """The number of one of the few people to whom calls are handed over."""
    return f"+1646555019{rng.randrange(8)}"
