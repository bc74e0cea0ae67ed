"""Twenty plain nouns, each the meaning of one Kangxi radical: a prompt whose drawing can be judged.

Source of the numbers: the Kangxi Radicals block of Unicode, U+2F00 + number - 1.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A prompt, the one radical that counts as a hit, and those that a lenient reader accepts."""

    prompt: str
    radical: int
    also_accepted: tuple[int, ...] = ()

    @property
    def accepted(self) -> tuple[int, ...]:
        """The strict radical first, then the alternatives."""
        return (self.radical, *self.also_accepted)


NOUNS: tuple[Noun, ...] = (
    Noun("fish", 195),
    Noun("tree", 75),
    Noun("water", 85),
    Noun("fire", 86),
    Noun("metal", 167),
    # Radical 172 is the short-tailed bird: accepted, and reported apart from the strict figure.
    Noun("bird", 196, also_accepted=(172,)),
    Noun("horse", 187),
    Noun("insect", 142),
    Noun("hand", 64),
    Noun("heart", 61),
    Noun("mouth", 30),
    Noun("speech", 149),
    Noun("woman", 38),
    Noun("grass", 140),
    Noun("bamboo", 118),
    Noun("rain", 173),
    Noun("stone", 112),
    Noun("illness", 104),
    Noun("silk", 120),
    Noun("foot", 157),
)
