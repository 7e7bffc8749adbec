"""Small servers that take replies as the real ones do, and break when they are told to: one a channel."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

AT = "2026-08-01T12:00:00.000Z"
PARENT = "at://did:plc:zoe/app.bsky.feed.post/3mparent"


class Server(httpx.BaseTransport):
    """Keeps what was written in `kept`; `breaks` are what happens to the next writes: an error before or after."""

    writes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.asked: list[httpx.Request] = []
        self.breaks: list[Any] = []
        self.gone = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        path = request.url.path
        if request.method != "POST" or not any(path.endswith(end) for end in self.writes) or self.only_reads(request):
            return self.read(request, path)
        step = self.breaks.pop(0) if self.breaks else None
        if isinstance(step, httpx.Response):
            return step
        if isinstance(step, tuple):  # it takes the reply, and then something breaks
            self.write(request)
            step = step[1]
            if isinstance(step, httpx.Response):
                return step
        if step is not None:
            raise step
        return self.write(request)

    def only_reads(self, request: httpx.Request) -> bool:
        return False

    def body(self, request: httpx.Request) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(request.content)
        return found

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        raise NotImplementedError

    def write(self, request: httpx.Request) -> httpx.Response:
        raise NotImplementedError


class MastodonServer(Server):
    """One status of Zoe's, number 1, and those of account 9."""

    writes = ("/api/v1/statuses",)

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/api/v1/statuses/1" and not self.gone:
            return httpx.Response(200, json={"id": "1", "account": {"acct": "zoe@far.example", "id": "3"}})
        if path == "/api/v2/search":
            return httpx.Response(
                200, json={"statuses": [] if self.gone else [{"id": "1", "account": {"acct": "zoe"}}]}
            )
        if path == "/api/v1/accounts/verify_credentials":
            return httpx.Response(200, json={"id": "9"})
        if path.endswith("/context"):
            return httpx.Response(200, json={"ancestors": [], "descendants": self.kept})
        if path == "/api/v1/accounts/9/statuses":
            return httpx.Response(200, json=self.kept)
        if path == "/api/v2/media":
            return httpx.Response(200, json={"id": str(700 + len(self.asked))})
        if path == "/api/v2/instance":
            statuses = {"max_characters": 5000, "characters_reserved_per_url": 30, "max_media_attachments": 6}
            return httpx.Response(200, json={"version": "4.4.0", "configuration": {"statuses": statuses}})
        return httpx.Response(404, json={"error": "Record not found"})

    def write(self, request: httpx.Request) -> httpx.Response:
        body = self.body(request)
        key = request.headers["idempotency-key"]
        there = next((one for one in self.kept if one["key"] == key), None)
        status = there or {
            "id": str(100 + len(self.kept)),
            "key": key,
            "content": "<p>" + body["status"].replace("@zoe@far.example", "@zoe") + "</p>",
            "in_reply_to_id": body["in_reply_to_id"],
            "account": {"id": "9"},
            "created_at": AT,
            "url": "https://social.example/@us/100",
            "asked": body,
        }
        if there is None:
            self.kept.append(status)
        return httpx.Response(200, json=status)


class BlueskyServer(Server):
    """A PDS with one record of Zoe's and the records of did:plc:us."""

    writes = ("/xrpc/com.atproto.repo.createRecord",)

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        query = parse_qs(urlsplit(str(request.url)).query)
        if path.endswith("createSession"):
            return httpx.Response(200, json={"accessJwt": "a", "refreshJwt": "r"})
        if path.endswith("uploadBlob"):
            return httpx.Response(200, json={"blob": {"$type": "blob", "ref": {"$link": "bafyblob"}}})
        if path.endswith("resolveHandle"):
            known = query["handle"] == ["zoe.example"]
            return httpx.Response(200, json={"did": "did:plc:zoe"}) if known else httpx.Response(400, json={})
        if path.endswith("getRecord") and query["rkey"] == ["3mparent"] and not self.gone:
            root = {"uri": "at://did:plc:bob/app.bsky.feed.post/3mroot", "cid": "bafyroot"}
            value = {"text": "broken", "reply": {"root": root, "parent": root}}
            return httpx.Response(200, json={"uri": PARENT, "cid": "bafyparent", "value": value})
        if path.endswith("getRecord"):
            there = next((one for one in self.kept if [one["rkey"]] == query["rkey"]), None)
            if there is not None:
                return httpx.Response(200, json={"uri": there["uri"], "cid": "c", "value": there["record"]})
            return httpx.Response(400, json={"error": "RecordNotFound", "message": "Could not locate record"})
        return httpx.Response(404)

    def write(self, request: httpx.Request) -> httpx.Response:
        body = self.body(request)
        if any(one["rkey"] == body["rkey"] for one in self.kept):
            return httpx.Response(400, json={"error": "InvalidRequest", "message": "Record already exists"})
        uri = f"at://did:plc:us/app.bsky.feed.post/{body['rkey']}"
        self.kept.append(body | {"uri": uri})
        return httpx.Response(200, json={"uri": uri, "cid": "bafynew"})


class GitHubServer(Server):
    """Issue 12 and its comments, discussion 5 and one comment there."""

    writes = ("/comments", "/graphql")

    def only_reads(self, request: httpx.Request) -> bool:
        return request.url.path.endswith("/graphql") and "mutation" not in self.body(request)["query"]

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        if path.endswith("/graphql"):
            ours = [one for one in self.kept if one.get("under")]
            top = {"id": "DC_1", "databaseId": 51, "body": "why?", "replies": {"nodes": ours}}
            comments = [top, *(one for one in self.kept if not one.get("under"))]
            talk = None if self.gone else {"id": "D_5", "comments": {"nodes": comments}}
            return httpx.Response(200, json={"data": {"repository": {"discussion": talk}}})
        return httpx.Response(200, json=self.kept)

    def write(self, request: httpx.Request) -> httpx.Response:
        body = self.body(request)
        if self.gone:
            return httpx.Response(404, json={"message": "Not Found"})
        number = 900 + len(self.kept)
        if request.url.path.endswith("/graphql"):
            asked = body["variables"]
            comment = {"databaseId": number, "url": "https://github.com/acme/router/discussions/5#c", "createdAt": AT}
            self.kept.append(comment | {"body": asked["body"], "under": asked["under"], "on": asked["on"]})
            return httpx.Response(200, json={"data": {"addDiscussionComment": {"comment": comment}}})
        address = f"https://github.com/acme/router/issues/12#issuecomment-{number}"
        comment = {"id": number, "body": body["body"], "html_url": address, "created_at": AT}
        self.kept.append(comment)
        return httpx.Response(201, json=comment)


class DiscourseServer(Server):
    """Topic 8 of a forum."""

    writes = ("/posts.json",)

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        assert path == "/t/8/last.json" and "include_raw=true" in str(request.url)
        return httpx.Response(200, json={"post_stream": {"posts": self.kept}})

    def write(self, request: httpx.Request) -> httpx.Response:
        body = self.body(request)
        if self.gone:
            return httpx.Response(404, json={"errors": ["not found"]})
        if any(one["raw"] == body["raw"] for one in self.kept):
            return httpx.Response(422, json={"errors": ["Body is too similar to what you recently posted"]})
        number = 20 + len(self.kept)
        post = {"id": 1, "topic_id": 8, "post_number": number, "raw": body["raw"], "created_at": AT}
        self.kept.append(post | {"asked": body})
        return httpx.Response(200, json=post)


class WordPressServer(Server):
    """A site with comment 1 under post 4."""

    writes = ("/wp/v2/comments",)

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/":
            link = '<https://blog.example/wp-json/>; rel="https://api.w.org/"'
            return httpx.Response(200, headers={"link": link}, content=b"<html></html>")
        if path.endswith("/comments/1"):
            return httpx.Response(404, json={}) if self.gone else httpx.Response(200, json={"id": 1, "post": 4})
        held = "status=hold" in str(request.url)
        return httpx.Response(200, json=[] if held else self.kept)

    def write(self, request: httpx.Request) -> httpx.Response:
        body = self.body(request)
        rendered = "<p>" + body["content"].replace("'", "&#8217;") + "</p>"
        if any(one["content"]["rendered"] == rendered for one in self.kept):
            return httpx.Response(409, json={"code": "comment_duplicate", "message": "Duplicate comment detected"})
        comment = {
            "id": 30 + len(self.kept),
            "post": body["post"],
            "parent": body["parent"],
            "content": {"rendered": rendered},
            "link": "https://blog.example/p/#comment-30",
            "date_gmt": "2026-08-01T12:00:00",
        }
        self.kept.append(comment)
        return httpx.Response(201, json=comment)


class RedditServer(Server):
    """The comments of u/acme."""

    writes = ("/api/comment",)

    def read(self, request: httpx.Request, path: str) -> httpx.Response:
        if path.endswith("/access_token"):
            return httpx.Response(200, json={"access_token": "t"})
        assert path == "/user/acme/comments"
        children = [{"kind": "t1", "data": one} for one in self.kept]
        return httpx.Response(200, json={"kind": "Listing", "data": {"children": children}})

    def write(self, request: httpx.Request) -> httpx.Response:
        form = {name: value[0] for name, value in parse_qs(request.content.decode()).items()}
        if self.gone:
            errors = [["DELETED_COMMENT", "that comment has been deleted", "parent"]]
            return httpx.Response(200, json={"json": {"errors": errors}})
        comment = {
            "name": f"t1_c{len(self.kept)}",
            "parent_id": form["thing_id"],
            "body": form["text"],
            "created_utc": 1785585600.0,
            "permalink": "/r/acme/comments/a/b/c0/",
        }
        self.kept.append(comment)
        return httpx.Response(200, json={"json": {"errors": [], "data": {"things": [{"data": comment}]}}})
