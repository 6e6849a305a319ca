"""Channel `email`: mail by an SMTP server.

Owns the message and the connection, which is made anew for each message: at most one in a few seconds goes out.
"""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlsplit

from processor.agents.channels.announcing import joined_message
from processor.agents.channels.base import ChannelUnavailableError, RefusedError, idempotency_key
from processor.agents.channels.guard import guarded_connection
from processor.agents.channels.wording import AlertMessage, Wording, for_people
from schemas.alerts import Alert
from schemas.config.alerts import EmailSettings
from schemas.instants import to_datetime
from schemas.notices import Notice, notice_lines

TIMEOUT_SECONDS = 5.0
"""For each step of the conversation."""

_PORTS = {"smtp": 587, "smtps": 465}


class EmailChannel:
    """One server and its recipients."""

    at_once = 500
    parallel = 1
    spacing_seconds = 5.0
    repeat_seconds = None

    def __init__(self, name: str, settings: EmailSettings, wording: Wording) -> None:
        parts = urlsplit(settings.url)
        self._port = parts.port or _PORTS[parts.scheme]
        self._name = name
        self._settings = settings
        self._wording = wording
        self._host = parts.hostname
        self._is_tls = parts.scheme == "smtps"

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Send one mail about all of them."""
        told = for_people(alerts)
        if told:
            await self._mail(told, self._wording.told(told), now)

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Send one mail for all of them, with a table where there is one."""
        notice = joined_message(told)
        message = self._message(told, AlertMessage(notice.title, notice_lines(notice)), now)
        message.add_alternative(_html(notice), subtype="html")
        await self._send(message, notice.language)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Send one mail that counts them."""
        await self._mail(alerts, self._wording.summary(alerts), now)

    async def close(self) -> None:
        """Nothing is held."""

    async def _mail(self, alerts: Sequence[Alert], told: AlertMessage, now: int) -> None:
        await self._send(self._message(alerts, told, now), self._wording.language)

    async def _send(self, message: EmailMessage, language: str) -> None:
        # Last, as what is added to a message takes what stands there of its content along.
        message["Content-Language"] = language
        await asyncio.to_thread(self._deliver, message)

    def _message(self, alerts: Sequence[Alert], told: AlertMessage, now: int) -> EmailMessage:
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        # What looks like an encoded word in a name is no encoded word.
        message["Subject"] = told.headline.replace("=?", "=\N{WORD JOINER}?")
        message["Date"] = format_datetime(to_datetime(now))
        # Servers and mail programs drop a second mail of the same id.
        message["Message-ID"] = f"<{idempotency_key(self._name, alerts)}@{self._settings.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join(told.lines) + "\n")
        return message

    def _deliver(self, message: EmailMessage) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        try:
            with self._connect(context) as server:
                if not self._is_tls:
                    server.ehlo()
                    if server.has_extn("starttls"):
                        server.starttls(context=context)
                    elif settings.username is not None:
                        msg = "the server offers no TLS, and the password is not sent in the clear"
                        raise ChannelUnavailableError(msg)
                if settings.username is not None and settings.secret is not None:
                    server.login(settings.username, settings.secret.get_secret_value())
                server.send_message(message, settings.sender, settings.recipients)
        except smtplib.SMTPResponseException as error:
            self._judge(error.smtp_code)
        except smtplib.SMTPRecipientsRefused as error:
            self._judge(max(code for code, _ in error.recipients.values()))
        except (smtplib.SMTPException, OSError) as error:
            # Only its kind: the server's words may name people.
            raise ChannelUnavailableError(reason=f"no mail sent ({type(error).__name__})") from None

    def _judge(self, code: int) -> None:
        msg = f"answered {code}"
        raise (RefusedError if code >= 500 else ChannelUnavailableError)(msg) from None

    def _connect(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self._is_tls:
            make: Any = partial(smtplib.SMTP_SSL if self._settings.allow_private else _GuardedTls, context=context)
        else:
            make = smtplib.SMTP if self._settings.allow_private else _Guarded
        server: smtplib.SMTP = make(self._host, self._port, timeout=TIMEOUT_SECONDS)
        return server


def _html(notice: Notice) -> str:
    """The same for mail programs that show more than text."""
    direction = "rtl" if notice.is_right_to_left else "ltr"
    rows = [
        "<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in row) + "</tr>"
        for row, cell in zip(notice.table, ["th", *["td"] * len(notice.table)], strict=False)
    ]
    table = f'<table border="1" cellpadding="6" style="border-collapse:collapse">{"".join(rows)}</table>'
    lines = "<br>\n".join(map(escape, notice.lines))
    return (
        f'<!doctype html>\n<html lang="{notice.language}" dir="{direction}"><body>\n<h2>{escape(notice.title)}</h2>\n'
        f"{table if rows else ''}\n<p>{lines}</p>\n</body></html>\n"
    )


class _Guarded(smtplib.SMTP):
    """Connects to public addresses only."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return guarded_connection(host, port, timeout)


class _GuardedTls(smtplib.SMTP_SSL):
    """The same with TLS from the start."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = guarded_connection(host, port, timeout)
        return self.context.wrap_socket(connection, server_hostname=host)
