"""Uploads and results belong to sessions, sessions to logins, and nothing is told without one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from helpers.small_page import Visitor, served


@pytest.fixture(scope="module")
def page():
    with served([("ann", "ann's"), ("bob", "bob's")]) as found:
        yield found


@pytest.fixture(scope="module")
def open_page():
    with served() as found:
        yield found


@pytest.fixture
def ann(page):
    return Visitor(page.url, "ann")


@pytest.fixture
def bob(page):
    return Visitor(page.url, "bob")


def test_without_a_login_there_is_a_login_page_and_nothing_else(page):
    root = httpx.get(page.url)
    assert "password" in root.text and "subject" not in root.text and "gradio" not in root.text
    addresses = {getattr(route, "path", "") for route in page.demo.app.routes}
    addresses |= {"/openapi.json", "/config/", "//config", "/gradio_api/file=/etc/passwd"}
    for address in sorted(addresses - {"/", "/login", "/login/", "/logout", ""}):
        answer = httpx.get(page.url.rstrip("/") + address.replace("{", "").replace("}", ""))
        assert answer.status_code == 401, address
    for address in ("queue/join", "upload", "run/subject", "call/subject", "startup-events"):
        assert httpx.post(f"{page.url}gradio_api/{address}", json={}).status_code == 401, address


def test_a_login_opens_the_page_until_the_logout(page, ann):
    assert ann.http.get("/config").status_code == 200
    assert "subject" in ann.http.get("/gradio_api/openapi.json").text
    ann.http.get("/logout")
    assert ann.http.get("/config").status_code == 401


@pytest.mark.parametrize("end", ["%0A", "/%0A", "%0D%0A", "%00", "%7F"])
def test_addresses_with_control_characters_lead_nowhere(ann, bob, end):
    mine = ann.upload()
    call = {"data": [mine], "session_hash": ann.session}
    for path in ("run/read", "api/read", "queue/join", "upload", "call/read"):
        assert bob.http.post(f"/gradio_api/{path}{end}", json=call).status_code == 403
    assert bob.http.get(f"/gradio_api/file={mine['path']}{end}").status_code == 403


def test_two_who_upload_the_same_share_no_file(ann, bob):
    mine, theirs = ann.upload(), bob.upload()
    assert mine["path"] != theirs["path"]
    Path(mine["path"]).unlink()
    assert bob.call("read", theirs) == ["7"]
    assert ann.upload()["path"] != ann.upload()["path"]


def test_uploads_are_their_owners_alone(ann, bob):
    mine = ann.upload()
    assert ann.call("read", mine) == ["7"]
    assert (ann.file(mine["path"]), bob.file(mine["path"])) == (200, 403)
    for given in (
        mine,
        {"path": mine["path"]},
        {"a": [mine]},
        {**mine, "path": mine["path"] + "/."},
    ):
        assert "is not a file that you uploaded" in bob.call("read", given)["detail"]
    own = bob.upload()
    strange = Path(own["path"]).parent / ".." / ".." / ".." / Path(mine["path"]).name
    assert "not a file" in bob.call("read", {**own, "path": str(strange)})["detail"]
    assert bob.file(f"{own['path']}/../../../{'/'.join(Path(mine['path']).parts[-4:])}") == 403


@pytest.mark.parametrize("path", ["/etc/passwd", "http://127.0.0.1/", "", "a\0b", "lock"])
def test_files_that_nobody_uploaded_are_refused(bob, path):
    given = {"path": path, "meta": {"_type": "gradio.FileData"}}
    assert "not a file" in bob.call("read", given)["detail"]
    assert bob.http.get("/gradio_api/file=" + path.replace("\0", "%00")).status_code == 403
    assert "not a file" in bob.call("read", {"url": path, "meta": given["meta"]})["detail"]


def test_results_are_their_owners_alone(ann, bob):
    path = ann.call("result", "secret")[0]["path"]
    assert (ann.file(path), bob.file(path)) == (200, 403)
    assert bob.call("result", "secret")[0]["path"] != path


def test_sessions_are_their_owners_alone(ann, bob):
    assert ann.call("read", ann.upload()) == ["7"]
    refused = {"detail": "This session is not yours."}
    for name in ("call", "run", "api"):
        body = {"data": [], "session_hash": ann.session}
        answer = bob.http.post(f"/gradio_api/{name}/subject", json=body)
        assert (answer.status_code, answer.json()) == (403, refused)
    body = {"data": [], "fn_index": 1, "session_hash": ann.session, "event_id": "x"}
    for name in ("queue/join", "cancel", "component_server"):
        assert bob.http.post(f"/gradio_api/{name}", json=body).json() == refused
    for address in (
        "queue/data?session_hash=",
        "heartbeat/",
        "queue/data?session_hash=x&session_hash=",
    ):
        assert bob.http.get(f"/gradio_api/{address}{ann.session}").json() == refused
    assert ann.call("subject")[0].endswith("a.png")


def test_jobs_are_their_owners_alone(ann, bob):
    event = ann.join("subject").json()["event_id"]
    assert bob.http.get(f"/gradio_api/call/subject/{event}").status_code == 403
    body = {"session_hash": bob.session, "fn_index": 1, "event_id": event}
    assert bob.http.post("/gradio_api/cancel", json=body).status_code == 403


def test_what_the_page_has_no_use_for_is_closed(ann):
    for address in (
        *(
            "proxy=http://example.com",
            "deep_link?session_hash=x",
            "process_recording",
            "dev/reload",
        ),
        *("stream/x/close", "custom_component/a/client/b/c", "run-history/buckets"),
    ):
        assert ann.http.get(f"/gradio_api/{address}").status_code == 404
    assert ann.http.get("/monitoring").status_code == 404


def test_calls_that_are_none_are_one_sentence(ann):
    for content in (b"", b"[]", b"[" * 100_000, b"{", b'{"session_hash": 3}'):
        answer = ann.http.post("/gradio_api/queue/join", content=content)
        assert answer.status_code == 400 and "\n" not in answer.json()["detail"]
    large = b'{"data": "' + bytes(5 * 2**20) + b'"}'
    assert ann.http.post("/gradio_api/queue/join", content=large).status_code == 413


def test_half_an_upload_leaves_nothing(page, ann):
    folder = Path(page.demo.app.uploaded_file_dir)
    before = {p for p in folder.rglob("*") if p.is_file()}
    files = {"files": ("a.png", bytes(2 * 2**20))}
    assert ann.http.post("/gradio_api/upload", files=files).status_code == 413
    assert ann.http.post("/gradio_api/upload", content=b"x").status_code == 400
    assert {p for p in folder.rglob("*") if p.is_file()} == before


def test_without_logins_a_browser_tells_visitors_apart(open_page):
    one, other = Visitor(open_page.url), Visitor(open_page.url)
    mine = one.upload()
    assert one.call("read", mine) == ["7"]
    assert (one.file(mine["path"]), other.file(mine["path"])) == (200, 403)
    assert "not a file" in other.call("read", mine)["detail"]
    assert "not yours" in other.call("subject", session=one.session)["detail"]
    path = one.call("result", "secret")[0]["path"]
    assert (one.file(path), other.file(path)) == (200, 403)


def test_without_cookies_an_upload_is_whose_session_takes_it_first(open_page):
    one, other = Visitor(open_page.url), Visitor(open_page.url)
    one.http.cookies.clear(), other.http.cookies.clear()
    mine = one.upload()
    assert one.file(mine["path"]) == 403  # it is served to nobody
    assert one.call("read", mine) == ["7"] and one.call("read", mine) == ["7"]
    assert "not a file" in other.call("read", mine)["detail"]
