// The regions (GB/T 2260), read once; they change once a year.
import { computed, shallowRef } from "vue";

import { answer, api } from "../api/client.ts";
import type { Region } from "../api/types.ts";

const all = shallowRef<readonly Region[]>([]);
let started: Promise<void> | undefined;

function load(): void {
  started ??= answer(api.GET("/api/regions"))
    .then((found) => {
      all.value = found.items;
    })
    .catch(() => {
      started = undefined;
    });
}

const byCode = computed(() => new Map(all.value.map((region) => [region.code, region])));

/** Regions in use, each city with what lies in it. */
const cities = computed(() => {
  const current = all.value.filter((region) => region.status === "current");
  return current
    .filter((region) => region.level !== "county")
    .map((city) => ({
      ...city,
      counties: current.filter((region) => region.level === "county" && region.parent === city.code),
    }));
});

/** The name with the city before a county: 杭州市西湖区. The code itself while names are not there. */
function nameOf(code: string): string {
  load();
  const region = byCode.value.get(code);
  if (!region) return code;
  const city = region.level === "county" ? byCode.value.get(region.parent) : undefined;
  return (city?.name ?? "") + region.name;
}

export function useRegions() {
  load();
  return { cities, nameOf };
}
