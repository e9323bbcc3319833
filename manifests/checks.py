"""Writes docs/checks.md from the code: every check with its cause, what to do, and an example that passes it."""

from hardened.core.hardening.catalog import CHECKS, GROUPS
from hardened.core.hardening.check import HardeningCheck

_SEVERITIES = {"error": "error", "warn": "warning"}
_HEAD = """# Checks

Generated from the code by `make gen`.

`hardenctl preflight` checks a file before it is deployed, or a service that runs, by {count} checks. An *error* is what makes a release
fail or wait for ever, loses data, or shows a secret. A *warning* is for what runs, and less safely than it could.

```console
hardenctl preflight -f shop.yaml                                  # a file, against the cluster that it is for
hardenctl preflight -f shop.yaml --offline --fail-on warn         # the fields alone, without a cluster
hardenctl preflight shop -n shop                                  # a service that runs
hardenctl preflight -f shop.yaml --offline -o sarif > out.sarif   # or -o junit, json, table
```

It exits 1 if a finding is as bad as `--fail-on` (`error` when left out), 2 for a file that is not valid, and as every verb does where the
cluster refuses or does not answer. {live} checks ask about the cluster, with the rights of whoever runs them. What those may not read is
not checked: `preflight` lists it, and `-o json` has it under `skipped`. Values of variables, files and arguments are never shown. Of
Secrets only their metadata is read: that they are there, not what is in them.

The operator's condition `Hardened` is made of the same list: of its first {gaps} checks, which a team can answer by its spec alone. The
other checks never change the condition. What the CRD refuses, such as an image without a tag, is no check: such a file is not valid.

| check | | severity | needs the cluster | in `Hardened` |
|---|---|---|---|---|
"""


def checks_page() -> str:
    """The whole page."""
    head = _HEAD.format(count=len(CHECKS), live=sum(each.is_live for each in CHECKS), gaps=sum(each.in_condition for each in CHECKS))
    groups = "".join(f"\n## {name}\n" + "".join(map(_section, group)) for name, group in GROUPS.items())
    return head + "".join(map(_row, CHECKS)) + groups


def _row(each: HardeningCheck) -> str:
    marks = " | ".join("yes" if holds else "" for holds in (each.is_live, each.in_condition))
    return f"| [{each.id}](#{each.id.lower()}) | {each.title} | {_SEVERITIES[each.severity]} | {marks} |\n"


def _section(each: HardeningCheck) -> str:
    kind = "console" if each.example.startswith(("kubectl ", "helm ", "hardenctl ")) else "yaml"
    return f"""
### {each.id}

{each.title} *{_SEVERITIES[each.severity].capitalize()}.*

{each.cause} To pass it: {each.fix}.

```{kind}
{each.example}
```
"""
