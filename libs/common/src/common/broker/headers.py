"""A record's headers as a column: the bytes they are, in the order in which they came."""

import base64
import json

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

Headers = tuple[tuple[str, bytes], ...]


class HeadersColumn(TypeDecorator[Headers]):
    """JSON in ASCII: a list of [name, base64 of the value].

    As text and not as `jsonb`, which refuses names that a foreign producer may write.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Headers | None, dialect: Dialect) -> str:
        """Write the pairs."""
        del dialect
        return json.dumps([(name, base64.b64encode(held).decode()) for name, held in value or ()])

    def process_result_value(self, value: str | None, dialect: Dialect) -> Headers:
        """Give back the pairs."""
        del dialect
        return tuple((name, base64.b64decode(held)) for name, held in json.loads(value or "[]"))
