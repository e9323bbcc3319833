"""Log lines as JSON on standard output, one object each."""

import json
import logging
import sys
from datetime import UTC, datetime

from hardened.api.text import escaped_json


class JsonFormatter(logging.Formatter):
    """`ts`, `level`, `logger`, `msg`, and `error` with the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return escaped_json(json.dumps(line, ensure_ascii=False))


def configure(level: str) -> None:
    """Sends every logger's lines through the formatter. kopf and the probe server speak from warnings on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        for chatty in ("kopf", "aiohttp.access"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
