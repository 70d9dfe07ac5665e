import vue from "@vitejs/plugin-vue";
import Components from "unplugin-vue-components/vite";
import { ElementPlusResolver } from "unplugin-vue-components/resolvers";
import { defineConfig } from "vite";

const service = process.env.ZHECAI_UI_PROXY ?? "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [vue(), Components({ dirs: [], resolvers: [ElementPlusResolver({ importStyle: "css" })], dts: false })],
  define: {
    __VUE_OPTIONS_API__: true, // Element Plus uses it
    __INTLIFY_JIT_COMPILATION__: true, // messages are compiled without eval, which the policy forbids
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
  },
  build: {
    target: "es2022",
    outDir: "../static",
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0, // an inlined font or script would need a wider policy
    modulePreload: { polyfill: false },
    license: { fileName: "THIRD_PARTY_LICENSES.md" },
  },
  server: { proxy: { "/api": { target: service, ws: true } } },
});
