"""The kinds of failure that are no status. They are all that is ever said of an answer: it may hold what is secret."""

NO_NAME = "name not known"
NO_CONNECTION = "no connection"
NO_ANSWER = "no answer in time"
CUT = "connection cut"
NOT_UNDERSTOOD = "answer not understood"
NO_TEXT = "expected text not in body"

#: Bytes of a body that are read; the rest is left.
BODY_LIMIT = 65536
