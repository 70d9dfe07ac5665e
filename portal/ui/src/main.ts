import { createApp } from "vue";

import "./styles/base.css";
import App from "./App.vue";
import { i18n, startLanguage } from "./i18n/index.ts";
import { router } from "./router.ts";
import { session } from "./state/session.ts";

await Promise.all([startLanguage(), session.ready()]);
createApp(App).use(i18n).use(router).mount("#app");
