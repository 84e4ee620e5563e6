"""Bytes for the browser: each for its visitor, bounded, at addresses that cannot be guessed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui.viewer.routes import CODE, KEY, ROUTES
from ui.viewer.store import STORE, ByteStore, Owner

ANNA, BERT = Owner("a" * 32), Owner("b" * 32)


def name(address):
    return address.rsplit("/", 1)[1]


def test_the_same_bytes_have_the_same_address_for_one_visitor_only():
    store = ByteStore()
    first = store.put(b"bytes", "text/plain", ANNA)
    assert store.put(b"bytes", "text/plain", ANNA) == first
    assert store.put(b"bytes", "text/plain", BERT) != first
    assert ByteStore().put(b"bytes", "text/plain", ANNA) != first  # keyed by a secret
    assert store.get(name(first), ANNA) == (b"bytes", "text/plain")
    assert store.get(name(first), BERT) is None
    assert store.get(name(first), Owner(ANNA.key, "bert")) is None


def test_the_oldest_bytes_go_first_and_the_newest_stay():
    store = ByteStore(limit=100)
    kept = [store.put(bytes([n]) * 40, "x", ANNA) for n in range(2)]
    store.get(name(kept[0]), ANNA)
    store.put(b"c" * 40, "x", ANNA)
    assert store.get(name(kept[1]), ANNA) is None and store.get(name(kept[0]), ANNA)
    huge = store.put(b"d" * 1000, "x", ANNA)
    assert store.get(name(huge), ANNA) and store.get(name(kept[0]), ANNA) is None


def test_a_visitors_bytes_are_forgotten():
    store = ByteStore()
    mine, other = (store.put(b"x", "x", owner) for owner in (ANNA, BERT))
    store.forget(ANNA.key)
    assert store.get(name(mine), ANNA) is None and store.get(name(other), BERT)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_half_precision_is_in_units_of_the_largest(scale):
    store, values = ByteStore(), np.linspace(-1, 1, 101) * scale
    values[3] = np.nan
    pack = store.packed({"odd": np.arange(3, dtype=np.uint8), "values": values}, ANNA)
    data, _ = store.get(name(pack["address"]), ANNA)
    told = pack["arrays"][1]
    assert told["start"] % 4 == 0 and told["type"] == "float16"
    found = np.frombuffer(data, np.float16, 101, told["start"]).astype(float) * told["unit"]
    np.testing.assert_allclose(found, values, atol=1e-3 * scale)


def test_the_routes_serve_code_to_all_and_numbers_to_their_visitor():
    client = TestClient(Starlette(routes=ROUTES))
    code = client.get(f"{CODE}/main.js")
    assert code.status_code == 200 and code.headers["content-type"].startswith("text/javascript")
    assert "immutable" in code.headers["cache-control"]
    for path in (f"{CODE}/nothing.js", f"{CODE}/..%2Fstore.py", "/viewer-0/main.js"):
        assert client.get(path).status_code == 404
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    address = STORE.image(pixels, ANNA)
    answer = client.get(address, headers={KEY: ANNA.key})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), pixels)
    assert "private" in answer.headers["cache-control"]
    for headers in ({}, {KEY: BERT.key}, {KEY: ""}):
        assert client.get(address, headers=headers).status_code == 404
