"""Give a user of a test's Kafka a password or a right, in Kafka's own protocol.

aiokafka's admin client has no calls for it.
"""

import hashlib
import os
import socket
import struct
from enum import IntEnum

CREATE_ACLS, ALTER_SCRAM_CREDENTIALS = 30, 51
ANY_RESOURCE_OF_THAT_NAME, ALLOW = 3, 3
SCRAM_SHA_512, ITERATIONS = 2, 4096


class Resource(IntEnum):
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4


class Operation(IntEnum):
    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


def grant(port: int, principal: str, resource: Resource, name: str, operation: Operation) -> None:
    """Let `User:name` do that with the resource of this name, `*` for any."""
    body = (
        struct.pack(">ib", 1, resource) + _text(name) + struct.pack(">b", ANY_RESOURCE_OF_THAT_NAME)
    )
    body += _text(principal) + _text("*") + struct.pack(">bb", operation, ALLOW)
    answer = _ask(port, struct.pack(">hhih", CREATE_ACLS, 1, 0, -1) + body)
    _refuse_error(struct.unpack_from(">h", answer, 12)[0])  # after id, throttle time and count


def set_password(port: int, user: str, password: str) -> None:
    """Let `user` sign in with SCRAM-SHA-512 and this password, from now on."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    body = b"\x01\x02" + _compact(user.encode())  # no deletion, one insertion
    body += struct.pack(">bi", SCRAM_SHA_512, ITERATIONS) + _compact(salt) + _compact(salted)
    header = struct.pack(">hhih", ALTER_SCRAM_CREDENTIALS, 0, 0, -1) + b"\0"
    answer = _ask(port, header + body + b"\0\0")
    named = len(_compact(user.encode()))
    _refuse_error(struct.unpack_from(">h", answer, 4 + 1 + 4 + 1 + named)[0])


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        return answer.read(struct.unpack(">i", answer.read(4))[0])


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def _compact(value: bytes) -> bytes:
    return bytes([len(value) + 1]) + value


def _refuse_error(code: int) -> None:
    if code:
        raise RuntimeError(f"Kafka's error {code}")
