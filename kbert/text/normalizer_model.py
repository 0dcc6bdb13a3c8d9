"""A table of characters, in the binary form that tensorflow-text's normaliser reads.

`tensorflow_text.FastBertNormalizer` replaces each character of a text by a string, in
one pass of C++ at more than 100 MB/s, with a map of the bytes back to the original. Its
own tables are not BERT's rules; this packs ours into its format (tensorflow/text 2.21,
`fast_bert_normalizer.h` and `darts_clone_trie_wrapper.h`).
"""

import flatbuffers
import numpy as np

# Bits of a unit of the trie: its own byte in 0-7, and these.
HAS_VALUE, FAR_OFFSET, IS_VALUE = 1 << 8, 1 << 9, 1 << 31
# Bits of a value: length in 0-5, place in the pool of strings in 6-29, and this.
IS_REPLACED = 1 << 30


def normalizer_model(replacements: dict[str, str]) -> bytes:
    """The model buffer of a `FastBertNormalizer` that applies `replacements`.

    Args:
        replacements: character -> what it becomes, up to 63 bytes of UTF-8.
    """
    pool, values = bytearray(), {}

    def value_of(text):
        if text not in values:
            data = text.encode()
            values[text] = IS_REPLACED | len(pool) << 6 | len(data)
            pool.extend(data)
        return values[text]

    tree = {}
    for character, text in replacements.items():
        if character == "\0":  # the format keeps it apart
            continue
        *path, last = character.encode()
        node = tree
        for byte in path:
            node = node.setdefault(byte, {})
        node[last] = value_of(text)
    zero = value_of(replacements["\0"]) if "\0" in replacements else 0
    units = _double_array(tree, list(values.values()))

    builder = flatbuffers.Builder(4 * len(units) + len(pool) + 1024)
    strings = builder.CreateNumpyVector(np.frombuffer(bytes(pool) or b"\0", np.uint8))
    trie = builder.CreateNumpyVector(units)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, trie, 0)
    builder.PrependInt32Slot(2, zero, 0)
    builder.PrependUOffsetTRelativeSlot(3, strings, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _double_array(tree, values):
    """The trie as darts-clone's double array, uint32.

    A unit at `place` finds its child for `byte` at `place ^ offset ^ byte`, and knows
    it by the byte in it. All bytes but the first of a character are 0x80 to 0xBF, so
    four nodes share a page of 256 units, each in a quarter of its own. Nodes with the
    same children share them: most of Unicode's private planes are one node.
    """
    units = [0]  # the root
    places = {}
    for value in values:  # one unit for each distinct string
        places[value] = len(units)
        units.append(IS_VALUE | value)
    nodes = {}
    free = []

    def fill(base, children):
        for byte, child in children.items():
            place = base ^ byte
            if isinstance(child, dict):
                units[place] = byte | _offset(place ^ node(child))
            else:
                units[place] = byte | HAS_VALUE | _offset(place ^ places[child])

    def node(children):
        key = _key(children)
        if key not in nodes:
            if not free:
                page = new_page()
                free.extend(page | quarter for quarter in (0, 0x40, 0x80, 0xC0))
            nodes[key] = free.pop()
            fill(nodes[key], children)
        return nodes[key]

    def new_page():
        page = -(-len(units) // 256) * 256
        units.extend([0] * (page + 256 - len(units)))
        return page

    root = new_page()
    units[0] = _offset(root)
    fill(root, tree)
    return np.array(units, np.uint32)


def _key(children):
    """A dict of dicts as something hashable."""
    return tuple(
        (byte, _key(child) if isinstance(child, dict) else child)
        for byte, child in sorted(children.items())
    )


def _offset(distance):
    """The bits of an offset: 21 of them, or those above its lowest 8."""
    if distance < 1 << 21:
        return distance << 10
    if distance & 0xFF:
        raise ValueError(f"The table needs an offset the format has not: {distance}.")
    return distance >> 8 << 10 | FAR_OFFSET
