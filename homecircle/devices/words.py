"""256 plain English words, eight bits each: what a recovery sheet is printed in and what a device that asks shows.

Chosen to be short, to sound apart, to have one spelling, and to frighten nobody. Their order is part of the format.
"""

from __future__ import annotations

import secrets

_TEXT = """
acorn actor album alley amber anchor angel ankle apple apron arrow attic aunt autumn bacon badge bagel baker ball
bamboo banana banjo barn basil basket beach bean bear beaver bell bench berry bicycle birch bird biscuit blanket blossom
boat bonnet book bottle bowl branch bread brick bridge broom brush bucket buffalo bugle butter button cabbage cabin
cactus cake camel camera candle canoe carpet carrot castle cello chalk cheese cherry chess chimney cider circus
clay cliff cloud clover coat cocoa comet compass copper coral cotton cousin cricket crown cup curtain cushion daisy
dance desk dinner dolphin donkey door dragon drum duck eagle easel echo elbow elm engine fabric falcon feather fern
ferry fiddle field finger flag flute forest fountain fox frog garden garlic giraffe glove goat goose grape grass guitar
hammer harbour harp harvest hat hazel hedge helmet heron honey horse igloo island ivy jacket jam jelly jewel jigsaw
juice jungle kettle kite kitten ladder lake lamp lantern leaf lemon letter lily lizard lobster magnet mango maple marble
market meadow melon mint mirror mitten monkey moon moose mountain muffin museum mushroom napkin needle nest noodle
nutmeg oak ocean olive onion orange orchard otter oven owl paddle paint palace palm panda paper parrot parsley peach
peanut pebble pencil penguin pepper piano picnic pillow pilot pine planet plum pocket pond pony potato pumpkin puppet
puzzle rabbit radio rain raisin river robin rocket rose saddle sailor salad salmon sand scarf school shell ship shovel
silk silver sister soup spoon squirrel star stone summer sunset swan table tiger tomato tower trumpet
"""
WORDS = tuple(_TEXT.split())


def several(count: int) -> list[str]:
    """Return `count` words by chance, the same one possibly twice: 8 bits each."""
    return [secrets.choice(WORDS) for _ in range(count)]


def pairs(count: int) -> list[str]:
    """Return `count` pairs of words by chance in which no word stands twice."""
    drawn = secrets.SystemRandom().sample(WORDS, 2 * count)
    return [f"{first} {second}" for first, second in zip(drawn[::2], drawn[1::2], strict=True)]
