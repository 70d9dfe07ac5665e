"""
Time to make and to verify a time stamp, beside the bare signature of its key.

    python -m bench.micro.stamps

Leaves out: HTTP, the register of issued tokens, drawing a nonce. Prints the median of 5 rounds.
"""

import statistics
from collections.abc import Callable
from time import perf_counter

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.timestamps.request import StampRequest, imprint_of, read_request
from crypto.timestamps.verify import verify_answer
from tests.builders.stamps import NOON, AStampingHouse

EACH = 1000
ROUNDS = 5


def micros(work: Callable[[], object]) -> float:
    def once() -> float:
        began = perf_counter()
        for _ in range(EACH):
            work()
        return (perf_counter() - began) / EACH * 1e6

    return statistics.median(once() for _ in range(ROUNDS))


def main() -> None:
    """Print microseconds each, for a P-256 authority below a root."""
    house = AStampingHouse()
    key = house.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    request = StampRequest(imprint_of(b"contract"), nonce=1 << 63)
    query, public, algorithm = request.encode(), key.public_key(), ec.ECDSA(hashes.SHA256())
    token = house.authority.token(request, serial=1 << 100, at=NOON)
    signature = key.sign(token, algorithm)
    sign = micros(lambda: key.sign(token, algorithm))
    check = micros(lambda: public.verify(signature, token, algorithm))
    made = micros(lambda: house.authority.token(read_request(query), serial=1 << 100, at=NOON))
    verified = micros(lambda: verify_answer(token, request, house.trust))
    print(f"signature: {sign:6.1f} µs  token made from its request: {made:6.1f} µs  {sign / made:.2f} of it")
    print(f"check:     {check:6.1f} µs  token verified:              {verified:6.1f} µs  {check / verified:.2f} of it")


if __name__ == "__main__":
    main()
