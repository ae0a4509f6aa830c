"""YAML, kept to what a config needs: scalars, lists and maps.

PyYAML is an optional dependency (`lamina-core[yaml]`): JSON says the same, and most models never meet YAML.
"""

from __future__ import annotations

from typing import Any

from lamina.saving import gate
from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina_registry import shown
from lamina_registry.errors import printable

try:
    import yaml
except ImportError as error:
    raise ImportError(
        "Models as YAML need PyYAML: pip install 'lamina-core[yaml]' (or pyyaml); "
        "to_json and model_from_json need nothing"
    ) from error

_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
# How PyYAML under Keras 2 wrote tuples, and Python 2 its texts.
_TUPLE = "tag:yaml.org,2002:python/tuple"
_TEXTS = ("tag:yaml.org,2002:python/str", "tag:yaml.org,2002:python/unicode", "tag:yaml.org,2002:timestamp")
# PyYAML reads less than a million characters a second, and takes 700 bytes for each entry.
_LONGEST_TEXT = 1 << 21  # characters
_MOST_NODES = 100_000
_LONGEST_KEY = 6  # characters of a number
_LONGEST_NUMBER = 64  # characters: 1:1:1:... is an integer in YAML 1.1, and a slow one


def dump(data: Any, **kwargs: Any) -> str:
    """Plain data as YAML; short lists and maps on one line, as Keras 2 wrote them."""
    return str(yaml.safe_dump(data, **{"default_flow_style": None, **kwargs}))


def load(text: str, where: str) -> Any:
    """The data of a YAML text, within the gate's limits.

    Only plain scalars, lists, maps and Keras 2's python/tuple are known.  Keras writes a repeated value as an alias,
    so these are followed, but count as often as they are used, and none may contain itself.  Raises DamagedFile or
    UnsafeFile naming `where`.
    """
    if len(text) > _LONGEST_TEXT:
        raise UnsafeFile(
            f"{where} is a config of {len(text):,} characters; at most {_LONGEST_TEXT:,} are read as YAML"
        )
    try:
        loader = _Loader(text, where)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except (UnsafeFile, DamagedFile):
        raise
    except RecursionError:
        raise UnsafeFile(
            f"{where} has a config more than {gate.DEEPEST} levels deep, which no model needs"
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        told = printable(" ".join(str(error).split()))
        raise DamagedFile(f"{where} is no YAML of a model: {told}") from error
    gate.check_config(data, where)
    return data


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with fewer tags, and with nodes counted as they are composed."""

    def __init__(self, text: str, where: str):
        super().__init__(text)
        self.where = where
        self.depth = 0
        self.count = 0
        self.sizes: dict[int, int] = {}  # nodes below each finished collection, by id

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.AliasEvent)
        if self.depth > gate.DEEPEST:
            raise UnsafeFile(
                f"{self.where} has a config more than {gate.DEEPEST} levels deep, which no model needs"
            )
        before = self.count
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and id(node) not in self.sizes:
            raise UnsafeFile(f"{self.where} has a value that contains itself")
        self.count += self.sizes[id(node)] if alias else 1
        if self.count > _MOST_NODES:
            raise UnsafeFile(
                f"{self.where} has a config of more than {_MOST_NODES:,} entries, which are too many for YAML: use JSON"
            )
        self.sizes.setdefault(id(node), self.count - before)
        return node

    def flatten_mapping(self, node: Any) -> None:
        """Merge keys (<<) multiply what they repeat, and no config has them."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise UnsafeFile(f"{self.where} has a merge key (<<), which no model needs")
        for key, _ in node.value:
            # Large numbers can be chosen so that a dict is slow, and tuples so that their hashes are.
            plain = isinstance(key, yaml.ScalarNode) and (
                key.tag.endswith(":str") or len(key.value) <= _LONGEST_KEY
            )
            if not plain:
                raise DamagedFile(f"{self.where}: a config has keys that are not text: {shown(key.value)}")

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise DamagedFile(f"{self.where} has a map that names one of {shown([*found])} twice")
        return found

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if (
            isinstance(node, yaml.ScalarNode)
            and not node.tag.endswith(":str")
            and len(node.value) > _LONGEST_NUMBER
        ):
            raise DamagedFile(f"{self.where} has the number {shown(node.value)}")
        return super().construct_object(node, deep)

    def refuse(self, node: Any) -> Any:
        raise UnsafeFile(
            f"{self.where} asks for the YAML type {shown(node.tag)}, which is never made; "
            "only plain scalars, lists and maps are read"
        )

    def construct_pair(self, node: Any) -> Any:
        return tuple(self.construct_sequence(node, deep=True))


_Loader.yaml_constructors = {
    **{f"tag:yaml.org,2002:{name}": getattr(yaml.SafeLoader, f"construct_yaml_{name}") for name in _PLAIN},
    **dict.fromkeys(_TEXTS, yaml.SafeLoader.construct_yaml_str),
    _TUPLE: _Loader.construct_pair,
    None: _Loader.refuse,
}
