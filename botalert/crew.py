"""
EDGE: worker processes, which share out tasks between the processors.

They are forked, so a worker is a function that exists already, with all that
it refers to; only tasks and answers are sent.  A worker that dies is an error
with its cause, and whatever ends the work ends all of them.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar, cast

from botalert.errors import TryAgainError

Task = TypeVar("Task")
Answer = TypeVar("Answer")

Worker = Callable[[Task | None], Iterable[Answer]]
"""Does a task, and answers as often as it likes; None asks for what is left to say."""

Pulse = Callable[[], None]
PULSE_SECONDS = 0.2


class _Message(NamedTuple, Generic[Answer]):
    """An answer, what the worker raised instead, or neither when its task is done."""

    answer: Answer | None = None
    error: BaseException | None = None
    is_last: bool = False


class _Member(NamedTuple):
    process: multiprocessing.process.BaseProcess
    connection: Connection


class Crew(Generic[Task, Answer]):
    """
    Some worker processes; a context manager.

    Args:
        workers: One for each process.
        tasks_each: How many tasks a worker may have at once.
        pulse: Called some times a second while the work goes on.
    """

    def __init__(
        self,
        workers: Sequence[Worker[Task, Answer]],
        tasks_each: int,
        pulse: Pulse | None = None,
    ) -> None:
        self._tasks_each = tasks_each
        self._pulse = pulse
        self._members: list[_Member] = []
        context = multiprocessing.get_context("fork")
        try:
            for worker in workers:
                ours, theirs = context.Pipe()
                # Whoever holds our ends, too, would not see that we are gone.
                not_theirs = [*(member.connection for member in self._members), ours]
                process = context.Process(
                    target=_serve, args=(worker, theirs, not_theirs), daemon=True
                )
                process.start()
                theirs.close()
                self._members.append(_Member(process, ours))
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers, whatever they are doing."""
        self._end()

    def do(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """
        Have *tasks* done; give the answers as they come.

        A task is taken from *tasks* when a worker is free for it.

        Raises:
            TryAgainError: A worker died.
            BaseException: What a worker raised.
        """
        rest = iter(tasks)
        free = deque(self._members * self._tasks_each)
        open_tasks = 0
        while True:
            while free:
                try:
                    task = next(rest)
                except StopIteration:
                    break
                self._send(free.popleft(), task)
                open_tasks += 1
            if not open_tasks:
                return
            for member in self._ready():
                message = self._receive(member)
                if message.is_last:
                    open_tasks -= 1
                    free.append(member)
                else:
                    yield cast(Answer, message.answer)

    def finish(self) -> Iterator[Answer]:
        """
        Ask all workers for what is left to say; they take no task any more.

        Raises:
            TryAgainError: A worker died.
            BaseException: What a worker raised.
        """
        for member in self._members:
            self._send(member, None)
        for member in self._members:
            while not (message := self._receive(member)).is_last:
                yield cast(Answer, message.answer)

    def _ready(self) -> list[_Member]:
        connections = [member.connection for member in self._members]
        ready = wait(connections, None if self._pulse is None else PULSE_SECONDS)
        if self._pulse is not None:
            self._pulse()
        return [member for member in self._members if member.connection in ready]

    def _send(self, member: _Member, task: Task | None) -> None:
        try:
            member.connection.send(task)
        except OSError as error:
            raise _death_of(member) from error

    def _receive(self, member: _Member) -> _Message[Answer]:
        try:
            message: _Message[Answer] = member.connection.recv()
        except (EOFError, OSError) as gone:
            raise _death_of(member) from gone
        if message.error is not None:
            raise message.error
        return message

    def _end(self) -> None:
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join()
            member.connection.close()


def _death_of(member: _Member) -> TryAgainError:
    member.process.join()
    status = member.process.exitcode or 0
    how = f"status {status}" if status >= 0 else signal.Signals(-status).name
    return TryAgainError(
        f"a worker process ended early ({how}). If the machine is short of memory, use --jobs 1."
    )


def _serve(
    worker: Worker[Task, Answer], connection: Connection, not_ours: Iterable[Connection]
) -> None:
    """Do what is asked, until nobody asks any more."""
    # The terminal sends Ctrl-C to all; who started us ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in not_ours:
        other.close()
    with suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            try:
                for answer in worker(task):
                    connection.send(_Message(answer))
            except BaseException as error:  # It is raised where it can be told.
                connection.send(_Message(error=error))
            connection.send(_Message(is_last=True))
            if task is None:
                break
