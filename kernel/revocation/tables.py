"""What outside authorities say of their certificates. No part of the journal: it can be fetched again."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from kernel.db.metadata import metadata

revocation_answers: Final = sa.Table(
    "revocation_answers",
    metadata,
    sa.Column("name", BYTEA, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("issuer", BYTEA, nullable=False),
    sa.Column("certificate", BYTEA, nullable=False),
    sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=False, index=True),
    sa.Column("body", BYTEA),
    sa.Column("this_update", sa.TIMESTAMP(timezone=True)),
    sa.Column("next_update", sa.TIMESTAMP(timezone=True)),
    sa.Column("fetched_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("failed_at", sa.TIMESTAMP(timezone=True)),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failure", sa.Text, nullable=False),
    sa.CheckConstraint("octet_length(name) = 32", name="name_sha256"),
    sa.CheckConstraint("kind IN ('crl', 'ocsp')", name="kind_known"),
    sa.CheckConstraint("failures >= 0", name="failures_count"),
    sa.CheckConstraint(
        "num_nulls(body, this_update, next_update, fetched_at) IN (0, 4) AND this_update <= next_update",
        name="body_whole",
    ),
)
"""
``name`` is the digest of kind, address, issuer and (of an answer) serial number. ``certificate`` is the one for which
it was first asked: an answer is about it, a list covers it. ``due_at``: when it is fetched again.
"""
