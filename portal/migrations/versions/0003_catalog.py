"""Catalogue: classification, definitions, products, framework agreements, offers."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UPGRADE = (
    """
    CREATE TABLE classifications (
        id UUID NOT NULL CONSTRAINT pk_classifications PRIMARY KEY,
        version BIGINT NOT NULL CONSTRAINT ck_classifications_version_positive CHECK (version > 0),
        edition TEXT NOT NULL CONSTRAINT uq_classifications_edition UNIQUE,
        loads BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE classification_codes (
        edition TEXT NOT NULL,
        code TEXT NOT NULL,
        parent TEXT NOT NULL,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        CONSTRAINT pk_classification_codes PRIMARY KEY (edition, code)
    )
    """,
    "CREATE INDEX ix_classification_codes_parent ON classification_codes (edition, parent, code)",
    "CREATE INDEX ix_classification_codes_name ON classification_codes (name)",
    """
    CREATE TABLE category_definitions (
        id UUID NOT NULL CONSTRAINT pk_category_definitions PRIMARY KEY,
        version BIGINT NOT NULL CONSTRAINT ck_category_definitions_version_positive CHECK (version > 0),
        revision BIGINT NOT NULL,
        edition TEXT NOT NULL,
        code TEXT NOT NULL,
        attributes JSONB NOT NULL,
        shapes JSONB NOT NULL,
        CONSTRAINT uq_category_definitions_edition_code UNIQUE (edition, code)
    )
    """,
    """
    CREATE TABLE products (
        id UUID NOT NULL CONSTRAINT pk_products PRIMARY KEY,
        version BIGINT NOT NULL CONSTRAINT ck_products_version_positive CHECK (version > 0),
        revision BIGINT NOT NULL,
        status TEXT NOT NULL CONSTRAINT ck_products_status_known CHECK (status IN ('active', 'withdrawn')),
        edition TEXT NOT NULL,
        category_code TEXT NOT NULL,
        category_name TEXT NOT NULL,
        name TEXT NOT NULL,
        unit TEXT NOT NULL,
        brand TEXT NOT NULL,
        model TEXT NOT NULL,
        number TEXT NOT NULL,
        description TEXT NOT NULL,
        attributes JSONB NOT NULL,
        pictures JSONB NOT NULL,
        market_price_fen BIGINT CONSTRAINT ck_products_market_price_positive CHECK (market_price_fen > 0),
        definition_revision BIGINT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        revised_at TIMESTAMPTZ NOT NULL,
        search_text TEXT NOT NULL,
        brand_key TEXT NOT NULL,
        grams INTEGER[] NOT NULL
    )
    """,
    "CREATE INDEX ix_products_brand ON products (brand)",
    "CREATE INDEX ix_products_brand_key ON products (brand_key)",
    "CREATE INDEX ix_products_grams ON products USING gin (grams)",
    "CREATE INDEX ix_products_created_at ON products (created_at, id)",
    "CREATE INDEX ix_products_category ON products (edition, category_code text_pattern_ops)",
    """
    CREATE TABLE agreements (
        id UUID NOT NULL CONSTRAINT pk_agreements PRIMARY KEY,
        version BIGINT NOT NULL CONSTRAINT ck_agreements_version_positive CHECK (version > 0),
        number TEXT NOT NULL CONSTRAINT uq_agreements_number UNIQUE,
        title TEXT NOT NULL,
        organiser TEXT NOT NULL,
        subject TEXT NOT NULL CONSTRAINT ck_agreements_subject_known CHECK (subject IN ('goods', 'services')),
        valid_from DATE NOT NULL,
        valid_to DATE NOT NULL,
        regions TEXT[] NOT NULL,
        packages JSONB NOT NULL,
        removed JSONB NOT NULL,
        status TEXT NOT NULL CONSTRAINT ck_agreements_status_known CHECK (status IN ('concluded', 'terminated')),
        concluded_at TIMESTAMPTZ NOT NULL,
        CONSTRAINT ck_agreements_period_forward CHECK (valid_from <= valid_to)
    )
    """,
    """
    CREATE TABLE agreement_suppliers (
        agreement_id UUID NOT NULL
            CONSTRAINT fk_agreement_suppliers_agreement_id REFERENCES agreements (id) ON DELETE CASCADE,
        package INTEGER NOT NULL,
        supplier_id UUID NOT NULL,
        CONSTRAINT pk_agreement_suppliers PRIMARY KEY (agreement_id, package, supplier_id)
    )
    """,
    "CREATE INDEX ix_agreement_suppliers_supplier_id ON agreement_suppliers (supplier_id)",
    """
    CREATE TABLE offers (
        id UUID NOT NULL CONSTRAINT pk_offers PRIMARY KEY,
        version BIGINT NOT NULL CONSTRAINT ck_offers_version_positive CHECK (version > 0),
        revision BIGINT NOT NULL,
        product_id UUID NOT NULL,
        supplier_id UUID NOT NULL,
        agreement_id UUID NOT NULL,
        package INTEGER NOT NULL,
        agreement_price_fen BIGINT NOT NULL,
        price_fen BIGINT NOT NULL CONSTRAINT ck_offers_price_positive CHECK (price_fen > 0),
        quota BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        consumed BIGINT NOT NULL,
        regions TEXT[] NOT NULL,
        on_shelf BOOLEAN NOT NULL,
        listed_at TIMESTAMPTZ NOT NULL,
        CONSTRAINT ck_offers_price_within_agreement CHECK (price_fen <= agreement_price_fen),
        CONSTRAINT ck_offers_quantities_not_negative CHECK (reserved >= 0 AND consumed >= 0),
        CONSTRAINT ck_offers_not_oversold CHECK (reserved + consumed <= quota),
        CONSTRAINT uq_offers_product_id_agreement_id_supplier_id UNIQUE (product_id, agreement_id, supplier_id)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX ix_offers_product_id ON offers (product_id)",
    "CREATE INDEX ix_offers_supplier_id ON offers (supplier_id, id)",
    "CREATE INDEX ix_offers_agreement_id ON offers (agreement_id)",
)

_TABLES = (
    "offers",
    "agreement_suppliers",
    "agreements",
    "products",
    "category_definitions",
    "classification_codes",
    "classifications",
)


def upgrade() -> None:
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
