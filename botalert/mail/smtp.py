"""
SMTP, with STARTTLS, implicit TLS and a login (RFC 5321, 3207, 8314, 4954).
"""

import signal
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import NoReturn

from botalert.config.mailserver import SMTPS, STARTTLS, MailServer
from botalert.mail.transport import DeliveryError, ServerDownError
from botalert.printable import printable

TIMEOUT_SECONDS = 60
# For each mail in all: TIMEOUT_SECONDS begins anew with every byte.
DEADLINE_SECONDS = 120
# RFC 5321, section 3.8: the server closes the channel.
CLOSING = 421
HEARD = 250
# What smtplib calls the code of an answer that has none.
NO_SMTP = -1
LONGEST_ANSWER = 300
_LATER = "It may take it later."


class SmtpTransport:
    """
    Sends mails over one connection, made when the first is sent.

    Args:
        server: Where to, and how.
        user: Whom to log in as; "" for nobody.
        password_file: Its first line is the password.
        deadline_seconds: How long the server may take for a mail.
    """

    def __init__(
        self,
        server: MailServer,
        user: str,
        password_file: str,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._server = server
        self._deadline_seconds = deadline_seconds
        self._user = user
        self._password_file = password_file
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, str]:
        """See :class:`~botalert.mail.transport.Transport`."""
        with self._deadline(), self._told(sender):
            connection = self._connection
            if connection is not None and not _listens(connection):
                connection = None
            try:
                refused = (connection or self._connect()).send_message(
                    message, sender, list(recipients)
                )
            except smtplib.SMTPSenderRefused as error:
                # Servers end a connection after so many mails (Exim's
                # smtp_accept_max_per_connection); nothing of this one was
                # taken, so a new connection repeats nothing.
                if connection is None or error.smtp_code != CLOSING:
                    raise
                refused = self._connect().send_message(message, sender, list(recipients))
        return {address: _said(*reason) for address, reason in refused.items()}

    def close(self) -> None:
        """Take leave of the server, if it still listens."""
        if self._connection is not None:
            # All mails that will be are sent: whatever it says now is no matter.
            with suppress(smtplib.SMTPException, OSError, ServerDownError), self._deadline():
                self._connection.quit()
            self._drop()

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """
        Give up what takes too long as a whole.

        An alarm ends every wait, be it for a name, a greeting without end or
        a byte a minute; what it raises is no error that smtplib catches.
        """

        def give_up(*_: object) -> NoReturn:
            raise self._down(f"did not end within {self._deadline_seconds} s. Look at it.")

        before = signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, self._deadline_seconds)
        try:
            yield
        except ServerDownError:
            self._drop()  # Else the farewell would be waited for as long again.
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextmanager
    def _told(self, sender: str) -> Iterator[None]:
        """Tell what goes wrong with one mail as a :class:`DeliveryError`."""
        try:
            yield
        except smtplib.SMTPRecipientsRefused as error:
            reasons = {f"{who}: {_said(*why)}" for who, why in error.recipients.items()}
            codes = {code for code, _ in error.recipients.values()}
            what = f"every recipient: {'; '.join(sorted(reasons))}"
            raise self._refusal(codes, what, "Look at [recipients].") from error
        except smtplib.SMTPSenderRefused as error:
            what = f"the sender {sender}: {_said(error.smtp_code, error.smtp_error)}"
            remedy = "Look at From: in [recipients]."
            raise self._refusal({error.smtp_code}, what, remedy) from error
        except smtplib.SMTPResponseException as error:
            what = f"the mail: {_said(error.smtp_code, error.smtp_error)}"
            raise self._refusal({error.smtp_code}, what, "Look at its log.") from error
        except (smtplib.SMTPException, OSError) as error:
            # Where in the dialogue it broke is not known: begin a new one.
            self._drop()
            if _timed_out(error):
                # It would keep every other alert waiting as long.
                raise self._down(f"did not answer for {TIMEOUT_SECONDS} s. Look at it.") from error
            raise self._failure(f"broke off: {_reason(error)}", "Look at its log.") from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refusal(self, codes: set[int], what: str, remedy: str) -> DeliveryError | ServerDownError:
        """Say what became of a mail that got an answer: RFC 5321, section 4.2.1."""
        if CLOSING in codes:
            self._drop()
            return self._down(f"broke off at {what}. {_LATER}")
        deferred = all(400 <= code < 500 for code in codes)
        return self._failure(
            f"{'deferred' if deferred else 'refused'} {what}", _LATER if deferred else remedy
        )

    def _failure(self, what: str, remedy: str) -> DeliveryError:
        return DeliveryError(f"{self._server}: {printable(what).rstrip('.')}. {remedy}")

    def _connect(self) -> smtplib.SMTP:
        self._drop()
        try:
            self._connection = self._greeted()
            if self._user:
                self._log_in(self._connection)
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            said = _said(error.smtp_code, error.smtp_error)
            deferred = 400 <= error.smtp_code < 500
            raise self._down(
                f"{'deferred' if deferred else 'refused'} the login of {self._user!r}: {said}. "
                f"{_LATER if deferred else 'Look at mailuser: and mailpasswordfile:.'}"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise self._down(
                f"its certificate is not to be trusted: {error.verify_message}. "
                "Use the name that the certificate has, or add its CA to the system's."
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            code = getattr(error, "smtp_code", 0)
            remedy = _LATER if 400 <= code < 500 else "Look at mailserver: and whether it runs."
            raise self._down(f"{_reason(error).rstrip('.')}. {remedy}") from error
        return self._connection

    def _greeted(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        if self._server.scheme == SMTPS:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
        connection = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        if self._server.scheme == STARTTLS:
            try:
                connection.starttls(context=ssl.create_default_context())
            except BaseException:
                connection.close()
                raise
        return connection

    def _log_in(self, connection: smtplib.SMTP) -> None:
        try:
            connection.login(self._user, self._password())
        except UnicodeError as error:
            raise self._down(
                "the login has a character outside ASCII, which smtplib cannot send. "
                "Choose another mailuser: or password."
            ) from error

    def _password(self) -> str:
        path = self._password_file
        try:
            return Path(path).read_text(encoding="utf-8").partition("\n")[0]
        except OSError as error:
            raise ServerDownError(
                f"mailpasswordfile: {path}: {error.strerror}. Let botalert read it."
            ) from error

    def _down(self, what: str) -> ServerDownError:
        return ServerDownError(f"{self._server}: {printable(what)}")


def _listens(connection: smtplib.SMTP) -> bool:
    """Ask whether the server still wants to hear of more."""
    try:
        return connection.noop()[0] == HEARD
    except (smtplib.SMTPException, OSError):
        return False


def _said(code: int, text: bytes | str) -> str:
    """Write a server's answer on one line."""
    if code == NO_SMTP:
        # smtplib keeps less than all of it, so it is not worth showing.
        return "its answer is not SMTP"
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return f"{code} {' '.join(text.split())}".strip()[:LONGEST_ANSWER]


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__


def _timed_out(error: Exception) -> bool:
    """Tell whether the server was silent for too long; smtplib hides it in its own error."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
