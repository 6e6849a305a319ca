"""`GET` requests that were read before are answered without being read again.

Owns which question an address was found to ask. What the framework does to find out (routing, solving dependencies,
validation) depends on path and query alone, so it is done once for each of them. Who asks, whether they may, what the
view holds and what time it is, is looked at each time: no answer is kept here.
"""

from collections import OrderedDict
from typing import ClassVar, NamedTuple, Protocol

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import ApiError, answer, answer_unknown
from api.http.headers import SecurityHeaders
from api.http.identity import Access, authorize
from api.http.keys import ApiScope
from api.http.routes.queries import now_of, view_of
from api.read.view import View

_Address = tuple[str, bytes]
"""Path and query, the query as it was written."""


class Question(Protocol):
    """What a request asks, valid as far as path and query say."""

    scope: ClassVar[ApiScope]
    """What a key must be allowed to do."""

    def answer(self, request: Request, access: Access, view: View, now: int) -> Response:
        """The answer to one who may see `access`. Raises ApiError: what is asked for may be there no more."""
        ...


class _Asked(NamedTuple):
    question: Question
    route: object
    """For the log."""


class Questions:
    """The addresses that were asked for lately."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._asked: OrderedDict[_Address, _Asked] = OrderedDict()

    def note(self, scope: Scope, question: Question) -> None:
        """Keep what a request asked that has been answered."""
        self._asked[scope["path"], scope["query_string"]] = _Asked(question, scope["route"])
        if len(self._asked) > self._most:
            self._asked.popitem(last=False)

    def find(self, scope: Scope) -> _Asked | None:
        """What a request asks, if one of that address was answered before."""
        return self._asked.get((scope["path"], scope["query_string"]))


def remember(request: Request, question: Question) -> None:
    """Answer the next request of that address without the framework.

    It took four fifths of the time of a leaderboard of 1,000 reps: 1,010 requests/s became 3,310 (bench.leaderboard).
    """
    questions: Questions = request.app.state.questions
    questions.note(request.scope, question)


class QuestionGate:
    """Answers what was asked before; sends everything else on."""

    def __init__(self, app: ASGIApp, *, questions: Questions, owner: FastAPI) -> None:
        self.app = app
        self._questions = questions
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose by method, path and query."""
        if scope["type"] == "http" and scope["method"] == "GET":
            asked = self._questions.find(scope)
            if asked is not None:
                await SecurityHeaders(self._answer(scope, asked))(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _answer(self, scope: Scope, asked: _Asked) -> Response:
        # As the framework does: there an answer finds the parts of the process, and the log the route.
        scope["app"], scope["route"] = self._owner, asked.route
        request = Request(scope)
        try:
            # In the order of a route's parameters: of two things that are wrong, the same one is named.
            access = authorize(request, asked.question.scope)
            return asked.question.answer(request, access, view_of(request), now_of(request))
        except ApiError as error:
            return answer(error)
        except Exception:  # noqa: BLE001 - it is logged with the answer
            return answer_unknown(scope)
