"""The strangest objects that an API server stores, as it sends them: JSON texts."""

from collections.abc import Mapping
from typing import Final

from hardened.shell.kinds import Kind

#: What can stand anywhere below a field that the server does not look into, by what is strange about it.
VALUES: Final[Mapping[str, bytes]] = {
    **{f"{depth} objects deep": b'{"f:a":' * depth + b"{}" + b"}" * depth for depth in (60, 70, 90, 150, 330, 900, 1_500, 10_000)},
    **{f"{depth} lists deep": b"[" * depth + b"]" * depth for depth in (70, 10_000)},
    "deep and wide": b"[" + b",".join(b"[" * 120 + b"]" * 120 for _ in range(500)) + b"]",
    "many objects": b"[" + b",".join([b'{"a":{}}'] * 60_000) + b"]",
    "many keys": b"{" + b",".join(b'"%x":""' % number for number in range(100_000)) + b"}",
    "1.5 MiB of text": b'"' + b"x" * 1_500_000 + b'"',
    "1.5 MiB of escapes": b'"' + b"\\n" * 750_000 + b'"',
    "half a surrogate pair": b'"\\ud800"',
    "the other half": b'"a\\uDC00\\\\ud800"',
    "halves in the wrong order": b'["\\udc00\\ud83d", "\\ud83d\\ud83d\\ude00"]',
    "a half as a key": b'{"\\ud800": {"\\udfff": 1}}',
    "a surrogate in bytes": b'"\xed\xa0\x80"',
    "no UTF-8": b'"\xff\xfe\xc0\xaf"',
    "odd characters": '"\u0085\u2028\ufeff\uffff\u202e\U0001f600\\u0000\\u001b[2J"'.encode(),
    "brackets in text": b'"]}{[\\"]}{[\\\\"',
    "an integer of 5,000 digits": b"9" * 5_000,
    "a negative one": b"-" + b"9" * 5_000,
    "an integer of 3,000 digits": b"9" * 3_000,
    "more than a double": b"[1e999, -1E+999, 1e-999, -0, -0.0, 9223372036854775808]",
    "keys twice": b'{"a": 1, "a": {"a": 2, "a": [3]}, "": null, "": {}}',
    "nothing": b"null",
}
#: Where it stands: each a template for the object's metadata and for what is beside it.
PLACES: Final[Mapping[str, tuple[bytes, bytes]]] = {
    "managedFields": (
        b',"managedFields":[{"manager":"evil","operation":"Update","fieldsType":"FieldsV1","fieldsV1":%s},{"manager":"b"}]',
        b"",
    ),
    "our managedFields": (b',"managedFields":[{"manager":"hardened","operation":"Apply","fieldsType":"FieldsV1","fieldsV1":%s}]', b""),
    "metadata": (b',"unknown":%s', b""),
    "data": (b"", b',"revision":1,"data":%s'),
    "fields of data": (b"", b',"revision":1,"data":{"scheme":"1","fields":%s,"template":{},"number":%s}'),
    "spec": (b"", b',"spec":%s'),
    "status": (b"", b',"status":%s'),
    "in a list of the spec": (b"", b',"spec":{"ports":[{"a":%s}]}'),
    "beside it all": (b"", b',"strange":%s'),
}
#: Where the server stores whatever somebody writes, of every kind and of ControllerRevisions; elsewhere it holds each kind to its schema.
OF_EVERY_KIND: Final = ("managedFields", "our managedFields")
OF_REVISIONS: Final = (*OF_EVERY_KIND, "data", "fields of data")


def strange(value: str, target: str, *, name: str = "strange", version: int = 2, service: str = "web", namespace: str = "shop") -> bytes:
    """An object with our labels."""
    meta, beside = (text.replace(b"%s", VALUES[value]) for text in PLACES[target])
    labels = b'{"app.kubernetes.io/managed-by":"hardened","hardened.dev/service":"%s"}' % service.encode()
    named = (b'"namespace":"%s","name":"%s","uid":"u-%s","resourceVersion":"%d","labels":%s') % (
        namespace.encode(),
        name.encode(),
        name.encode(),
        version,
        labels,
    )
    return b'{"metadata":{' + named + meta + b"}" + beside + b"}"


def news(kind: Kind, obj: bytes, event: str = "ADDED") -> bytes:
    """The line of a watch that tells of it."""
    named = b'{"kind":"%s","apiVersion":"%s",' % (kind.name.encode(), kind.api_version.encode())
    return b'{"type":"%s","object":%s%s}' % (event.encode(), named, obj[1:])
