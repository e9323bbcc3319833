"""What a text has to look like, in words: a regular expression tells nobody what to write instead."""

from typing import Any, Final, get_args

from hardened.api.container import Image
from hardened.api.fields import (
    AbsolutePath,
    DataKey,
    EnvName,
    LabelKey,
    LabelValue,
    Name,
    ObjectName,
    PortName,
    RelativePath,
    UrlPath,
)
from hardened.api.network import Cidr, LocalAddress


def _pattern(of: Any) -> str:
    """That of a text type with a StringConstraints."""
    return str(get_args(of)[1].pattern)


#: By pattern. Each goes on from `must be`.
PATTERNS: Final = {
    _pattern(Image): "an image in lower case, with a tag or a digest, such as registry.example/shop:1.4",
    _pattern(Name): "lower case letters, digits and -, beginning and ending with a letter or a digit",
    _pattern(ObjectName): "the name of an object: lower case letters, digits, - and .",
    _pattern(PortName): "a port's name: lower case letters, digits and single -, with at least one letter",
    _pattern(EnvName): "a variable's name: letters, digits, _, - and ., not beginning with a digit",
    _pattern(DataKey): "a key of letters, digits, -, _ and .",
    _pattern(LabelKey): "a key such as team or example.com/team",
    _pattern(LabelValue): "letters, digits, -, _ and ., beginning and ending with a letter or a digit",
    _pattern(AbsolutePath): "a path that begins with / and has no .. in it, such as /etc/shop",
    _pattern(RelativePath): "a path that does not begin with / and has no .. in it, such as conf/app.toml",
    _pattern(UrlPath): "the path of a URL, beginning with /, such as /healthz",
    _pattern(Cidr): "a range of addresses such as 10.0.0.0/8",
    _pattern(LocalAddress): "a Service of this namespace and its port, such as redis:6379",
}
