"""The values of the chart hardened-service that are no fields of a HardenedService."""

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final = {"type": "string"}
_STRINGS: Final = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}
_HOST: Final = {"type": "string", "maxLength": 253, "minLength": 1}
_PATHS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "pattern": "^/", "description": "It begins with /."},
            "pathType": {"enum": ["Prefix", "Exact", "ImplementationSpecific"], "description": "Default: Prefix."},
        },
    },
}
_INGRESS: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "if": {"properties": {"enabled": {"const": True}}, "required": ["enabled"]},
    "then": {"properties": {"hosts": {"minItems": 1}}, "required": ["hosts"]},
    "properties": {
        "enabled": {"type": "boolean", "description": "Whether there is one."},
        "className": {"type": ["string", "null"], "description": "The IngressClass. Empty: the cluster's default."},
        "annotations": {**_STRINGS, "description": "Annotations of the Ingress."},
        "hosts": {
            "type": "array",
            "description": "What clients ask for: {host: shop.example.com, paths: [{path: /, pathType: Prefix}]}. Default: all paths.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["host"],
                "properties": {
                    "host": {**_HOST, "description": "The name that clients ask for."},
                    "paths": {**_PATHS, "description": "Default: /."},
                },
            },
        },
        "tls": {
            "type": ["array", "null"],
            "description": "Certificates: {secretName: shop-tls, hosts: [shop.example.com]}.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "secretName": {**_TEXT, "description": "The Secret of the type kubernetes.io/tls."},
                    "hosts": {"type": "array", "items": _HOST, "description": "The names in the certificate."},
                },
            },
        },
    },
}
_PARENT: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {**_TEXT, "minLength": 1, "description": "The Gateway."},
        "namespace": {**_TEXT, "description": "Its namespace. Default: the release's."},
        "sectionName": {**_TEXT, "description": "One of its listeners. Default: all."},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "The port of the listener."},
        "kind": {**_TEXT, "description": "Default: Gateway."},
        "group": {**_TEXT, "description": "Default: gateway.networking.k8s.io."},
    },
}
_ROUTE: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "if": {"properties": {"enabled": {"const": True}}, "required": ["enabled"]},
    "then": {"properties": {"parentRefs": {"minItems": 1}}, "required": ["parentRefs"]},
    "properties": {
        "enabled": {"type": "boolean", "description": "Whether there is one. Needs the CRDs of the Gateway API in the cluster."},
        "annotations": {**_STRINGS, "description": "Annotations of the HTTPRoute."},
        "parentRefs": {"type": "array", "items": _PARENT, "description": "The Gateways that it belongs to."},
        "hostnames": {
            "type": ["array", "null"],
            "items": _HOST,
            "description": "The names that clients ask for. Empty: those of the Gateway.",
        },
        "rules": {
            "type": ["array", "null"],
            "description": "Which requests are meant, by matches and filters as in an HTTPRoute. Empty: all of them.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "matches": {"type": "array", "items": {"type": "object"}, "description": "As in an HTTPRoute."},
                    "filters": {"type": "array", "items": {"type": "object"}, "description": "As in an HTTPRoute."},
                    "timeouts": {"type": "object", "description": "As in an HTTPRoute."},
                },
            },
        },
    },
}
#: By the name of the value.
BESIDE: Final[dict[str, Schema]] = {"ingress": _INGRESS, "httpRoute": _ROUTE}
