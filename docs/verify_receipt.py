"""Check a receipt of Zhecai with the standard library and `cryptography`: verify_receipt.py FILE LOG_KEY RECEIPT_KEY."""

import base64, json, sys
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signed_text(note, vkey):
    """Give the text of a signed note (C2SP signed-note), or fail where the key has not signed it."""
    name, key_id, public = vkey.split("+", 2)
    text, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        _, by, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if by == name and raw[:4].hex() == key_id:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:])
            return key.verify(raw[4:], f"{text}\n".encode()) or text
    sys.exit(f"not signed by {name}")


receipt = json.load(open(sys.argv[1], encoding="utf-8"))
said = json.loads(signed_text(receipt["receipt"], sys.argv[3]).split("\n")[1])
head, _, checkpoint = receipt["proof"].partition("\n\n")
origin, size, root = signed_text(checkpoint, sys.argv[2]).split("\n")[:3]
leaf = bytes.fromhex(said["leaf"])
if said["salt"]:  # what must not be known yet stands in the log as a commitment
    leaf = sha256(b"zhecai/commitment/1" + bytes.fromhex(said["salt"]) + leaf).digest()
node, place, last = sha256(b"\0" + leaf).digest(), said["number"], int(size) - 1
good = 0 <= place <= last and origin == said["origin"]
for sibling in map(base64.b64decode, head.split(f"index {place}")[1].split()):  # RFC 9162, section 2.1.3.2
    right = place % 2 or place == last
    node = sha256(b"\1" + (sibling + node if right else node + sibling)).digest()
    while right and place and place % 2 == 0:
        place, last = place // 2, last // 2
    place, last = place // 2, last // 2
if not good or last or node != base64.b64decode(root):
    sys.exit("the entry is not in the log")
print(f"good: {said['kind']} {said['stream']} version {said['version']}, {said['at']}, leaf {said['leaf']}")
