// The last crumb and the window's title, when a page knows better than its route (an order's number, a product's name).
import { onScopeDispose, readonly, ref, watchEffect } from "vue";

const own = ref("");

/** Shows `text()` as the page's title while the page is open; "" falls back to the route's title. */
export function usePageTitle(text: () => string): void {
  watchEffect(() => {
    own.value = text();
  });
  onScopeDispose(() => {
    own.value = "";
  });
}

export const ownTitle = readonly(own);
