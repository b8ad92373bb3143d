"""Names of a model's outputs when the source gives none: the rule that the frontends follow too (docs/interfaces.md).

A leaf of the returned structure is named by its path: keys of mappings and fields as they are, positions of lists and
tuples as numbers, joined by `_`. A path that opens with a position gets `output` in front. One single leaf without a
key is `output`. None is no leaf.
"""


def leaves(value, path=()):
    """(path, leaf) of every leaf of a structure of dicts, named tuples, lists and tuples, in order."""
    if value is None:
        return
    if hasattr(value, "items"):
        for key, item in value.items():
            yield from leaves(item, path + (str(key),))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for key, item in zip(value._fields, value):
            yield from leaves(item, path + (key,))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, path + (index,))
    else:
        yield path, value


def named_leaves(value):
    found = list(leaves(value))
    if len(found) == 1 and not any(isinstance(key, str) for key in found[0][0]):
        return {"output": found[0][1]}
    named = {}
    for path, leaf in found:
        head = [] if path and isinstance(path[0], str) else ["output"]
        named["_".join(head + [str(key) for key in path])] = leaf
    return named
