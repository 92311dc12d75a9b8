from core.geometry.cache import BoundedCache


def test_a_value_is_made_once_and_handed_out_again():
    cache = BoundedCache(100, len)
    first = cache.get("a", lambda: b"12345")
    assert cache.get("a", lambda: b"other") is first
    assert cache.nbytes == 5


def test_the_least_recently_used_goes_first():
    cache = BoundedCache(90, len)
    for key in "abc":
        cache.get(key, lambda: bytes(30))
    cache.get("a", bytes)
    cache.get("d", lambda: bytes(30))
    made = []
    for key in "acd":
        cache.get(key, lambda key=key: made.append(key) or bytes(1))
    assert made == []
    cache.get("b", lambda: made.append("b") or bytes(1))
    assert made == ["b"]
    assert cache.nbytes <= 90


def test_a_value_that_would_push_out_the_rest_is_not_kept():
    cache = BoundedCache(90, len)
    cache.get("small", lambda: bytes(10))
    assert len(cache.get("huge", lambda: bytes(31))) == 31
    assert cache.nbytes == 10
