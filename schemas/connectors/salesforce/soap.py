"""The XML of an Outbound Message: its organisation and notifications.

Owns the reading of the text. Document types are refused before anything of them is read, so there are no entities to
expand and nothing outside is asked; depth and namespaces are bounded, size is by who takes the body. Does not know what
fields mean.
https://developer.salesforce.com/docs/platform/api/guide/sforce-api-om-outboundmessaging-wsdl.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.parsers.expat import errors

from schemas.connectors.base import MAX_EVENTS

MAX_DEPTH = 16
MAX_NAMESPACE = 256
"""Characters: the parser writes it before the name of each element that is in it."""
_OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
_ENVELOPES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_BODY = [(f"{envelope} Envelope", f"{envelope} Body", f"{_OUTBOUND} notifications") for envelope in _ENVELOPES]
_OF_CHARACTERS = frozenset(
    errors.codes[message]
    for message in (errors.XML_ERROR_INVALID_TOKEN, errors.XML_ERROR_BAD_CHAR_REF, errors.XML_ERROR_PARTIAL_CHAR)
)
_NO_CHARACTER = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_LAST = 0x10FFFF
ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">\n'
    b"  <soapenv:Body>\n"
    b'    <notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">\n'
    b"      <Ack>true</Ack>\n"
    b"    </notificationsResponse>\n"
    b"  </soapenv:Body>\n"
    b"</soapenv:Envelope>\n"
)
"""The answer that tells Salesforce not to send a message again: for all of its notifications."""


class SoapError(ValueError):
    """A text that is no Outbound Message. The message says where, and never repeats what stands there."""


class _CharacterError(SoapError):
    """Some character may be none."""


@dataclass(slots=True)
class Notification:
    """One record of a message, as it is when it is sent."""

    id: str = ""
    type: str = ""
    """`Opportunity`, `Task` …"""
    fields: dict[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class OutboundMessage:
    """An Outbound Message."""

    organization: str = ""
    notifications: list[Notification] = field(default_factory=list)


def read_message(body: bytes) -> OutboundMessage:
    """Read a message. Raises SoapError.

    Half of a character, or one that XML cannot hold (a control character that somebody pasted into a field), would cost
    all notifications of the message: the sign for it (U+FFFD) stands in its place then.
    """
    try:
        return _read(body)
    except _CharacterError as error:
        mended = _mended(body)
        if mended == body:
            raise SoapError(str(error)) from None
    return _read(mended)


def _read(body: bytes) -> OutboundMessage:
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartNamespaceDeclHandler = _check_namespace
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        msg = f"is not XML (line {error.lineno}, column {error.offset})"
        raise (_CharacterError if error.code in _OF_CHARACTERS else SoapError)(msg) from None
    except (LookupError, UnicodeError) as error:
        raise SoapError("is in an encoding that is not known") from error
    except ValueError as error:
        if isinstance(error, SoapError):
            raise
        raise SoapError("is in an encoding that is not taken") from None
    if not reader.is_message:
        raise SoapError("is not an Outbound Message")
    return reader.message


def _mended(body: bytes) -> bytes:
    """Without what is no character of XML, in UTF-8, which all messages are in."""
    text = _NO_CHARACTER.sub("\ufffd", body.decode("utf-8", "replace"))
    return _REFERENCE.sub(_referred, text).encode()


def _referred(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else int(found[2])
    is_character = number <= _LAST and not _NO_CHARACTER.match(chr(number))
    return found[0] if is_character else "\ufffd"


def _refuse(*_said: object) -> int:
    raise SoapError("must have no document type")


def _check_namespace(_prefix: str | None, uri: str | None) -> None:
    if uri is not None and len(uri) > MAX_NAMESPACE:
        msg = f"names a namespace of more than {MAX_NAMESPACE} characters"
        raise SoapError(msg)


class _Reader:
    """Follows the elements of one document."""

    def __init__(self) -> None:
        self.message = OutboundMessage()
        self.is_message = False
        self._path: list[str] = []
        self._text: list[str] = []
        self._is_nil = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise SoapError("is nested too deeply")
        self._path.append(name)
        self._text = []
        self._is_nil = attributes.get(f"{_XSI} nil") in ("true", "1")
        if len(self._path) == 3 and tuple(self._path) in _BODY:
            self.is_message = True
        elif self._is_in("Notification"):
            if len(self.message.notifications) >= MAX_EVENTS:
                msg = f"holds more than {MAX_EVENTS} notifications"
                raise SoapError(msg)
            self.message.notifications.append(Notification())
        elif self._is_in("Notification", "sObject"):
            self.message.notifications[-1].type = attributes.get(f"{_XSI} type", "").rpartition(":")[2]

    def text(self, data: str) -> None:
        self._text.append(data)

    def end(self, _name: str) -> None:
        text = "".join(self._text)
        if self._is_in("OrganizationId"):
            self.message.organization = text.strip()
        elif self._is_in("Notification", "Id"):
            self.message.notifications[-1].id = text.strip()
        elif len(self._path) == 6 and self._is_in("Notification", "sObject", below=1):
            name = self._path[-1].rpartition(" ")[2]
            self.message.notifications[-1].fields[name] = None if self._is_nil else text
        self._path.pop()
        self._text = []
        self._is_nil = False

    def _is_in(self, *names: str, below: int = 0) -> bool:
        """Whether the element is at this place in a message."""
        if not self.is_message or len(self._path) != 3 + len(names) + below:
            return False
        wanted = [f"{_OUTBOUND} {name}" for name in names]
        return tuple(self._path[:3]) in _BODY and self._path[3 : 3 + len(names)] == wanted
