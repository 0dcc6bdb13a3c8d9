"""Logs of the server: one JSON object a line, or a short line at a terminal."""

import datetime
import json
import logging
import sys
import traceback

LOGGER = "kbert.serving"


class JsonLines(logging.Formatter):
    """time, level, message, and the fields of the record; never a text of a user."""

    def format(self, record):
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class ShortLines(logging.Formatter):
    """message key=value …, for people."""

    def format(self, record):
        fields = getattr(record, "fields", {})
        shown = " ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in fields.items()
            if value is not None
        )
        line = f"{record.levelname.lower()}: {record.getMessage()} {shown}".rstrip()
        if record.exc_info:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info))
        return line


def start_log(stream=None) -> None:
    """Logs of the server and of uvicorn to a stream, by default standard error."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ShortLines() if stream.isatty() else JsonLines())
    for name in (LOGGER, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO if name == LOGGER else logging.WARNING)
