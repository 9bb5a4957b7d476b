"""
A sendmail program, which every MTA brings.

``-i`` keeps a lone dot in the text, ``-t`` takes the recipients from the
headers.  With -t, MTAs differ in what recipients on the command line mean
(Exim removes them, Postfix adds them), and a Bcc header is never written;
so where there is a Bcc, all recipients go on the command line instead.

The mail and what the program says go through files, not pipes: a queue
runner that it leaves behind holds a pipe open long after the mail was taken.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import getaddresses

from botalert.errors import UnavailableError
from botalert.mail.transport import DeliveryError, ServerDownError
from botalert.printable import printable

TIMEOUT_SECONDS = 120
_REMEDY = "Look at [recipients] and at the mail server's log."


class SendmailTransport:
    """
    Hands mails to a sendmail program.

    Args:
        program: Its path.
        timeout_seconds: How long it may take for a mail.
    """

    def __init__(self, program: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._program = program
        self._timeout_seconds = timeout_seconds

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, str]:
        """See :class:`~botalert.mail.transport.Transport`."""
        named = getaddresses([*message.get_all("To", []), *message.get_all("Cc", [])])
        hidden = set(recipients) - {address for _, address in named}
        arguments = ["-i", "--", *recipients] if hidden else ["-i", "-t"]
        try:
            status, said = self._run(arguments, message.as_bytes())
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise UnavailableError(
                f"sendmail:{self._program}: cannot be run: {error.strerror}. "
                "Install a mail server, or name another way in mailserver:."
            ) from error
        except OSError as error:
            raise DeliveryError(
                f"sendmail:{self._program}: failed: {error.strerror}. {_REMEDY}"
            ) from error
        except subprocess.TimeoutExpired as error:
            # It would keep every other alert waiting as long.
            raise ServerDownError(
                f"sendmail:{self._program}: did not end within {self._timeout_seconds} s. "
                "Look at the mail server's log."
            ) from error
        if status != 0:
            reason = said.splitlines()[-1] if said else "it did not say why"
            raise DeliveryError(
                f"sendmail:{self._program}: ended with status {status}: "
                f"{printable(reason).rstrip('.')}. {_REMEDY}"
            )
        return {}

    def _run(self, arguments: Sequence[str], mail: bytes) -> tuple[int, str]:
        """Run the program to its end; give its status and what it said."""
        with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as output:
            text.write(mail)
            text.seek(0)
            done = subprocess.run(
                [self._program, *arguments],
                stdin=text,
                stdout=output,
                stderr=output,
                timeout=self._timeout_seconds,
                check=False,
            )
            output.seek(0)
            return done.returncode, output.read().decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Nothing is open between two mails."""
