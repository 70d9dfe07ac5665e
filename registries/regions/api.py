"""The regions over HTTP."""

import msgspec

from kernel.access.table import Action
from kernel.web.context import Context
from kernel.web.routes import op
from registries.regions.rules import REGIONS, Region


class Regions(msgspec.Struct, frozen=True):
    """All codes of the province, abolished ones with their successors."""

    items: tuple[Region, ...]


_ALL = Regions(tuple(REGIONS[code] for code in sorted(REGIONS)))


@op("GET", "/api/regions", action=Action.REGION_READ, tag="registries", summary="List the regions (GB/T 2260)")
async def list_regions(_ctx: Context) -> Regions:
    return _ALL


ROUTES = [list_regions]
